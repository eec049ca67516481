package builtin

import (
	"fmt"
	"strings"
	"testing"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/text"
)

// brief is one document as its only passage.
func briefOf(question, title, body string) evidence.Brief {
	d := evidence.Document{ID: "d_1", Source: "files", Title: title, URL: "file:///doc", Text: body}
	return evidence.Brief{Question: question, Evidence: []evidence.Evidence{{Document: d,
		Passage: evidence.Passage{DocumentID: d.ID, Start: 0, End: len(body), Text: body, Score: 1, Heading: []string{title}}}}}
}

// listing is the help of a program, long enough that nobody wants all of it.
func listing(fence bool) string {
	var b strings.Builder
	if fence {
		b.WriteString("## Options\n\n```\n")
	}
	for _, o := range [][2]string{{"--atomic", "roll back when the upgrade fails"}, {"--ca-file string", "verify certificates of the server with this bundle"},
		{"--dry-run", "print what would be installed"}, {"-n, --namespace string", "the namespace of the request,\n                             instead of the current one"},
		{"--keep-history", "remove the resources and keep the release in the records"}, {"--timeout duration", "time to wait for each operation (default 5m0s)"}, {"--wait", "wait until all resources are ready"}} {
		fmt.Fprintf(&b, "      %-22s %s\n", o[0], o[1])
	}
	if fence {
		b.WriteString("```\n")
	}
	return b.String()
}

// The entry that answers is quoted, with the lines that continue it, not the whole
// listing.
func TestOneEntryOfAListing(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ question, want, not string }{
		{"Which flag keeps the release in the records?", "--keep-history", "--atomic"},
		{"Which timeout is the time to wait for each operation?", "--timeout", "--wait "},
		{"Which flag names the namespace of the request?", "instead of the current one", "--dry-run"},
	} {
		in := briefOf(c.question, "ship uninstall", listing(true))
		d := write(t, in)
		if d.Abstain || len(d.Sentences) == 0 {
			t.Errorf("%q: %+v", c.question, d)
			continue
		}
		checkQuotes(t, in, d)
		if s := d.Sentences[0]; !strings.Contains(s.Text, c.want) || strings.Contains(s.Text, c.not) || !s.Code {
			t.Errorf("%q: %q", c.question, s.Text)
		}
	}
}

// What only looks like a listing is quoted whole.
func TestNoListing(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		"```\n" + strings.Repeat("ship install --wait app ./chart && echo the release is installed\n", 8) + "```\n",                                                               // commands
		"```\n--- a/file\n+++ b/file\n" + strings.Repeat(" an unchanged line of a difference between two files\n", 8) + "-a line that was removed\n+a line that was added\n```\n", // a patch
	} {
		blocks := text.Blocks(body)
		e := briefOf("", "", body).Evidence[0]
		for _, u := range split(newQuery("which flag waits for the release", ""), newUnit(e, blocks)) {
			if u.entry {
				t.Errorf("%q is taken for an entry", u.text)
			}
		}
	}
}

// Headings of a manual page are no entries; the name of a setting is.
func TestNamesEntry(t *testing.T) {
	t.Parallel()
	for heading, want := range map[string]bool{
		"## DESCRIPTION": false, "## EXAMPLES": false, "# Handling errors": false, "## Why": false,
		"### SESSION_COOKIE_NAME": true, "### `max_size`": true, "## --force": true, "### http.proxy": true,
	} {
		if got := namesEntry(heading); got != want {
			t.Errorf("namesEntry(%q) = %v", heading, got)
		}
	}
}
