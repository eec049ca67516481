package postgres

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/research-mcp/research-mcp/internal/text"
	"github.com/research-mcp/research-mcp/memory/intake"
	"github.com/research-mcp/research-mcp/memory/rank"
)

const (
	// wordsDocs and wordsChunks bound what is made anew in one transaction: writers of the
	// same counters wait for it some hundredths of a second.
	wordsDocs   = 50
	wordsChunks = 200
	// wordsPause is the time between two transactions, which leaves others their share.
	wordsPause = 20 * time.Millisecond
	// wordsElsewhere is how long this process waits while another one does the work, and
	// goes on by itself if that one has ended.
	wordsElsewhere = 2 * time.Second
)

// oldestWords is the version of the oldest words that a tenant has; without documents it is
// newer than any.
const oldestWords = "coalesce((select min(words) from doc where tenant = %s), 2147483647)"

// followWords makes the words of documents anew that a program with an older vocabulary has
// stored: in the background, and in one process of all that use the memory. Recalls find
// these documents meanwhile, but not by the forms of words that are new.
func (m *Memory) followWords() {
	if !m.rewording.CompareAndSwap(false, true) {
		return
	}
	m.background.Go(func() {
		defer m.rewording.Store(false)
		switch n, err := m.finishWords(m.ctx, wordsPause); {
		case m.ctx.Err() != nil:
		case err != nil:
			m.log.Warn("the words of an older version are not finished; it goes on later", "err", err)
		case n > 0:
			m.log.Info("the words of an older version were made anew", "documents", n)
		}
	})
}

// haveOldWords reports whether documents have words of an older version.
func (m *Memory) haveOldWords(ctx context.Context, q querier) (bool, error) {
	var oldest int
	err := q.QueryRow(ctx, "select "+fmt.Sprintf(oldestWords, "$1"), m.tenant).Scan(&oldest)
	return oldest < rank.WordsVersion, err
}

// finishWords makes the words of all documents anew that need it, and returns of how many
// this process did. Each step is durable: whoever is next continues. pause is the time between
// two.
func (m *Memory) finishWords(ctx context.Context, pause time.Duration) (int, error) {
	all, after := 0, int64(math.MinInt64)
	for {
		var s wordsStep
		err := m.write(ctx, "making words anew", func(tx attempt) error {
			s = wordsStep{m: m, after: after}
			return s.run(ctx, tx)
		})
		if err != nil {
			return all, err
		}
		all, after = all+s.done, s.after
		if s.complete {
			return all, nil
		}
		wait := pause
		if s.elsewhere {
			wait = wordsElsewhere
		}
		select {
		case <-ctx.Done():
			return all, ctx.Err()
		case <-time.After(wait):
		}
	}
}

// wordsStep is one transaction of finishWords. It waits for no document: what is being
// written has the words of this version afterwards, or its turn in the next round.
type wordsStep struct {
	m         *Memory
	after     int64 // the last document that was looked at in this round
	done      int
	elsewhere bool // another process does the work
	complete  bool // nothing is left
}

func (s *wordsStep) run(ctx context.Context, tx pgx.Tx) error {
	m := s.m
	var mine bool
	if err := tx.QueryRow(ctx, "select pg_try_advisory_xact_lock($1)", m.key(lockWords)).Scan(&mine); err != nil {
		return err
	}
	if s.elsewhere = !mine; !mine {
		left, err := m.haveOldWords(ctx, tx)
		s.complete = !left
		return err
	}
	docs, err := column[int64](ctx, tx, "select id from doc where tenant = $1 and id > $2 and words < $3 order by id limit $4", m.tenant, s.after, rank.WordsVersion, wordsDocs)
	if err != nil {
		return err
	}
	if len(docs) == 0 { // the end of a round; what another one had locked is left for the next
		s.after = math.MinInt64
		left, err := m.haveOldWords(ctx, tx)
		s.complete = !left
		return err
	}
	added, chunks := int64(0), 0
	for _, doc := range docs {
		if chunks >= wordsChunks {
			break
		}
		terms, n, err := m.remakeWords(ctx, tx, doc)
		if err != nil {
			return fmt.Errorf("document %d: %w", doc, err)
		}
		if s.after = doc; n < 0 {
			continue
		}
		added, chunks, s.done = added+terms, chunks+n+1, s.done+1
	}
	return m.count(ctx, tx, 0, tally{terms: added})
}

// remakeWords makes the words of one document anew, and returns how many terms it has more
// than before and how many chunks it has: -1 if another transaction has it, or nothing is
// to be done. What is damaged stays as it is, and `memory check` reports it.
func (m *Memory) remakeWords(ctx context.Context, tx pgx.Tx, doc int64) (added int64, chunks int, err error) {
	var uid, title string
	var published *time.Time
	var turn bool
	// Not locked against what refers to the document, such as its vectors.
	err = tx.QueryRow(ctx, "select uid, title, published, turn is not null from doc where tenant = $1 and id = $2 and words < $3 for no key update skip locked",
		m.tenant, doc, rank.WordsVersion).Scan(&uid, &title, &published, &turn)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, -1, nil
	}
	if err != nil {
		return 0, 0, err
	}
	var free bool // of a Put, which has read what it takes from the counters
	if err := tx.QueryRow(ctx, "select pg_try_advisory_xact_lock($1)", m.key(lockDoc+uid)).Scan(&free); err != nil || !free {
		return 0, -1, err
	}
	stored, err := m.wordsOf(ctx, tx, doc)
	if err != nil {
		return 0, 0, err
	}
	var at time.Time
	if published != nil {
		at = *published
	}
	ords, stems, added := stored.remade(m.voc, intake.IndexedHead(title, at, turn))
	b := &pgx.Batch{}
	if len(ords) > 0 {
		b.Queue("update passage p set stems = u.stems from unnest($3::int[], $4::text[]) u(ord, stems) where p.tenant = $1 and p.doc = $2 and p.ord = u.ord",
			m.tenant, doc, ords, stems)
	}
	b.Queue("update doc set words = $3, terms = terms + $4 where tenant = $1 and id = $2", m.tenant, doc, rank.WordsVersion, added)
	return added, len(stored.pieces), tx.SendBatch(ctx, b).Close()
}

// storedWords are the text of a document and the terms of its passages.
type storedWords struct {
	body   string
	pieces []storedPiece
}

type storedPiece struct {
	Ord         int32
	Start, Stop int
	Stems       string
}

func (m *Memory) wordsOf(ctx context.Context, tx pgx.Tx, doc int64) (w storedWords, err error) {
	var body []byte
	err = tx.QueryRow(ctx, "select text from body where tenant = $1 and doc = $2", m.tenant, doc).Scan(&body)
	if errors.Is(err, pgx.ErrNoRows) { // its text is lost
		return w, nil
	}
	if err != nil {
		return w, err
	}
	w.body = string(body)
	rows, err := tx.Query(ctx, "select ord, start, stop, stems from passage where tenant = $1 and doc = $2 order by ord", m.tenant, doc)
	if err != nil {
		return w, err
	}
	w.pieces, err = pgx.CollectRows(rows, pgx.RowToStructByPos[storedPiece])
	return w, err
}

// remade returns the passages of which the terms are others now, those terms, and how many
// there are more than before.
func (w storedWords) remade(voc *rank.Vocabulary, head string) (ords []int32, stems []string, added int64) {
	language := text.DetectLanguage(w.body)
	title := voc.Document(head, language)
	for _, p := range w.pieces {
		if !intake.IsPiece(w.body, p.Start, p.Stop) {
			continue
		}
		terms := slices.Concat(title, voc.Document(w.body[p.Start:p.Stop], language))
		if as := codedAll(strings.Join(terms, " ")); as != p.Stems {
			ords, stems = append(ords, p.Ord), append(stems, as)
			added += int64(len(terms) - len(strings.Fields(p.Stems)))
		}
	}
	return ords, stems, added
}
