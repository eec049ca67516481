package transfer

import (
	"maps"
	"slices"

	"github.com/research-mcp/research-mcp/internal/text"
	"github.com/research-mcp/research-mcp/memory/intake"
)

// clean removes what a reader cannot see from a document of an export, which anyone
// may have written, and moves the chunks with the text. It reports whether the text
// changed. Chunks that are no pieces of the text are left to be refused.
func (d *DocumentLine) clean() bool {
	d.Title = visible(d.Title)
	for i, t := range d.Tags {
		d.Tags[i] = visible(t)
	}
	for k, v := range d.Meta {
		d.Meta[k] = visible(v)
	}
	moved := map[int]int{0: 0, len(d.Text): 0} // offsets of chunks to those in the clean text
	for _, c := range d.Chunks {
		if !intake.IsPiece(d.Text, c[0], c[1]) {
			return false
		}
		moved[c[0]], moved[c[1]] = 0, 0
	}
	if _, changed := text.Clean(d.Text); !changed {
		return false
	}
	var out []byte
	last := 0
	for _, at := range slices.Sorted(maps.Keys(moved)) {
		out = append(out, visible(d.Text[last:at])...)
		moved[at], last = len(out), at
	}
	d.Text = string(out)
	chunks := d.Chunks[:0]
	for _, c := range d.Chunks {
		c[0], c[1] = moved[c[0]], moved[c[1]]
		if c[0] == c[1] { // nothing of it can be seen; its vector would belong to another chunk
			d.Vectors = nil
			continue
		}
		chunks = append(chunks, c)
	}
	d.Chunks = chunks
	return true
}

// clean removes what a reader cannot see from a session of an export.
func (s *SessionLine) clean() {
	s.Title, s.Summary = visible(s.Title), visible(s.Summary)
	for i := range s.Turns {
		s.Turns[i].Text = visible(s.Turns[i].Text)
	}
}

func visible(s string) string {
	s, _ = text.Clean(s)
	return s
}
