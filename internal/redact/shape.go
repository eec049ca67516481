package redact

import (
	"regexp"
	"strings"

	"github.com/research-mcp/research-mcp/internal/text"
)

var (
	// userInfo is what stands before the host of a URL.
	userInfo = text.Pattern(`([a-zA-Z][a-zA-Z0-9+.-]*://)([^\s/?#"'<>` + "`" + `]+)@`)
	// parameter is name=value in a query or a fragment.
	parameter = text.Pattern(`([?&;#]|&amp;|%3[fF]|%26)((?:[\w.~\[\]-]|%5[BDFbdf]|%2[DEde]){1,64})(=|%3[dD])([^\s&;#"'<>` + "`" + `\\]+)`)
	// field is the value behind a name that is only used for secrets, in JSON, a
	// header, a form or words.
	field = text.Pattern(`(?i)\b((?:[\w-]*[_-])?(?:api[_-]?key|(?:access|auth|refresh|id|session|bearer)[_-]?token|client[_-]?secret|secret[_-]?key|private[_-]?key|passwd|password)` +
		`|x-[\w-]*(?:key|token)|set-cookie|cookie)(\\?["']?\s*[:=]\s*\\?["']?)([^\s"'<>,;&\\]{4,})`)
	authorization = text.Pattern(`(?i)\b((?:proxy-)?authorization\\?["']?\s*[:=]\s*\\?["']?(?:(?:bearer|basic|token|digest|apikey|negotiate)\s+)?)([^\s"'<>\\]{4,})`)
	credentials   = text.Pattern(`(?i)\b(bearer|basic)\s+([\w.~+/-]{8,}=*)`)
	known         = text.Pattern(`\b(?:` + strings.Join([]string{
		`sk-[\w-]{16,}`, `[sr]k_(?:live|test)_\w{10,}`, `whsec_\w{16,}`, // OpenAI and its kind, Anthropic; Stripe
		`gh[pousr]_\w{20,}`, `github_pat_\w{20,}`, `glpat-[\w-]{16,}`,
		`xox[abeprs]-[\w-]{10,}`, `xapp-[\w-]{10,}`,
		`(?:AKIA|ASIA)[A-Z0-9]{16}`, `AIza[\w-]{30,}`, `ya29\.[\w-]{20,}`,
		`hf_\w{20,}`, `gsk_\w{20,}`, `xai-\w{20,}`, `pplx-\w{20,}`, `tvly-[\w-]{16,}`, `r8_\w{20,}`, `nvapi-[\w-]{20,}`,
		`npm_\w{30,}`, `pypi-[\w-]{30,}`, `dckr_pat_[\w-]{20,}`, `SG\.[\w-]{16,}\.[\w-]{16,}`,
		`eyJ[\w-]{8,}\.eyJ[\w-]{8,}(?:\.[\w-]+)?`, // JSON Web Tokens, also without their end: a message may be cut
		`AGE-SECRET-KEY-(?:PQ-)?1[A-Z0-9]{20,}`,
		`rmcp_[\w-]{20,}`, // our own, see internal/access
	}, "|") + `)`)
	privateKey = text.Pattern(`-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|$)`)
)

// Shapes redacts what has the shape of a secret: user information and tokens in URLs,
// Authorization headers, values of fields whose names say so, and keys by their
// well-known beginnings.
func Shapes(s string) string {
	if !suspicious(s) {
		return s
	}
	s = privateKey().ReplaceAllString(s, Removed)
	s = known().ReplaceAllString(s, Removed)
	s = replaceLast(userInfo(), s, func(user string) bool { return user != placeholder })
	s = parameters(s, mostNested)
	s = authorization().ReplaceAllString(s, "${1}"+Removed)
	s = replaceLast(credentials(), s, looksRandom)
	return replaceLast(field(), s, func(string) bool { return true })
}

// placeholder is what stands for a user in our own hints.
const placeholder = "USER"

// mostNested is how deeply URLs in parameters of URLs are looked into.
const mostNested = 4

func parameters(s string, depth int) string {
	if depth == 0 {
		return s
	}
	return parameter().ReplaceAllStringFunc(s, func(m string) string {
		g := parameter().FindStringSubmatch(m)
		value := Removed
		if !IsSecretName(plain(g[2])) {
			value = parameters(g[4], depth-1)
		}
		return g[1] + g[2] + g[3] + value
	})
}

// suspicious reports whether s has any of the signs without which no pattern matches.
// Most of what is written has none.
func suspicious(s string) bool {
	if strings.ContainsAny(s, "@=:") || strings.Contains(s, "%3") || strings.Contains(s, "-----BEGIN ") {
		return true
	}
	return known().MatchString(s) || credentials().MatchString(s)
}

// replaceLast replaces the last group of each match that secret approves of.
func replaceLast(p *regexp.Regexp, s string, secret func(string) bool) string {
	var out strings.Builder
	end := 0
	for _, m := range p.FindAllStringSubmatchIndex(s, -1) {
		from, to := m[len(m)-2], m[len(m)-1]
		if !secret(s[from:to]) {
			continue
		}
		out.WriteString(s[end:from] + Removed)
		end = to
	}
	if end == 0 {
		return s
	}
	return out.String() + s[end:]
}

// looksRandom tells a token from a word behind "basic" or "bearer".
func looksRandom(s string) bool {
	return len(s) >= 24 || strings.ContainsAny(s, "0123456789=")
}
