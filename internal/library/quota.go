package library

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
)

// ErrQuota is the cause of a Problem about a document that is not kept because the memory
// has as much as it may.
var ErrQuota = errors.New("the quota is used up")

// Quota is how much the memory may keep. What is 0 has no limit. Turns and answers do not
// count.
type Quota struct {
	Documents int
	Bytes     int64 // of text
}

// countFor is how long a count of what is stored allows further documents, beside those
// that are stored here: other processes on the memory may go over a quota by what they
// store in this time.
const countFor = 10 * time.Second

// counted is what the memory has, as last counted. Its turn is a slot: who holds it
// stores.
type counted struct {
	turn      chan struct{} // has capacity 1
	documents int
	bytes     int64
	at        time.Time // zero: never
}

// withinQuota calls store, unless the quota leaves no room for doc: then its error is an
// *evidence.Problem with ErrQuota. A document that is there may always be stored with a
// text that is no longer.
func (l *Library) withinQuota(ctx context.Context, doc evidence.Document, store func() error) error {
	if l.deps.Quota == (Quota{}) {
		return store()
	}
	select {
	case l.counted.turn <- struct{}{}:
		defer func() { <-l.counted.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	c := &l.counted
	if age := l.deps.Now().Sub(c.at); c.at.IsZero() || age < 0 || age > countFor || l.over(1, int64(len(doc.Text))) {
		if err := l.count(ctx); err != nil {
			return err
		}
	}
	documents, bytes := 1, int64(len(doc.Text))
	if l.over(documents, bytes) {
		have, ok, err := l.deps.Memory.Document(ctx, doc.ID)
		if err != nil {
			return err
		}
		if ok {
			documents, bytes = 0, bytes-int64(len(have.Text))
		}
		if l.over(documents, bytes) {
			return l.quotaProblem()
		}
	}
	err := store()
	if err == nil { // one that was replaced is counted twice until the next count
		c.documents += documents
		c.bytes += bytes
	}
	return err
}

// over reports whether so much more is too much. What does not grow never is.
func (l *Library) over(documents int, bytes int64) bool {
	c, most := &l.counted, l.deps.Quota
	return documents > 0 && most.Documents > 0 && c.documents+documents > most.Documents ||
		bytes > 0 && most.Bytes > 0 && c.bytes+bytes > most.Bytes
}

func (l *Library) count(ctx context.Context) error {
	s, err := l.deps.Memory.Stats(ctx)
	if err == nil {
		l.counted.documents, l.counted.bytes, l.counted.at = s.Documents, s.TextBytes, l.deps.Now()
	}
	return err
}

func (l *Library) quotaProblem() error {
	var has, settings []string
	if most := l.deps.Quota.Documents; most > 0 {
		has, settings = append(has, fmt.Sprintf("%d of at most %d documents", l.counted.documents, most)), append(settings, "server.http.tenant_documents")
	}
	if most := l.deps.Quota.Bytes; most > 0 {
		const mib = 1 << 20
		has, settings = append(has, fmt.Sprintf("%.1f of at most %.1f MiB of text", float64(l.counted.bytes)/mib, float64(most)/mib)), append(settings, "server.http.tenant_mb")
	}
	return &evidence.Problem{What: "the memory of this tenant has " + strings.Join(has, " and ") + ", and no room for more",
		Try: "forget what is no longer needed, or ask the operator of the server for more (" + strings.Join(settings, ", ") + ")", Cause: ErrQuota}
}
