package redact

import (
	"strings"
	"testing"
)

// Of a private address, all is hidden but names of places, words, dates and versions.
func TestPrivateAddresses(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"https://a.example/feed.xml?k=s3cretvalue1":                  "https://a.example/feed.xml?k=REMOVED",
		"https://a.example/feed?format=atom&u=me&h=s3cretvalue2":     "https://a.example/feed?format=REMOVED&u=REMOVED&h=REMOVED",
		"https://a.example/feed;jsessionid=s3cretvalue3":             "https://a.example/feed;jsessionid=REMOVED",
		"https://a.example/feed;x=correcthorse?y=z":                  "https://a.example/feed;x=REMOVED?y=REMOVED",
		"https://a.example/feed#s3cretvalue4":                        "https://a.example/feed#REMOVED",
		"https://a.example/feed?s3cretvalue7":                        "https://a.example/feed?REMOVED",
		"https://a.example/podcast/s3cretvalue8/feed.xml":            "https://a.example/podcast/REMOVED/feed.xml",
		"https://a.example/podcast/12345678901/feed.xml":             "https://a.example/podcast/REMOVED/feed.xml",
		"https://a.example/p/s3cret%76alue9/feed.xml":                "https://a.example/p/REMOVED/feed.xml",
		"https://a.example/2024/01/release-2024/20240131/v12/top-40": "https://a.example/2024/01/release-2024/20240131/v12/top-40",
		"https://u:s3cretvalue5@a.example/feed.xml":                  "https://REMOVED@a.example/feed.xml",
		"https://a.example, https://b.example/?q=x":                  "https://a.example, https://b.example/?q=REMOVED",
		"https://u:s3cret?value6@a.example/feed.xml?a=b":             "https://REMOVED@a.example/feed.xml?REMOVED",
		"": "",
	} {
		if got := PrivateSetting(in); got != want {
			t.Errorf("PrivateSetting(%q) = %q, want %q", in, got, want)
		}
		r := New(InPrivateURL(in)...)
		if got := r.Text("reading " + in + ": it failed"); strings.Contains(got, "s3cret") || strings.Contains(got, "correcthorse") || strings.Contains(got, "12345678901") {
			t.Errorf("of %q an error shows %q", in, got)
		}
	}
	r := New(InPrivateURL("https://a.example/feed?format=podcast&lang=english#latest")...)
	if page := "The latest podcast is in English: english."; r.Values(page) != page {
		t.Errorf("a page became %q", r.Values(page))
	}
}
