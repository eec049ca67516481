package extract

import (
	"fmt"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/research-mcp/research-mcp/internal/evidence"
)

// check verifies the contract of Chunks.
func check(t *testing.T, doc string, o ChunkOptions, chunks []evidence.Chunk) {
	t.Helper()
	if chunks == nil {
		t.Fatal("Chunks = nil")
	}
	limit := o.Max
	if limit <= 0 {
		limit = max(DefaultChunkMax, o.Target)
	}
	at := 0
	for i, c := range chunks {
		switch {
		case c.Start < at || c.End <= c.Start || c.End > len(doc):
			t.Fatalf("chunk %d is %d..%d behind %d in a text of %d", i, c.Start, c.End, at, len(doc))
		case doc[c.Start:c.End] != c.Text:
			t.Fatalf("chunk %d is not the text at its offsets", i)
		case strings.TrimSpace(c.Text) != c.Text:
			t.Errorf("chunk %d has white space around it: %q", i, c.Text)
		case len(c.Text) > limit && utf8.RuneCountInString(c.Text) > 1:
			t.Errorf("chunk %d has %d bytes, more than %d", i, len(c.Text), limit)
		case utf8.ValidString(doc) && !utf8.ValidString(c.Text):
			t.Errorf("chunk %d cuts a character: %q", i, c.Text)
		case strings.TrimSpace(doc[at:c.Start]) != "":
			t.Errorf("%q before chunk %d is in no chunk", doc[at:c.Start], i)
		}
		at = c.End
	}
	if rest := strings.TrimSpace(doc[at:]); rest != "" {
		t.Errorf("%.50q at the end is in no chunk", rest)
	}
}

func TestChunksContract(t *testing.T) {
	t.Parallel()
	sentence := "The harbour of Ellwick was built in 1821, when the herring came back. "
	for name, doc := range map[string]string{
		"empty":               "",
		"white space":         " \n\t\u3000\n",
		"one word":            " word ",
		"prose":               strings.Repeat(sentence, 100),
		"paragraphs":          strings.Repeat(strings.Repeat(sentence, 5)+"\n\n", 30),
		"a line of 1 MB":      strings.Repeat("x", 1<<20),
		"words without stops": strings.Repeat("word ", 1<<18),
		"full stops":          strings.Repeat(".", 1<<20),
		"stops and digits":    strings.Repeat("1. 2 ", 1<<17),
		"Chinese":             strings.Repeat("港口建於一八二一年。", 2_000),
		"Chinese, no stops":   strings.Repeat("港口建於", 20_000),
		"emoji":               strings.Repeat("👩‍🔬", 20_000),
		"a table":             strings.Repeat("| 1900 | 212 boats |\n", 500),
		"a list":              strings.Repeat("- one thing\n", 500),
		"newlines":            strings.Repeat("\n", 1<<18),
		"broken UTF-8":        strings.Repeat("\xff\xfe", 5_000),
	} {
		for _, o := range []ChunkOptions{{}, {Target: 200, Max: 300}, {Max: 100}, {Target: 5000}, {Target: 1, Max: 1}} {
			if o.Max == 1 && len(doc) > 1<<17 {
				continue // too many chunks
			}
			t.Run(fmt.Sprint(name, o), func(t *testing.T) {
				t.Parallel()
				check(t, doc, o, Chunks(doc, o))
			})
		}
	}
}

func TestChunksBreakBetweenBlocks(t *testing.T) {
	t.Parallel()
	para := func(name string, n int) string { // of n bytes
		return strings.TrimSpace(strings.Repeat(name+" sentence. ", n/(len(name)+11)))
	}
	for _, c := range []struct {
		name string
		o    ChunkOptions
		in   []string // joined by "" to the document
		want []string // the chunks, trimmed, by their parts
	}{
		{"what fits stays together", ChunkOptions{Target: 100, Max: 150},
			[]string{"One. Two.\n\nThree."}, []string{"One. Two.\n\nThree."}},
		{"between sentences", ChunkOptions{Target: 30, Max: 50},
			[]string{"Here are twenty bytes. ", "And here are some more. ", "The end of it."},
			[]string{"Here are twenty bytes.", "And here are some more.", "The end of it."}},
		{"between paragraphs rather than within", ChunkOptions{Target: 100, Max: 150},
			[]string{para("Alpha", 85) + "\n\n", "Bravo. Charlie. Delta."}, []string{para("Alpha", 85), "Bravo. Charlie. Delta."}},
		{"a heading leads", ChunkOptions{Target: 200, Max: 300},
			[]string{para("Alpha", 80) + "\n\n", "## Bravo\n\n" + para("Bravo", 60)}, []string{para("Alpha", 80), "## Bravo\n\n" + para("Bravo", 60)}},
		{"a heading is not left alone", ChunkOptions{Target: 60, Max: 120},
			[]string{"## Alpha\n\n" + "A sentence of more than sixty bytes follows the heading in here."}, []string{"## Alpha\n\nA sentence of more than sixty bytes follows the heading in here."}},
		{"a long sentence at its spaces", ChunkOptions{Target: 20, Max: 24},
			[]string{"these words have no end of a sentence"}, []string{"these words have no end", "of a sentence"}},
		{"at punctuation where there are no spaces", ChunkOptions{Target: 8, Max: 10},
			[]string{"aaaaa,bbbbbbb,cc"}, []string{"aaaaa,", "bbbbbbb,cc"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			doc := strings.Join(c.in, "")
			chunks := Chunks(doc, c.o)
			check(t, doc, c.o, chunks)
			got := []string{}
			for _, ch := range chunks {
				got = append(got, strings.TrimFunc(ch.Text, unicode.IsSpace))
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("Chunks(%q) (-want +got):\n%s", doc, diff)
			}
		})
	}
}

func TestChunksOfProseAreNearTheTarget(t *testing.T) {
	t.Parallel()
	doc := strings.Repeat("The harbour of Ellwick was built in 1821, when the herring came back. ", 500)
	chunks := Chunks(doc, ChunkOptions{})
	for i, c := range chunks[:len(chunks)-1] {
		if n := len(c.Text); n < 800 || n > 900 {
			t.Errorf("chunk %d of %d has %d bytes, want 800 to 900", i, len(chunks), n)
		}
	}
}

func FuzzChunks(f *testing.F) {
	f.Add("One. Two!\n\n# Three\n\nFour: 港口。", 10, 20)
	f.Add(strings.Repeat("x ", 100), 0, 0)
	f.Add("\u00a0 \xff e.g. J. Smith \u2029 a", 3, 2)
	f.Fuzz(func(t *testing.T, doc string, target, limit int) {
		o := ChunkOptions{Target: target % 5000, Max: limit % 5000}
		check(t, doc, o, Chunks(doc, o))
	})
}

func BenchmarkChunks(b *testing.B) {
	doc := strings.Repeat("The harbour of Ellwick was built in 1821, when the herring came back. ", 1_500) // 100 kB
	b.SetBytes(int64(len(doc)))
	for b.Loop() {
		Chunks(doc, ChunkOptions{})
	}
}
