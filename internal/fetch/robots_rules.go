package fetch

import (
	"bytes"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"
)

// Bounds on one host's rules, so that a file costs at most a few milliseconds
// per page and a few hundred kilobytes. A Disallow beyond them is cut off,
// which forbids more, not less.
const (
	robotsRulesKept = 2000
	robotsRuleBytes = 2 << 10   // of one pattern
	robotsAllBytes  = 256 << 10 // of all patterns together
	robotsStars     = 16        // of one pattern
)

// robotsRule is one line of a group. Its pattern is in the form of robotsForm,
// in which each octet has one spelling.
type robotsRule struct {
	pattern string // matches from the beginning of the path; * matches anything
	whole   bool   // matches to the end of the path
	allow   bool
}

// robotsRules are those for this program. No rules allow everything.
type robotsRules []robotsRule

// allows reports whether u may be read. An address that a server may normalise,
// such as /a/../b, must be allowed in both forms.
func (rules robotsRules) allows(u *url.URL) bool {
	asked := u.EscapedPath()
	if asked == "" {
		asked = "/"
	}
	if len(rules) == 0 || asked == "/robots.txt" {
		return true
	}
	asked = robotsForm(asked, false)
	query := ""
	if u.RawQuery != "" || u.ForceQuery {
		query = "?" + robotsForm(u.RawQuery, false)
	}
	clean := path.Clean("/" + asked)
	if last := path.Base(asked + "x"); clean != "/" && (last == "x" || last == ".x" || last == "..x") {
		clean += "/"
	}
	return rules.test(asked+query) && (clean == asked || rules.test(clean+query))
}

// test applies the longest rule that matches; of two equally long ones, the one
// that allows.
func (rules robotsRules) test(address string) bool {
	longest, allowed := -1, true
	for _, r := range rules {
		size := len(r.pattern)
		if r.whole {
			size++
		}
		if size < longest || size == longest && (allowed || !r.allow) || !r.matches(address) {
			continue
		}
		longest, allowed = size, r.allow
	}
	return allowed
}

// matches lets each star match as little as possible, which finds a match if
// there is one, in time linear in the address.
func (r robotsRule) matches(address string) bool {
	start, rest, stars := strings.Cut(r.pattern, "*")
	address, ok := strings.CutPrefix(address, start)
	if !ok || !stars {
		return ok && (!r.whole || address == "")
	}
	for {
		part, next, more := strings.Cut(rest, "*")
		if !more && r.whole {
			return strings.HasSuffix(address, part)
		}
		at := strings.Index(address, part)
		if at < 0 || !more {
			return at >= 0
		}
		address, rest = address[at+len(part):], next
	}
}

// robotsForm gives each octet one spelling: literal if a URL may hold it, else
// percent-encoded. In an address, stars and dollars are encoded, to distinguish
// them from those of a pattern.
func robotsForm(s string, pattern bool) string {
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		b := s[i]
		if b == '%' && i+2 < len(s) {
			if octet, ok := unhex(s[i+1], s[i+2]); ok {
				i += 2
				if isUnreserved(octet) {
					out.WriteByte(octet)
				} else {
					fmt.Fprintf(&out, "%%%02X", octet)
				}
				continue
			}
		}
		if b <= ' ' || b >= 0x7f || b == '$' || b == '*' && !pattern {
			fmt.Fprintf(&out, "%%%02X", b)
		} else {
			out.WriteByte(b)
		}
	}
	return out.String()
}

func unhex(high, low byte) (byte, bool) {
	const digits = "0123456789abcdef"
	h, l := strings.IndexByte(digits, high|0x20), strings.IndexByte(digits, low|0x20)
	return byte(max(h, 0)<<4 | max(l, 0)), h >= 0 && l >= 0 //nolint:gosec // both are below 16
}

// isUnreserved reports whether an octet means the same literal and encoded.
func isUnreserved(b byte) bool {
	return 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' || '0' <= b && b <= '9' || strings.IndexByte("-._~", b) >= 0
}

// robotsFile is the state of parsing a file.
type robotsFile struct {
	own, all robotsGroup
	named    bool // a group names this program

	forUs, forAll bool // the current group
	ruled         bool // it has rules: the next user-agent starts another group
	begun         bool
}

type robotsGroup struct {
	rules robotsRules
	seen  map[robotsRule]bool
	bytes int
}

// parseRobots returns the rules for this program. Lines that it does not know
// are ignored.
func parseRobots(body []byte) robotsRules {
	var f robotsFile
	body = bytes.TrimPrefix(body, []byte("\xef\xbb\xbf"))
	for line := range bytes.FieldsFuncSeq(body, func(r rune) bool { return r == '\n' || r == '\r' }) {
		line, _, _ = bytes.Cut(line, []byte("#"))
		field, value, ok := bytes.Cut(line, []byte(":"))
		if !ok {
			continue
		}
		value = bytes.TrimSpace(value)
		switch strings.ToLower(string(bytes.TrimSpace(field))) {
		case "user-agent":
			f.agent(string(value))
		case "allow":
			f.rule(value, true)
		case "disallow":
			f.rule(value, false)
		}
	}
	if f.named {
		return slices.Clip(f.own.rules)
	}
	return slices.Clip(f.all.rules)
}

// agent parses a user-agent line: a star, or a program's name, after which some
// write a version.
func (f *robotsFile) agent(value string) {
	if f.ruled || !f.begun {
		f.forUs, f.forAll, f.ruled, f.begun = false, false, false, true
	}
	end := strings.IndexFunc(value, func(r rune) bool {
		return r != '-' && r != '_' && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	})
	name := value
	if end >= 0 {
		name = value[:end]
	}
	if strings.EqualFold(name, robotsAgent) {
		f.forUs, f.named = true, true
	}
	if value == "*" || strings.HasPrefix(value, "* ") {
		f.forAll = true
	}
}

func (f *robotsFile) rule(value []byte, allow bool) {
	if !f.begun {
		return // it belongs to no group
	}
	f.ruled = true
	if len(value) == 0 || !f.forUs && !f.forAll {
		return
	}
	r, ok := newRobotsRule(value, allow)
	if !ok {
		return
	}
	if f.forUs {
		f.own.add(r)
	}
	if f.forAll {
		f.all.add(r)
	}
}

// newRobotsRule parses a pattern. An Allow beyond the bounds is ignored.
func newRobotsRule(value []byte, allow bool) (robotsRule, bool) {
	r := robotsRule{allow: allow}
	cut := len(value) > robotsRuleBytes
	if cut {
		value = value[:robotsRuleBytes]
	} else {
		value, r.whole = bytes.CutSuffix(value, []byte("$"))
	}
	r.pattern = robotsForm(string(value), true)
	if !strings.HasPrefix(r.pattern, "/") && !strings.HasPrefix(r.pattern, "*") {
		r.pattern = "/" + r.pattern
	}
	stars := 0
	for i := range len(r.pattern) {
		if r.pattern[i] != '*' {
			continue
		}
		if stars++; stars > robotsStars {
			r.pattern, r.whole, cut = strings.Clone(r.pattern[:i]), false, true
			break
		}
	}
	return r, !cut || !allow
}

func (g *robotsGroup) add(r robotsRule) {
	if g.seen[r] || len(g.rules) >= robotsRulesKept || g.bytes+len(r.pattern) > robotsAllBytes {
		return
	}
	if g.seen == nil {
		g.seen = map[robotsRule]bool{}
	}
	g.seen[r] = true
	g.rules, g.bytes = append(g.rules, r), g.bytes+len(r.pattern)
}
