package builtin

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/text"
)

// unit is a piece of a passage that can be quoted as it stands: a paragraph, a
// list or a code block with the line that announces it, an entry, a table.
type unit struct {
	evidence int // index of its passage
	span     evidence.Span
	text     string
	head     string // title of its document and the headings above it
	blocks   []evidence.Block
	has      map[string]bool // kinds of its blocks
	entry    bool            // it is one entry of a listing of options
	lead     bool            // it is the first text below its heading

	prior, lexical, coverage, grams, form float64
	like                                  likeness // where the encoder took part
	score                                 float64
}

// Sizes in bytes.
const (
	wholePassage = 700 // a passage up to this size is one unit
	longestUnit  = 1600
	longestProse = 700 // longer paragraphs are cut to the sentences that answer
)

// structured reports whether one of the best passages is part of a document with
// structure, such as documentation has it.
func structured(list []evidence.Evidence) bool {
	for _, e := range list[:min(3, len(list))] {
		if len(e.Passage.Heading) > 0 {
			return true
		}
	}
	return false
}

// unitsOf cuts the passages into units, at most most of them.
func unitsOf(q query, list []evidence.Evidence, most int) []unit {
	var out []unit
	blocks := map[string][]evidence.Block{}
	for i, e := range list {
		if !sound(e) {
			continue
		}
		if _, known := blocks[e.Document.ID]; !known {
			blocks[e.Document.ID] = text.Blocks(e.Document.Text)
		}
		for _, u := range passageUnits(q, e, clip(blocks[e.Document.ID], e.Passage)) {
			u.evidence = i
			if out = append(out, u); len(out) == most {
				return out
			}
		}
	}
	return out
}

// clip returns the blocks of a passage, the outermost cut to it.
func clip(blocks []evidence.Block, p evidence.Passage) []evidence.Block {
	var out []evidence.Block
	for _, b := range blocks {
		if b.End <= p.Start || b.Start >= p.End {
			continue
		}
		b.Start, b.End = max(b.Start, p.Start), min(b.End, p.End)
		out = append(out, b)
	}
	return out
}

// passageUnits groups the blocks of one passage: section by section, since a passage
// may hold several short ones.
func passageUnits(q query, e evidence.Evidence, blocks []evidence.Block) []unit {
	var out []unit
	for len(blocks) > 0 {
		n := 1
		for n < len(blocks) && (blocks[n].Kind != evidence.BlockHeading || blocks[n-1].Kind == evidence.BlockHeading) {
			n++
		}
		out = append(out, sectionUnits(q, e, blocks[:n])...)
		blocks = blocks[n:]
	}
	return out
}

// sectionUnits groups blocks below the same headings, which may come before them.
func sectionUnits(q query, e evidence.Evidence, blocks []evidence.Block) []unit {
	body := func(b evidence.Block) string { return strings.TrimSpace(e.Document.Text[b.Start:b.End]) }
	leads := blocks[0].Kind == evidence.BlockHeading
	for len(blocks) > 1 && blocks[0].Kind == evidence.BlockHeading && (blocks[1].Kind == evidence.BlockHeading || !namesEntry(body(blocks[0]))) {
		blocks = blocks[1:]
	}
	if len(blocks) == 1 && blocks[0].Kind == evidence.BlockHeading || text.IsBackMatter(blocks[len(blocks)-1].Path) {
		return nil
	}
	if blocks[len(blocks)-1].End-blocks[0].Start <= wholePassage && !entries(blocks) {
		u := newUnit(e, blocks)
		u.lead = leads
		return split(q, u)
	}
	var out []unit
	for i := 0; i < len(blocks); {
		j := i
		if blocks[i].Kind == evidence.BlockHeading && i+1 < len(blocks) {
			j++
		}
		if strings.HasSuffix(body(blocks[j]), ":") && j+1 < len(blocks) && blocks[j+1].Kind != evidence.BlockParagraph && blocks[j+1].Kind != evidence.BlockHeading {
			j++ // what the line announces
		}
		for j+1 < len(blocks) && belongs(blocks[j], blocks[j+1]) && blocks[j+1].End-blocks[i].Start <= longestUnit {
			j++
		}
		if blocks[j].Kind != evidence.BlockHeading {
			u := newUnit(e, blocks[i:j+1])
			u.lead = leads && i == 0
			out = append(out, split(q, u)...)
		}
		i = j + 1
	}
	return out
}

// entries reports whether two or more of the blocks are entries, each with a name of
// its own.
func entries(blocks []evidence.Block) bool {
	n := 0
	for _, b := range blocks {
		if b.Kind == evidence.BlockDefinition {
			n++
		}
	}
	return n > 1
}

// belongs reports whether next is read together with b.
func belongs(b, next evidence.Block) bool {
	switch b.Kind {
	case evidence.BlockItem:
		return next.Kind == evidence.BlockItem || next.Level > 0 && next.Kind != evidence.BlockHeading
	case evidence.BlockParagraph, evidence.BlockDefinition:
		return next.Kind == evidence.BlockCode
	}
	return false
}

// manualSections are headings of manual pages in capitals, which name no entry.
var manualSections = map[string]bool{
	"NAME": true, "SYNOPSIS": true, "DESCRIPTION": true, "OPTIONS": true, "EXAMPLES": true, "EXAMPLE": true, "NOTES": true, "BUGS": true, "FILES": true,
	"ENVIRONMENT": true, "CONFIGURATION": true, "COMMANDS": true, "DISCUSSION": true, "OUTPUT": true, "AUTHOR": true, "AUTHORS": true, "HISTORY": true, "GIT": true,
}

// namesEntry reports whether a heading is the name of an option, a setting or a
// command, and so a part of what is said of it.
func namesEntry(heading string) bool {
	h := strings.Trim(heading, "# ")
	if manualSections[h] {
		return false
	}
	return h != "" && (strings.HasPrefix(h, "`") || strings.HasPrefix(h, "-") || !strings.Contains(h, " ") && strings.ContainsAny(h, "_.()") ||
		!strings.Contains(h, " ") && h == strings.ToUpper(h) && len(h) > 2)
}

func newUnit(e evidence.Evidence, blocks []evidence.Block) unit {
	u := unit{span: evidence.Span{Start: blocks[0].Start, End: blocks[len(blocks)-1].End}, blocks: blocks, has: map[string]bool{}}
	u.text = e.Document.Text[u.span.Start:u.span.End]
	for _, b := range blocks {
		u.has[b.Kind] = true
	}
	path := blocks[len(blocks)-1].Path
	u.head = strings.Join(slices.Compact(append([]string{e.Document.Title}, path...)), ". ")
	return u
}

// readable reports whether a unit can stand in an answer: not a line that
// announces something which is not there, not a link or a name alone.
func (u unit) readable() bool {
	body := strings.TrimSpace(u.text)
	if strings.HasSuffix(body, ":") || strings.HasSuffix(body, "：") {
		return false
	}
	if u.has[evidence.BlockCode] || u.has[evidence.BlockTable] {
		return true
	}
	alone := len(strings.Fields(body)) == 1 && !strings.ContainsFunc(body, func(r rune) bool { return r >= utf8.RuneSelf }) // as "git-pull(1)"
	return !alone && len(text.Terms(body)) >= 2
}

// prose reports whether the unit is nothing but paragraphs.
func (u unit) prose() bool {
	for k := range u.has {
		if k != evidence.BlockParagraph && k != evidence.BlockQuote {
			return false
		}
	}
	return true
}

// same reports whether two units are one piece of text.
func (u unit) same(o unit) bool { return u.evidence == o.evidence && u.span == o.span }
