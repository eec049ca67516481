package builtin

import (
	"strings"
	"testing"

	"github.com/research-mcp/research-mcp/internal/evidence"
)

// Names are words with a capital letter within a sentence, side by side.
func TestNameRuns(t *testing.T) {
	t.Parallel()
	for question, want := range map[string]string{
		"Which version of PostgreSQL does restic need?":            "PostgreSQL",
		"How do I send it from Adobe Photoshop to Redis?":          "Adobe Photoshop, Redis",
		"GraphQL or REST: which is older?":                         "GraphQL, REST",
		"how do i install it on windows":                           "",
		"How Do I Install Helm On Windows":                         "",
		"Is it fast? Does it scale to Google's size?":              "Google's",
		"Which flag prints only what would be removed by forget?":  "",
		"I use Caddy. Can I block visitors with it in MaxMind DB?": "Caddy, MaxMind DB",
	} {
		var got []string
		for _, run := range nameRuns(question, inEnglish(question)) {
			got = append(got, strings.Join(run, " "))
		}
		if strings.Join(got, ", ") != want {
			t.Errorf("%s: names %q, want %s", question, got, want)
		}
	}
}

// A name is unknown if no document has it in any form; where names cannot be told, none is.
func TestNamesUnknown(t *testing.T) {
	t.Parallel()
	doc := func(title, body string) evidence.Evidence {
		return evidence.Evidence{Document: evidence.Document{ID: title, Title: title, Text: body}}
	}
	list := []evidence.Evidence{
		doc("Backends", "The repository can be on a virtual machine, in an S3 bucket, or on an NFS share."),
		doc("Windows notes", "PowerShell scripts run the binary. Iphones and Android are not supported. See RFC."),
	}
	for question, unknown := range map[string]bool{
		"Can the repository be on a VM?":                       false, // spelled out there
		"Can I use the Network File System?":                   false, // abbreviated there
		"Does it run on an iPhone?":                            false, // in the plural there
		"Does it run in Powershell?":                           false,
		"How do I keep it on Dropbox?":                         true,
		"Can a share be on an SMB server?":                     true,
		"Wie richte ich den Spiegel auf dem Rechner ein?":      false, // nouns
		"What is the default?":                                 false,
		"Wie richte ich das Repository auf PostgreSQL ein?":    true,
		"Does the share work with Kubernetes or with Windows?": true,
	} {
		if got := namesUnknown(newQuery(question, ""), question, list); got != unknown {
			t.Errorf("%s: %t, want %t", question, got, unknown)
		}
	}
}
