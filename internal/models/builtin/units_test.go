package builtin

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/models"
	"github.com/research-mcp/research-mcp/internal/models/modelstest"
	"github.com/research-mcp/research-mcp/internal/text"
)

// partOf is a brief with one passage of a document: the text from the first to the last
// of two strings.
func partOf(question, title, body, first, last string) evidence.Brief {
	in := briefOf(question, title, body)
	p := &in.Evidence[0].Passage
	p.Start, p.End = strings.Index(body, first), strings.Index(body, last)+len(last)
	p.Text = body[p.Start:p.End]
	return in
}

const settings = "# Settings\n\n### `CACHE_DIR`\n\nThe folder of cached pages. It may be removed at any time.\n\nDefault: `None`\n\n" +
	"### `CACHE_DAYS`\n\nHow long a cached page is used, in days.\n\nDefault: `30`\n\n### `LOG_FILE`\n\nWhere messages about errors go.\n\nDefault: `stderr`\n"

// Entries of one passage are quoted one by one, each with its own name.
func TestEntriesApart(t *testing.T) {
	t.Parallel()
	q := newQuery("How long is a cached page used?", "")
	in := briefOf("", "Settings", settings)
	var heads []string
	for _, u := range unitsOf(q, in.Evidence, mostUnits) {
		heads = append(heads, u.head)
		if strings.Count(u.text, "###") != 1 {
			t.Errorf("a unit of %d entries: %q", strings.Count(u.text, "###"), u.text)
		}
	}
	if len(heads) != 3 {
		t.Errorf("%d units, want 3: %q", len(heads), heads)
	}
	options := "## OPTIONS\n\n`-q`\n: Print nothing.\n\n`-v`\n: Print each file.\n\n`--depth N`\n: Stop after N levels.\n"
	in = briefOf("", "walk(1)", options)
	for _, u := range unitsOf(q, in.Evidence, mostUnits) {
		if strings.Count(u.text, "\n: ") != 1 {
			t.Errorf("a unit is no single entry: %q", u.text)
		}
	}
}

// The entry that is asked for is found although another of its section was.
func TestSiblingEntries(t *testing.T) {
	t.Parallel()
	in := partOf("Which setting says where messages about errors go?", "Settings", settings, "### `CACHE_DIR`", "Default: `None`")
	d := write(t, in)
	checkQuotes(t, in, d)
	if got := modelstest.Prose(d); !strings.Contains(got, "LOG_FILE") {
		t.Errorf("Write = %q", got)
	}
	codes := "## Codes\n\n1000\n: The connection ends as agreed.\n\n1003\n: The endpoint received data of a type that it cannot accept.\n\n1009\n: The message is too large to process.\n"
	in = partOf("Which code means that a message is too large?", "Close", codes, "1000", "agreed.")
	d = write(t, in)
	checkQuotes(t, in, d)
	if got := modelstest.Prose(d); !strings.Contains(got, "1009") {
		t.Errorf("Write = %q", got)
	}
	if got := siblings("", []evidence.Evidence{{Passage: evidence.Passage{Start: 5, End: 2}}}, nil); len(got) > 0 {
		t.Errorf("siblings of a passage that is not there: %+v", got)
	}
}

// Lists of references and announcements of other text are no answers.
func TestNoPointers(t *testing.T) {
	t.Parallel()
	body := "# Sleep\n\n## Advice\n\n- Go to bed at the same hour to sleep better.\n- Keep the room dark to sleep better.\n\n" +
		"## References\n\nHow students sleep better, and how to sleep better: advice on better sleep. Journal of Sleep, 93, 648.\n"
	d := write(t, briefOf("How can I sleep better?", "Sleep", body))
	if got := modelstest.Prose(d); !strings.Contains(got, "same hour") || strings.Contains(got, "Journal") {
		t.Errorf("Write = %q", got)
	}
	for s, want := range map[string]bool{
		"In this section, we look at ways to sleep better.": true, "This page describes how packages are signed.": true, "We’ll see how hooks are written.": true,
		"The section command prints a part of the file.": false, "This section header is required.": false, "You will see two files.": false,
	} {
		if announces().MatchString(s) != want {
			t.Errorf("announces(%q) = %v", s, !want)
		}
	}
}

// A comparison has a unit for each side.
func TestPickSides(t *testing.T) {
	t.Parallel()
	body := "# store(1)\n\n## COMMANDS\n\n`take ID`\n: Removes the box from the store and opens it in the room.\n\n`copy ID`\n: Opens the box in the room and leaves it on the store.\n\n" +
		"`list`\n: Prints all boxes of the store, the newest first.\n\n`drop ID`\n: Removes the box from the store for good.\n"
	in := briefOf("What is the difference between store take and store copy?", "store(1)", body)
	d := write(t, in)
	checkQuotes(t, in, d)
	if got := modelstest.Prose(d); !strings.Contains(got, "`take ID`") || !strings.Contains(got, "`copy ID`") || strings.Contains(got, "`list`") {
		t.Errorf("Write = %q", got)
	}
	// The section about a side is found by its heading in the document of the other.
	body = "# Methods\n\n## PUT\n\nThe state of the target is replaced by the content.\n\n" + strings.Repeat("More about caches and ranges. ", 40) +
		"\n\n## POST\n\nThe target handles the content as it sees fit.\n"
	in = partOf("PUT or POST: what is different?", "Methods", body, "## PUT", "by the content.")
	d = write(t, in)
	checkQuotes(t, in, d)
	if got := modelstest.Prose(d); !strings.Contains(got, "is replaced") || !strings.Contains(got, "sees fit") {
		t.Errorf("Write = %q", got)
	}
}

// A number, or a definition, that was asked for leads, and what lacks it is not added.
func TestStrictForm(t *testing.T) {
	t.Parallel()
	body := "# Pool\n\n## Connections of the pool\n\nHow many connections the pool has open depends on the load of the pool and its connections.\n\n" +
		"## Limits\n\nThe pool has at most 20 connections open.\n"
	d := write(t, briefOf("How many connections does the pool have open?", "Pool", body))
	if got := modelstest.Prose(d); !strings.Contains(got, "at most 20") || strings.Contains(got, "depends") {
		t.Errorf("Write = %q", got)
	}
	d = write(t, briefOf("How many connections does the pool have open?", "Pool", strings.Replace(body, "at most 20", "several", 1)))
	if !d.Abstain {
		t.Errorf("Write = %q, want an abstention", modelstest.Prose(d))
	}
	body = "# Charts\n\n## Install\n\nA chart is installed with one command.\n\n## Concepts\n\nA *chart* is a folder of files that describe an application.\n"
	d = write(t, briefOf("What is a chart?", "Guide", body))
	if got := modelstest.Prose(d); !strings.Contains(got, "folder of files") || strings.Contains(got, "one command") {
		t.Errorf("Write = %q", got)
	}
	if !text.DefinitionOf("What is a chart?").In(body) {
		t.Error("the definition is not one")
	}
}

// A section of very many entries, or a table of the size of a book, is no reason for a
// long wait or a long answer.
func TestLargeSections(t *testing.T) {
	t.Parallel()
	var list strings.Builder
	list.WriteString("## Codes\n\n")
	for i := range 15_000 {
		fmt.Fprintf(&list, "%d\n: The message is of kind %d.\n\n", i, i)
	}
	in := partOf("Which code means that a message is too large?", "Close", list.String()+"99999\n: The message is too large to process.\n", "7", "kind 7.")
	checkQuotes(t, in, write(t, in))

	row := "| tide and wind | are strong |\n"
	body := "## Tides\n\n| What | How |\n| --- | --- |\n" + strings.Repeat(row, 2_000) + "\n## Winds\n\nWinds blow over land.\n\n## Notes\n\nThe difference between tides and winds is small.\n"
	in = partOf("What is the difference between tides and winds?", "Sea", body, "The difference", "small.")
	d := write(t, in)
	checkQuotes(t, in, d)
	if n := len(modelstest.Prose(d)); n > 3*longestUnit {
		t.Errorf("the answer has %d bytes", n)
	}
}

// late is an encoder that ends with its context.
type late struct{ table }

func (late) Match(ctx context.Context, _ string, _ []string) ([]models.Word, []models.Match, error) {
	<-ctx.Done()
	return nil, nil, ctx.Err()
}

// A deadline ends the comparison with the encoder, not the answer; who has left gets none.
func TestWriteAtTheDeadline(t *testing.T) {
	t.Parallel()
	for name, in := range map[string]evidence.Brief{
		"documents with headings": briefOf("How long is a cached page used, in days?", "Settings", settings),
		"plain text": {Question: "Who patented the telephone?", Evidence: []evidence.Evidence{
			modelstest.Whole("a", "Telephone", "The telephone was patented by Alexander Graham Bell in 1876. It carries voices over a wire.", 1)}},
	} {
		ctx, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
		d, err := NewSynthesizer(late{}).Write(ctx, in, nil)
		cancel()
		if err != nil || len(d.Sentences) == 0 {
			t.Errorf("%s: Write = %+v, %v", name, d, err)
		}
		ctx, cancel = context.WithCancel(t.Context())
		cancel()
		if _, err := NewSynthesizer(late{}).Write(ctx, in, nil); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: Write = %v, want the end of its caller", name, err)
		}
	}
}

// A name alone is no answer, in any script that has spaces.
func TestUnitsThatAreNames(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]bool{
		"git-pull(1)":                false,
		"https://example.org/a-b":    false,
		"walk-tree":                  false,
		"Walks a tree.":              true,
		"木構造をたどります。":                 true,
		"The following are printed:": false,
	} {
		u := unit{text: body, has: map[string]bool{evidence.BlockParagraph: true}}
		if got := u.readable(); got != want {
			t.Errorf("%q can be quoted: %t, want %t", body, got, want)
		}
	}
}

// Where the number that is asked for is missing, the confidence says so, too.
func TestConfidenceOfAMissingNumber(t *testing.T) {
	t.Parallel()
	d := write(t, briefOf("How many degrees does the oven of the bakery reach?", "Bakery", "# Bakery\n\n## Oven\n\nThe oven of the bakery reaches a high temperature.\n"))
	if !d.Abstain || d.Confidence > noNumber {
		t.Errorf("abstains %t with confidence %.2f, want at most %.2f", d.Abstain, d.Confidence, noNumber)
	}
}
