package config

import "testing"

func TestContactIsAnAddress(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]bool{
		"": true, " ": true, "you@example.org": true, "Ada Lovelace <ada@example.org>": true, "mailto:ada@example.org": true, "ops@localhost": true,
		"https://lab.example/bot": true, "http://localhost:8080": true, "www.example.org": true, "lab.example/bot": true, "bot (https://例え.jp/ボット)": true,
		"nonsense": false, "me": false, "no thanks": false, "@example.org": false, "you@": false, "you@example.org\n": false, "ftp://example.org": false,
		"https://": false, "https:///page": false, "file:///etc/passwd": false, "example.": false, ".org": false, "a@b@c": false,
	} {
		if got := isContact(s); got != want {
			t.Errorf("isContact(%q) = %v, want %v", s, got, want)
		}
		_, err := Load(Inputs{Flags: map[string]string{"contact": s}})
		if (err == nil) != want {
			t.Errorf("contact %q: %v, want it allowed: %v", s, err, want)
		}
	}
}
