package postgres

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/rank"
)

// smallMemory is how many passages are sampled at once, while a recall waits.
const smallMemory = 4000

// grams holds the statistics of a sample of the passages.
type grams struct {
	mu    sync.Mutex
	table *rank.GramTable
	terms map[string]int // how many of the sample have each term, which is coded
	size  int            // of the sample
	busy  bool           // a sample is being taken in the background
}

// surely is in how many passages of the sample a term is so that its share there is
// that in the memory, give or take a fifth: a twentieth of its weight.
const surely = 30

// frequency estimates in how many of the passages a term is that at least so many of the
// sample have. It reports false for a rarer one.
func (g *grams) frequency(term string, chunks int64, least int) (int64, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := g.terms[term]
	if n < least {
		return 0, false
	}
	return int64(float64(n) / float64(g.size) * float64(chunks)), true
}

// sampled reports whether there is a sample.
func (g *grams) sampled() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.size > 0
}

// gramsFor returns the statistics for a query, nil if none are needed or there are none
// yet: those of a large memory are taken in the background.
func (m *Memory) gramsFor(ctx context.Context, tx pgx.Tx, q *preparedQuery, total tally) (*rank.GramTable, error) {
	compared := q.vector != nil && q.Mode == evidence.ModeHybrid
	if !compared && (len(q.terms) == 0 || !m.isLarge(total.chunks)) { // else how often terms are is taken from there
		return nil, nil
	}
	g := &m.grams
	g.mu.Lock()
	defer g.mu.Unlock()
	switch far := g.table.Far(total.chunks); {
	case far < rank.StaleGrams:
	case far >= rank.UselessGrams && total.chunks <= smallMemory:
		sample, err := m.sampleGrams(ctx, tx, total.chunks)
		if err != nil {
			return nil, err
		}
		g.take(sample)
	case !g.busy && m.ctx.Err() == nil:
		g.busy = true
		m.background.Go(func() { m.refreshGrams(total.chunks) })
	}
	if !compared {
		return nil, nil
	}
	return g.table, nil
}

func (g *grams) take(s *grams) { g.table, g.terms, g.size = s.table, s.terms, s.size }

// refreshGrams takes a new sample in the background.
func (m *Memory) refreshGrams(chunks int64) {
	var sample *grams
	err := m.read(m.ctx, "sampling the memory", func(tx pgx.Tx) error {
		var err error
		sample, err = m.sampleGrams(m.ctx, tx, chunks)
		return err
	})
	m.grams.mu.Lock()
	defer m.grams.mu.Unlock()
	m.grams.busy = false
	if err == nil {
		m.grams.take(sample)
	} else if m.ctx.Err() == nil {
		m.log.Warn("the memory could not be sampled; it is searched without n-grams", "err", err)
	}
}

// sampled reads texts and terms of passages at even distances, at most about
// rank.GramSample: of a memory of few documents by passage, otherwise one of a document.
func (m *Memory) sampleGrams(ctx context.Context, tx pgx.Tx, chunks int64) (*grams, error) {
	query, args := `select doc, ord from (select doc, ord, row_number() over (order by doc, ord) n from passage where tenant = $1) p where n % $2 = 0`,
		[]any{m.tenant, max(1, (chunks+rank.GramSample-1)/rank.GramSample)}
	if chunks > 200*rank.GramSample { // to number all of them would take seconds
		query = `with ends as (select min(id) lo, max(id) hi from doc where tenant = $1),
			steps as (select generate_series(lo, hi, greatest(1, (hi - lo) / $2)) at from ends)
			select distinct d.id, (d.id % greatest(1, d.chunks))::int from steps cross join lateral (select id, chunks from doc where tenant = $1 and id >= at order by id limit 1) d`
		args = []any{m.tenant, rank.GramSample}
	}
	s := &grams{terms: map[string]int{}}
	var texts []string
	err := eachRow(ctx, tx, func(row pgx.Row) error {
		var stems string
		var body []byte
		err := row.Scan(&stems, &body)
		if err != nil || len(texts) > rank.GramSample {
			return err
		}
		texts = append(texts, string(body))
		once := map[string]bool{}
		for t := range strings.FieldsSeq(stems) {
			if !once[t] {
				once[t] = true
				s.terms[t]++
			}
		}
		return nil
	}, `with k(doc, ord) as materialized (`+query+`)
		select p.stems, substring(b.text from p.start + 1 for p.stop - p.start) from k join passage p on p.tenant = $1 and p.doc = k.doc and p.ord = k.ord
		join body b on b.tenant = $1 and b.doc = p.doc`, args...)
	if err != nil {
		return nil, fmt.Errorf("sampling the memory: %w", err)
	}
	s.size = len(texts)
	s.table = rank.SampleGrams(chunks, func(yield func(string) bool) {
		for _, t := range texts {
			if !yield(t) {
				return
			}
		}
	})
	return s, nil
}
