package transfer

import (
	"fmt"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/contract"
	"github.com/research-mcp/research-mcp/memory/intake"
)

// lenient changes a document of a damaged memory so that it can be stored: what does
// not fit its text is dropped, and the text is kept. It returns what was changed.
func (d *DocumentLine) lenient() (notes []string) {
	note := func(format string, args ...any) {
		notes = append(notes, fmt.Sprintf("document %.80q: ", d.ID)+fmt.Sprintf(format, args...))
	}
	if len(d.ID) > contract.MaxID || d.ID == "" {
		id := evidence.DocumentID(d.Source, d.URL, d.Text)
		note("its id cannot be kept; it is now %s", id)
		d.ID = id
	}
	if err := checkHash(d); err != nil {
		note("its text or title is not the one that was stored; it was kept as it is, without its vectors")
		d.Hash, d.Vectors = "", nil
	}
	if len(d.Sessions) > maxLinks {
		note("of its %d sessions %d were kept", len(d.Sessions), maxLinks)
		d.Sessions = d.Sessions[:maxLinks]
	}
	err := checkChunks(d)
	for _, c := range d.Chunks {
		if !intake.IsPiece(d.Text, c[0], c[1]) {
			err = fmt.Errorf("bytes %d to %d are not a piece of its text", c[0], c[1])
		}
	}
	if err != nil {
		note("its chunks cannot be kept (%v); it has one for all its text, without a vector", err)
		d.Chunks, d.Vectors = [][2]int{}, nil
	}
	return notes
}

// lenient changes a session of a damaged memory so that it can be stored, and returns
// what was changed.
func (s *SessionLine) lenient() (notes []string) {
	for i, t := range s.Turns {
		if t.Role == evidence.RoleUser || t.Role == evidence.RoleAssistant {
			continue
		}
		role := evidence.RoleUser
		if t.Run != nil || i > 0 && s.Turns[i-1].Role == evidence.RoleUser {
			role = evidence.RoleAssistant
		}
		s.Turns[i].Role = role
		notes = append(notes, fmt.Sprintf("turn %d of session %s: its role %.20q cannot be kept; it is now %s", t.Seq, s.ID, t.Role, role))
	}
	return notes
}
