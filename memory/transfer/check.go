package transfer

import (
	"fmt"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/intake"
)

// Limits of what a line of an export may hold besides its text.
const (
	maxChunks = 200_000
	maxLinks  = 10_000
)

// checkLine refuses a document whose chunks would make storing it cost more than
// its text does, and one that was changed since the export.
func checkLine(d *DocumentLine) error {
	if len(d.Sessions) > maxLinks {
		return fmt.Errorf("document %q belongs to %d sessions; the limit is %d", intake.Name(d.Document), len(d.Sessions), maxLinks)
	}
	for _, k := range d.Sessions {
		if err := intake.CheckName("the session of a document", k.ID); err != nil {
			return err
		}
	}
	if err := checkChunks(d); err != nil {
		return err
	}
	return checkHash(d)
}

// mostSeq is the highest number of a turn: the next ones need room.
const mostSeq = 1 << 53

// checkSession refuses ids that are too long, and numbers that leave no room for a next turn.
func checkSession(s *SessionLine) error {
	if err := intake.CheckName("the id of a session", s.ID); err != nil {
		return err
	}
	for _, t := range s.Turns {
		if t.Seq < 1 || t.Seq > mostSeq {
			return fmt.Errorf("a turn of session %q has the number %d; it must be from 1 to %d", s.ID, t.Seq, mostSeq)
		}
		if err := intake.CheckTurn(evidence.Turn(t)); err != nil {
			return err
		}
	}
	return nil
}

func checkChunks(d *DocumentLine) error {
	if len(d.Chunks) > maxChunks {
		return fmt.Errorf("document %q has %d chunks; the limit is %d", intake.Name(d.Document), len(d.Chunks), maxChunks)
	}
	for i, c := range d.Chunks {
		if i > 0 && c[0] <= d.Chunks[i-1][0] || i > 1 && c[0] < d.Chunks[i-2][1] {
			return fmt.Errorf("document %q: chunk %d does not begin after the one before it, or overlaps more than its neighbours", intake.Name(d.Document), i)
		}
	}
	return nil
}

// checkHash refuses a document whose text was changed by hand, which chunks and
// vectors do not follow.
func checkHash(d *DocumentLine) error {
	// A long title was cut, and invalid bytes were replaced; the hash may be that of either.
	if kept := intake.Clean(d.Document); d.Hash != "" && d.Hash != evidence.ContentHash(kept.Title, kept.Text) && d.Hash != evidence.ContentHash(d.Title, d.Text) {
		return fmt.Errorf("the text of %q has changed since the export: its hash differs", intake.Name(d.Document))
	}
	return nil
}
