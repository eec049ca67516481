package main

import (
	"bytes"
	"testing"
	"time"

	"github.com/research-mcp/research-mcp/internal/library"
	"github.com/research-mcp/research-mcp/memory"
)

func TestPrintHits(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name           string
		got            library.RecallResult
		stdout, stderr string
	}{
		{"warnings without hits", library.RecallResult{Warnings: []string{"run `research-mcp memory reindex`"}},
			"Nothing in the memory matches. It grows with each question that you ask.\n", "! run `./research-mcp memory reindex`\n"},
		{"a text without an address", library.RecallResult{Hits: []library.RecallHit{{Title: "Notes", Source: "stdin", Score: 1, Text: "On herons."}}},
			" 1. Notes (stdin) 1.00\n    On herons.\n", ""},
		{"a page", library.RecallResult{Hits: []library.RecallHit{{Title: "Herons", URL: "https://x.test/", Source: "web", Score: 0.5, Text: "On herons."}}},
			" 1. Herons (web) 0.50\n    https://x.test/\n    On herons.\n", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var out, errs bytes.Buffer
			con := &console{out: &out, err: &errs, zone: time.UTC, invocation: "./research-mcp"}
			if err := con.printHits(library.RecallRequest{Query: "q"}, c.got); err != nil || out.String() != c.stdout || errs.String() != c.stderr {
				t.Errorf("printHits prints %q and %q, %v, want %q and %q", out.String(), errs.String(), err, c.stdout, c.stderr)
			}
		})
	}
}

func TestMovedText(t *testing.T) {
	t.Parallel()
	for want, m := range map[string]struct{ documents, chunks, sessions, turns, vectors, skipped int }{
		"Exported 1 document (2 chunks, without vectors) and 0 sessions (0 messages)\n":                                     {1, 2, 0, 0, 0, 0},
		"Exported 7 documents (9 chunks, vectors of 1 document) and 1 session (4 messages)\n":                               {7, 9, 1, 4, 1, 0},
		"Exported 0 documents (0 chunks, without vectors) and 0 sessions (0 messages); already there, and not changed: 3\n": {0, 0, 0, 0, 0, 3},
	} {
		moved := memory.Moved{Documents: m.documents, Chunks: m.chunks, Sessions: m.sessions, Turns: m.turns, Vectors: m.vectors, Skipped: m.skipped}
		if got := movedText("Exported", moved); got != want {
			t.Errorf("movedText = %q, want %q", got, want)
		}
	}
}
