package redact

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"strings"
	"testing"
)

func TestShapes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, in, want string }{
		{"user and password", "dial https://ada:pw@h.example/x failed", "dial https://REMOVED@h.example/x failed"},
		{"a token as user", "git+https://tok3n@h/x", "git+https://REMOVED@h/x"},
		{"a mail address is none", "write to ada@example.org, see https://h.example/@ada", "write to ada@example.org, see https://h.example/@ada"},
		{"parameters", `GET "https://h/?q=a&api_key=K1&sig=S#access_token=T": refused`, `GET "https://h/?q=a&api_key=REMOVED&sig=REMOVED#access_token=REMOVED": refused`},
		{"an encoded address in an address", "https://h/?u=https%3A%2F%2Fi%2F%3Ftoken%3DT1%26x%3D1", "https://h/?u=https%3A%2F%2Fi%2F%3Ftoken%3DREMOVED"},
		{"parameters without secrets", "https://h/?q=monkey&page=2&sort=key", "https://h/?q=monkey&page=2&sort=key"},
		{"a header", "Authorization: Bearer abc.def-ghi\nAccept: x", "Authorization: Bearer REMOVED\nAccept: x"},
		{"a header in JSON", `{"authorization":"Basic dXNlcjpw","x":1}`, `{"authorization":"Basic REMOVED","x":1}`},
		{"a bearer token alone", "refused bearer 0123456789abcdef", "refused bearer REMOVED"},
		{"words", "basic knowledge of a bearer certificate", "basic knowledge of a bearer certificate"},
		{"fields", `{"api_key": "abcd1234", "max_tokens": 800, "client-secret":"zzzz"}`, `{"api_key": "REMOVED", "max_tokens": 800, "client-secret":"REMOVED"}`},
		{"an x- header", "X-Api-Key: abcd1234", "X-Api-Key: REMOVED"},
		{"known beginnings", "keys sk-proj-abcdefghijklmnop1234, ghp_abcdefghijklmnopqrstuv, AKIAABCDEFGHIJKLMNOP and hf_abcdefghijklmnopqrstuv", "keys REMOVED, REMOVED, REMOVED and REMOVED"},
		{"what only begins so", "a risk-averse, sk-short task-oriented ghp_ text", "a risk-averse, sk-short task-oriented ghp_ text"},
		{"a web token", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N", "REMOVED"},
		{"a private key", "x -----BEGIN OPENSSH PRIVATE KEY-----\nabc\n-----END OPENSSH PRIVATE KEY----- y", "x REMOVED y"},
		{"a key of age", "AGE-SECRET-KEY-1QQPQQSZQGPQYQSZQGPQYQSZQGPQYQSZQGPQYQSZQGPQYQSZQGPQ", "REMOVED"},
		{"a place for a user", "postgres://USER@h1,h2/db, postgres://USERS@h, postgres://USER:pw@h", "postgres://USER@h1,h2/db, postgres://REMOVED@h, postgres://REMOVED@h"},
		{"our own hints", "write it as key=value, such as --set research.budget=60s", "write it as key=value, such as --set research.budget=60s"},
	} {
		if got := Shapes(c.in); got != c.want {
			t.Errorf("%s: Shapes(%q) = %q, want %q", c.name, c.in, got, c.want)
		}
	}
}

func TestSettingsAreShownWithoutSecrets(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"": "", "8s": "8s", "http://127.0.0.1:11434": "http://127.0.0.1:11434", "you@example.org": "you@example.org", "mailto:you@example.org": "mailto:you@example.org",
		"https://u:p@h/x":                         "https://REMOVED@h/x",
		"https://u:p/w@h":                         "https://REMOVED@h", // url.Parse refuses it
		"u:p@h:80":                                "REMOVED@h:80",
		"https://h/@ada":                          "https://h/@ada",
		"https://h/f?token=T, https://i/f?a=1":    "https://h/f?token=REMOVED, https://i/f?a=1",
		"postgres://u:a,b,c@h1,h2/d":              "postgres://REMOVED@h1,h2/d",
		"postgres://u@h1,h2/d":                    "postgres://REMOVED@h1,h2/d",
		"https://h,https://u:p@i":                 "https://h,https://REMOVED@i",
		"https://a:b@h/f\nhttps://i/f?apikey=abc": "https://REMOVED@h/f\nhttps://i/f?apikey=REMOVED",
	} {
		if got := Setting(in); got != want {
			t.Errorf("Setting(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestInURL(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"https://h/x?q=1":                                                    "",
		"https://user:pass@h/?token=T&q":                                     "T pass dXNlcjpwYXNz",
		"https://tokentoken@h":                                               "tokentoken dG9rZW50b2tlbjo=",
		"https://ada@h":                                                      "YWRhOg==",
		"postgres://research@h/research":                                     "cmVzZWFyY2g6",
		"user:pass@h:80":                                                     "pass",
		"postgresql://research:p,q@h/d":                                      "p,q cmVzZWFyY2g6cCxx",
		"https://u:p/w@h":                                                    "p/w",
		"you@example.org":                                                    "",
		"https://h/private/Zk39xQpL77mWv2RtY8bN/feed.xml":                    "Zk39xQpL77mWv2RtY8bN",
		"https://h/rss/0f8fad5b-d9cb-469f-a165-70867728950e":                 "0f8fad5b-d9cb-469f-a165-70867728950e",
		"https://h/u/9b74c9897bac770ffc029102a200c5de.rss":                   "9b74c9897bac770ffc029102a200c5de",
		"https://h/services/T00A/B00C/aB3-x9_Qm2kZ7wLr8vC1tY5p":              "aB3-x9_Qm2kZ7wLr8vC1tY5p",
		"https://h/feed/token=hunter2/all":                                   "hunter2",
		"https://h/2026/11/my-2-cents-on-go-1-22-and-3-more-things/feed.xml": "",
		"https://www.ebi.ac.uk/europepmc/webservices/rest":                   "",
		"https://h/wiki/HistoryOfTheManchesterUnited/Category:Unix_programs": "",
		"https://h/entrez/eutils/00000000000000001234":                       "",
	} {
		if got := strings.Join(InURL(in), " "); got != want {
			t.Errorf("InURL(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestStreamsAndLogsAreRedacted(t *testing.T) {
	t.Parallel()
	const secret = "s3cret-value"
	r := New(secret, "", "  ")
	lines, err := io.ReadAll(r.Lines(strings.NewReader("data: {\"a\":\"x s3cret-val\\u0075e\"}\n{\"b\":\"s3cret-value\"}\nlast s3cret-value")))
	if want := "data: {\"a\":\"x REMOVED\"}\n{\"b\":\"REMOVED\"}\nlast REMOVED"; err != nil || string(lines) != want {
		t.Errorf("Lines gave %q, %v, want %q", lines, err, want)
	}
	var out, notes, log bytes.Buffer
	var s Switch
	results, said := s.Results(&out), s.Notes(&notes)
	io.WriteString(said, "http://u:p@h\n")
	s.Set(r)
	io.WriteString(results, "{\n \"a\": \"s3cret-value\"\n}\n")
	io.WriteString(said, "s3cret-value http://u:p@h\n")
	if out.String() != "{\n \"a\": \"REMOVED\"\n}\n" || notes.String() != "http://REMOVED@h\nREMOVED http://REMOVED@h\n" {
		t.Errorf("results %q, notes %q", out.String(), notes.String())
	}
	l := r.Log(slog.New(slog.NewTextHandler(&log, nil))).With("with", secret).WithGroup("g")
	l.Warn("a s3cret-value", "err", errors.New("of s3cret-value"), "n", 3, slog.Group("in", "a", secret), "list", []string{secret})
	if got := log.String(); strings.Contains(got, secret) || strings.Count(got, Removed) != 5 || !strings.Contains(got, "g.n=3") {
		t.Errorf("log = %s", got)
	}
	var none *Redactor
	if got := none.Text("plain " + secret); got != "plain "+secret {
		t.Errorf("a nil Redactor changes %q", got)
	}
}

func FuzzShapes(f *testing.F) {
	f.Add("https://u:p@h/?token=T")
	f.Add("Authorization: Bearer x | ?a=?b=?c=?token=%3Ftoken%3D1")
	f.Fuzz(func(t *testing.T, s string) {
		_ = Shapes(s)
		_ = Setting(s)
		_ = InURL(s)
		host := "https://cAnary77:cAnary77@h.example/"
		for _, got := range []string{Shapes("x " + host), Setting(host)} {
			if strings.Contains(got, "cAnary77") {
				t.Errorf("%q", got)
			}
		}
	})
}
