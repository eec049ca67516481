package traces

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/research-mcp/research-mcp/internal/text"
)

// Forgotten replaces the text of a turn that quoted a forgotten document. The turn itself
// remains, so that the numbers of the others stay valid. Stored data contain it: do not
// change it.
const Forgotten = "[forgotten: it rested on a document that was removed from the memory]"

const (
	// ForgottenFor is how long an answer in progress may take that was begun before a Forget.
	ForgottenFor = 6 * time.Hour
	// KnownFor is how long the hash of a removed id is kept, which tells it from a mistyped
	// one.
	KnownFor = 2 * 365 * 24 * time.Hour
)

// IDHash replaces an id that must not remain stored.
func IDHash(uid string) int64 {
	sum := sha256.Sum256([]byte(uid))
	return int64(binary.LittleEndian.Uint64(sum[:8])) //nolint:gosec // bits, not a number
}

// Changed is what a Forget changes in conversations.
type Changed struct {
	Runs, Turns int // removed
	Cleaned     int // answers that used a document without citing it
}

// Warnings says it for a receipt; would is that of a preview.
func (c Changed) Warnings(would bool) (out []string) {
	used, removed, after := "had used it without citing it: titles, addresses and words of it were removed there", "removed", "will be made again"
	if would {
		used, removed, after = "used it without citing it: titles, addresses and words of it would be removed there", "would be removed", "would be made again"
	}
	if c.Cleaned > 0 {
		out = append(out, text.Count(c.Cleaned, "answer")+" "+used)
	}
	if c.Runs+c.Turns > 0 {
		out = append(out, fmt.Sprintf("%s from sessions because of what they quoted: %s and %s; the summaries %s",
			removed, text.Count(c.Runs, "answer"), text.Count(c.Turns, "turn"), after))
	}
	return out
}
