package postgres

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/text"
	"github.com/research-mcp/research-mcp/memory/contract"
	"github.com/research-mcp/research-mcp/memory/traces"
)

// forgotten replaces the text of a turn that quoted a forgotten document. The
// turn itself remains, so that the numbers of the others stay valid. Stored
// data contain it, also those of other backends: do not change it.
const forgotten = "[forgotten: it rested on a document that was removed from the memory]"

const (
	// forgottenFor is how long an answer in progress may take that was begun
	// before a Forget.
	forgottenFor = 6 * time.Hour
	// knownFor is how long the hash of a removed id is kept.
	knownFor = 2 * 365 * 24 * time.Hour
)

// idHash replaces an id that must not remain stored.
func idHash(uid string) int64 {
	sum := sha256.Sum256([]byte(uid))
	return int64(binary.LittleEndian.Uint64(sum[:8])) //nolint:gosec // bits, not a number
}

// Forget removes documents and their traces; see contract.Store. Answers that
// cite or quote them are removed, their turns are replaced by a note, and the
// summaries of their sessions are made again from the remaining turns. The rows are gone
// when it returns. Their bytes are gone when the server has rewritten its tables, which
// the receipt says: nothing that a client can ask for removes them.
func (m *Memory) Forget(ctx context.Context, sel contract.Selector) (evidence.Receipt, error) {
	if err := ctx.Err(); err != nil {
		return evidence.Receipt{}, err
	}
	if sel.Empty() {
		return evidence.Receipt{}, evidence.BadInput("nothing is selected to be forgotten", "give ids, a URL, a source, a session or a date")
	}
	var plan *forgetting
	err := m.read(ctx, "looking for what to forget", func(tx pgx.Tx) error {
		plan = newForgetting(m, sel)
		if sel.DryRun {
			return plan.preview(ctx, tx)
		}
		return plan.plan(ctx, tx)
	})
	if err != nil {
		return evidence.Receipt{}, err
	}
	if sel.DryRun {
		return plan.receipt, nil
	}
	token := mint("w_")
	done := plan
	err = m.alone(ctx, "forgetting", func(tx attempt) error {
		if tx.again {
			var stored bool
			if err := tx.QueryRow(ctx, "select exists(select 1 from wipe where tenant = $1 and token = $2)", m.tenant, token).Scan(&stored); err != nil || stored {
				return err // done has the receipt of the attempt whose answer was lost
			}
		}
		f := plan.clone()
		err := f.run(ctx, tx, token)
		if errors.Is(err, errChanged) { // nothing has been removed yet, and nobody else writes now
			f = newForgetting(m, sel)
			if err = f.plan(ctx, tx); err == nil {
				err = f.run(ctx, tx, token)
			}
		}
		done = f
		return err
	})
	if err != nil {
		return evidence.Receipt{}, err
	}
	return done.receipt, nil
}

// errChanged reports that the selected documents are not those of the plan.
var errChanged = errors.New("the selected documents have changed meanwhile")

// selectedDoc is a selected document as it was when the plan was made.
type selectedDoc struct {
	id     int64
	uid    string
	title  string
	hash   string
	chunks int
}

// forgetting is the state of one Forget.
type forgetting struct {
	m           *Memory
	sel         contract.Selector
	total       int // stored documents when the plan was made
	docs        []selectedDoc
	traces      traces.Traces   // of the selected documents in answers
	knowing     map[string]bool // answers that used them without citing them
	scrubbed    int             // of those, the ones that were cleaned
	quotes      *quoteSearch
	runs        int
	removedRuns []string // their ids
	turns       int
	sessions    map[int64]bool // whose summary may contain something
	receipt     evidence.Receipt
}

func newForgetting(m *Memory, sel contract.Selector) *forgetting {
	return &forgetting{m: m, sel: sel, traces: traces.New(), knowing: map[string]bool{}, sessions: map[int64]bool{}, receipt: evidence.Receipt{IDs: []string{}}}
}

// clone returns a copy that can be run while the plan stays as it is.
func (f *forgetting) clone() *forgetting {
	g := *f
	g.knowing, g.sessions, g.quotes = maps.Clone(f.knowing), maps.Clone(f.sessions), f.quotes.clone()
	g.receipt.IDs, g.receipt.Titles, g.receipt.Warnings = slices.Clone(f.receipt.IDs), slices.Clone(f.receipt.Titles), slices.Clone(f.receipt.Warnings)
	return &g
}

// plan reads what is selected and finds what quotes it. It writes nothing.
func (f *forgetting) plan(ctx context.Context, tx pgx.Tx) error {
	var err error
	if f.docs, err = f.selectDocs(ctx, tx); err != nil {
		return err
	}
	t, err := f.m.counted(ctx, tx, 0)
	if err != nil {
		return err
	}
	f.total = int(t.documents)
	if f.receipt.Matched, err = f.matched(ctx, tx); err != nil {
		return err
	}
	var ids []int64
	for _, d := range f.docs {
		ids = append(ids, d.id)
	}
	f.quotes = newQuoteSearch(f.m, ids)
	for _, d := range f.docs {
		if err := f.readDoc(ctx, tx, d); err != nil {
			return err
		}
		if f.quotes.phrases.Len() > traces.MaxPhrases {
			if err := f.quotes.search(ctx, tx); err != nil {
				return err
			}
			again := newQuoteSearch(f.m, ids) // with what was found so far
			again.runs, again.turns, again.sessions = f.quotes.runs, f.quotes.turns, f.quotes.sessions
			f.quotes = again
		}
	}
	if err := f.quotes.search(ctx, tx); err != nil {
		return err
	}
	if err := f.findKnowing(ctx, tx); err != nil {
		return err
	}
	return f.confirmed()
}

// readDoc adds what a document says to the phrases and traces.
func (f *forgetting) readDoc(ctx context.Context, tx pgx.Tx, c selectedDoc) error {
	var body []byte
	d, err := scanDoc(tx.QueryRow(ctx, "select "+docColumns+", b.text from doc d join body b on b.tenant = d.tenant and b.doc = d.id where d.tenant = $1 and d.id = $2", f.m.tenant, c.id), &body)
	if err != nil {
		return fmt.Errorf("reading a document: %w", err)
	}
	f.quotes.phrases.Add(string(body))
	f.traces.Add(c.uid, d, string(body))
	return nil
}

// confirmed refuses to remove more than a user may expect without confirmation.
// Turns that quote the documents count.
func (f *forgetting) confirmed() error {
	said := len(f.quotes.turns)
	if f.sel.Confirm || f.sel.DryRun || !f.sel.NeedsConfirm(len(f.docs), said, f.total) {
		return nil
	}
	what := fmt.Sprintf("that would forget %s of %d", text.Count(len(f.docs), "document"), f.total)
	if said > 0 {
		what += fmt.Sprintf(" and what quotes them, %s", text.Count(said, "turn"))
	}
	if each := contract.MatchedTexts(f.receipt.Matched); len(each) > 1 {
		what += " (" + strings.Join(each, ", ") + ")"
	}
	return contract.Unconfirmed(fmt.Sprintf("%s; more than %d documents need a confirmation, and so do two or more that are over a third of the memory", what, contract.ConfirmAbove),
		"look at them with `dry_run` (on the command line --dry-run), then confirm (`confirm`, --yes), or select fewer")
}

// run removes what was planned.
func (f *forgetting) run(ctx context.Context, tx pgx.Tx, token string) error {
	now, err := f.selectDocs(ctx, tx)
	if err != nil {
		return err
	}
	if !slices.Equal(now, f.docs) {
		return errChanged
	}
	for _, step := range []func(context.Context, pgx.Tx) error{
		f.quotes.search, // turns that were added since the plan
		f.removeClaims, f.removeSession, f.removeCiting, f.removeDocs, f.removeQuotes, f.scrubKnowing, f.resetSummaries,
		func(ctx context.Context, tx pgx.Tx) error { return f.record(ctx, tx, token) },
		f.report,
	} {
		if err := step(ctx, tx); err != nil {
			return err
		}
	}
	return nil
}

// record keeps the hashes of what was removed, and that its bytes remain until the tables
// are rewritten.
func (f *forgetting) record(ctx context.Context, tx pgx.Tx, token string) error {
	m, at := f.m, f.m.now()
	var hashes []int64
	if f.sel.WholeSession() {
		hashes = append(hashes, idHash(f.sel.Session))
	}
	for _, uid := range append(f.uids(), f.removedRuns...) {
		hashes = append(hashes, idHash(uid))
	}
	b := &pgx.Batch{}
	b.Queue("delete from gone where tenant = $1 and at < $2", m.tenant, at.Add(-knownFor))
	b.Queue("insert into gone(tenant, mark, at) select distinct $1, unnest($2::bigint[]), $3::timestamptz on conflict(tenant, mark) do update set at = excluded.at", m.tenant, hashes, at)
	b.Queue("insert into wipe(tenant, token, at, documents, files) values($1, $2, $3, $4, ("+tableFiles+"))", m.tenant, token, at, len(f.docs))
	if err := tx.SendBatch(ctx, b).Close(); err != nil {
		return err
	}
	return m.tidyWipes(ctx, tx)
}

func (f *forgetting) report(ctx context.Context, tx pgx.Tx) error {
	t, err := f.m.counted(ctx, tx, 0)
	if err != nil {
		return err
	}
	f.receipt.Remaining = int(t.documents)
	if len(f.docs)+f.runs+f.turns > 0 || f.sel.WholeSession() {
		f.receipt.Later = later
	}
	f.warnMissing()
	f.warnSessions(false)
	return nil
}

// addRemoved adds a document to the receipt.
func (f *forgetting) addRemoved(d selectedDoc) {
	f.receipt.Documents++
	f.receipt.Chunks += d.chunks
	f.receipt.IDs, f.receipt.Titles = append(f.receipt.IDs, d.uid), append(f.receipt.Titles, d.title)
}
