package fetch

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"testing"
	"time"
)

func allowed(t *testing.T, robots, address string) bool {
	t.Helper()
	u, err := url.Parse("https://example.org" + address)
	if err != nil {
		t.Fatal(err)
	}
	return parseRobots([]byte(robots)).allows(u)
}

func TestRobotsRules(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, rules string // of the group for everybody
		yes, no     []string
	}{
		{"from the beginning", "Disallow: /search*results", []string{"/docs/search/results", "/search"}, []string{"/search/x/results", "/searchresults/1"}},
		{"no star is longer than it is", "Disallow: /private/\nAllow: /public*page", []string{"/public/page"}, []string{"/private/public-page"}},
		{"the longer one of two with stars", "Allow: /*.html$\nDisallow: /private/", []string{"/x.html", "/private"}, []string{"/private/x.html"}},
		{"an equally long Allow wins", "Disallow: /a*c\nAllow: /abc", []string{"/abc", "/abcd"}, []string{"/axc"}},
		{"the same in the other order", "Allow: /abc\nDisallow: /a*c", []string{"/abc"}, []string{"/axc"}},
		{"a star alone", "Disallow: *", nil, []string{"/", "/x", ""}},
		{"an end", "Disallow: /*.pdf$", []string{"/x.pdfs", "/x.pdf?a=1", "/.html"}, []string{"/x.pdf", "/x.pdf.pdf"}},
		{"the home page alone", "Disallow: /$", []string{"/x", "/?a"}, []string{"/", ""}},
		{"only the home page", "Disallow: /\nAllow: /$", []string{"/", ""}, []string{"/x", "/?a"}},
		{"an end and a part that is there once", "Disallow: /a*b*b$", []string{"/ab", "/acb"}, []string{"/abb", "/abcb"}},
		{"stars at the end", "Disallow: /a**", []string{"/b"}, []string{"/a", "/ab"}},
		{"a star before an end", "Disallow: /a*$", []string{"/b"}, []string{"/a", "/ab"}},
		{"encoded letters", "Disallow: /private", nil, []string{"/%70rivate/x", "/pr%69vate", "/private?%70"}},
		{"an encoded rule", "Disallow: /%70rivate/%e4", []string{"/private/ä"}, []string{"/private/%E4", "/private/%e4/x"}},
		{"letters beyond ASCII", "Disallow: /ä b", []string{"/a"}, []string{"/%C3%A4%20b", "/%c3%a4%20b/x"}},
		{"an encoded slash is none", "Disallow: /a/b", []string{"/a%2Fb", "/a%2fb"}, []string{"/a/b"}},
		{"dots", "Disallow: /private/", []string{"/private", "/x/private/"},
			[]string{"/./private/x", "/a/../private/x", "//private/x", "/%2e/private/", "/a/%2E%2e/private/x", "/private/.", "/private/a/..", "/private/.."}},
		{"dots in what is allowed", "Disallow: /\nAllow: /public/", []string{"/public/x"}, []string{"/public/../x"}},
		{"a rule with two slashes", "Disallow: //", []string{"/a"}, []string{"//a"}},
		{"a query", "Disallow: /*?print=\nDisallow: /q?", []string{"/x", "/q"}, []string{"/x?print=1", "/x?%70rint=1", "/q?", "/q?a"}},
		{"stars and dollars of a path", "Disallow: /a%2Ab\nDisallow: /c$d", []string{"/axb"}, []string{"/a*b", "/a%2ab", "/c$d", "/c%24d"}},
		{"without a slash", "Disallow: private", []string{"/x/private"}, []string{"/private"}},
		{"the file itself", "Disallow: /", []string{"/robots.txt"}, []string{"/robots.txt.html"}},
		{"nothing", "Disallow:\nAllow:", []string{"/", "/x"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for _, at := range c.yes {
				if !allowed(t, "User-agent: *\n"+c.rules+"\n", at) {
					t.Errorf("%q is forbidden", at)
				}
			}
			for _, at := range c.no {
				if allowed(t, "User-agent: *\n"+c.rules+"\n", at) {
					t.Errorf("%q is allowed", at)
				}
			}
		})
	}
}

func TestRobotsGroups(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, file string
		want       bool // that /x is allowed
	}{
		{"an empty Disallow ends the group's names", "User-agent: *\nDisallow:\n\nUser-agent: badbot\nDisallow: /\n", true},
		{"ours allows, before the one for all", "User-agent: research-mcp\nDisallow:\n\nUser-agent: *\nDisallow: /\n", true},
		{"ours has no rules at all", "User-agent: *\nDisallow: /\nUser-agent: research-mcp\n", true},
		{"several names", "User-agent: a\nUser-agent: RESEARCH-MCP\nUser-agent: b\nDisallow: /\n", false},
		{"several names, other lines between", "User-agent: research-mcp\nCrawl-delay: 3\nSitemap: x\nUser-agent: b\nDisallow: /\n", false},
		{"two groups of ours", "User-agent: research-mcp\nAllow: /y\n\nUser-agent: other\nAllow: /\n\nUser-agent: research-mcp\nDisallow: /x\n", false},
		{"two groups for all", "User-agent: *\nDisallow: /y\n\nUser-agent: *\nDisallow: /x\n", false},
		{"a version", "User-agent: research-mcp/1.0\nDisallow: /\n", false},
		{"a longer name", "User-agent: research-mcp-lite\nDisallow: /\n", true},
		{"a shorter name", "User-agent: research\nDisallow: /\n", true},
		{"rules without a group", "Disallow: /\nUser-agent: *\nDisallow: /y\n", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := allowed(t, c.file, "/x"); got != c.want {
				t.Errorf("allowed = %v, want %v", got, c.want)
			}
		})
	}
}

func TestRobotsRulesBeyondTheBoundsForbidMore(t *testing.T) {
	t.Parallel()
	stars := strings.Repeat("*a", 100_000)
	long := strings.Repeat("a", 2*robotsRuleBytes)
	for name, c := range map[string]struct {
		rules, at string
		want      bool
	}{
		"another rule stays":              {"Disallow: /\nDisallow: /" + stars + "b", "/x", false},
		"a Disallow of many stars is cut": {"Disallow: /" + strings.Repeat("*a", 40) + "b", "/" + strings.Repeat("a", 40), false},
		"an Allow of many stars is none":  {"Disallow: /\nAllow: /" + strings.Repeat("*a", 40), "/" + strings.Repeat("a", 50), false},
		"a long Disallow is cut":          {"Disallow: /" + long, "/" + long[:robotsRuleBytes], false},
		"a long Allow is none":            {"Disallow: /\nAllow: /" + long, "/" + long, false},
		"sixteen stars are read":          {"Disallow: /" + strings.Repeat("*a", 16) + "b$", "/" + strings.Repeat("a", 20), true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := allowed(t, "User-agent: *\n"+c.rules+"\n", c.at); got != c.want {
				t.Errorf("allowed = %v, want %v", got, c.want)
			}
		})
	}
}

// TestRobotsKeepsLittle counts what is stored of a file, not the heap.
func TestRobotsKeepsLittle(t *testing.T) {
	t.Parallel()
	var different strings.Builder
	for i := range 40_000 {
		different.WriteString("Allow: /" + strings.Repeat("x", i%50) + string(rune('a'+i%26)) + strings.Repeat("ä", i/1000) + "\n")
	}
	for name, rules := range map[string]string{
		"the same again": strings.Repeat("Allow:*a$\n", robotsBytes/10),
		"different":      different.String(),
		"many stars":     strings.Repeat("Disallow: /"+strings.Repeat("*a", 100)+"b\n", 2000),
	} {
		rules := parseRobots([]byte("User-agent: *\n" + rules))
		bytes := 0
		for _, r := range rules {
			bytes += len(r.pattern)
		}
		if len(rules) == 0 || len(rules) > robotsRulesKept || bytes > robotsAllBytes {
			t.Errorf("%s: %d rules with %d bytes kept", name, len(rules), bytes)
		}
	}
}

// TestRobotsOfHostileHost has rules that would keep a backtracking matcher busy for
// minutes.
func TestRobotsOfHostileHost(t *testing.T) {
	t.Parallel()
	var rules strings.Builder
	rules.WriteString("User-agent: *\n")
	for rules.Len() < robotsBytes-200 {
		rules.WriteString("Disallow: /" + strings.Repeat("*a", 15) + "*" + string(rune('b'+rules.Len()%24)) + strings.Repeat("c", rules.Len()%7) + "z$\n")
	}
	s := newSite(t, textPage(rules.String()), func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		io.WriteString(w, "x")
	})
	n := openTo(t, Config{}, s.Server)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := n.ForPublic().Get(ctx, Request{URL: s.URL + "/" + strings.Repeat("a", 1900)}); err != nil {
		t.Error(err)
	}
	closed := make(chan struct{})
	go func() { n.Close(); close(closed) }()
	select {
	case <-closed:
	case <-ctx.Done():
		t.Error("Close waits for the matching of one path")
	}
}

func BenchmarkRobotsHostile(b *testing.B) {
	var rules strings.Builder
	rules.WriteString("User-agent: *\n")
	for i := range robotsRulesKept {
		rules.WriteString("Disallow: /" + strings.Repeat("*a", 15) + "*" + strings.Repeat("b", i%50) + string(rune('c'+i%20)) + strings.Repeat("c", i/1000) + "$\n")
	}
	parsed := parseRobots([]byte(rules.String()))
	u := &url.URL{Path: "/" + strings.Repeat("a", 1900)}
	for b.Loop() {
		runtime.KeepAlive(parsed.allows(u))
	}
}

// matchSlowly is the definition of a match.
func matchSlowly(pattern, address string, whole bool) bool {
	switch {
	case pattern == "":
		return !whole || address == ""
	case pattern[0] == '*':
		return matchSlowly(pattern[1:], address, whole) || address != "" && matchSlowly(pattern, address[1:], whole)
	}
	return address != "" && pattern[0] == address[0] && matchSlowly(pattern[1:], address[1:], whole)
}

func TestRobotsMatchIsThatOfTheDefinition(t *testing.T) {
	t.Parallel()
	var words func(alphabet string, n int) []string
	words = func(alphabet string, n int) []string {
		out := []string{""}
		if n == 0 {
			return out
		}
		for _, rest := range words(alphabet, n-1) {
			for _, c := range alphabet {
				out = append(out, string(c)+rest)
			}
		}
		return out
	}
	for _, pattern := range words("ab*", 5) {
		for _, address := range words("ab", 5) {
			for _, whole := range []bool{false, true} {
				r := robotsRule{pattern: pattern, whole: whole}
				if got, want := r.matches(address), matchSlowly(pattern, address, whole); got != want {
					t.Fatalf("%q (whole %v) matches %q: %v, want %v", pattern, whole, address, got, want)
				}
			}
		}
	}
}

func FuzzRobots(f *testing.F) {
	for _, s := range []string{"", "User-agent: *\nDisallow: /*.pdf$\nAllow: /a", "Disallow: /", "user-agent:a\nallow:\xff*$$**", "User-agent: research-mcp\nDisallow: /(["} {
		f.Add(s, "/a?b=c")
	}
	f.Fuzz(func(t *testing.T, file, address string) {
		u, err := url.Parse(address)
		if err != nil {
			return
		}
		parseRobots([]byte(file)).allows(u)
		if g := parseRobots([]byte("User-agent: *\nDisallow: /\n" + strings.ReplaceAll(strings.ToLower(file), "a", "") + "\n")); g.allows(&url.URL{Path: "/x"}) {
			t.Errorf("%q lifted an order", file)
		}
	})
}
