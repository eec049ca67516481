package local

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"math"
	"slices"
	"strings"
	"sync"
)

const (
	// matchBudget limits the postings that one recall reads. Terms are used
	// from the rarest on until it is spent: the most common ones would cost
	// most and contribute least. They still count in the score.
	matchBudget = 6000
	// maxTerms limits the terms of a query; the most common ones are dropped.
	maxTerms = 48
	// maxCached limits the cached document frequencies.
	maxCached = 20_000
)

// termStats is what BM25 needs to know of a query and the memory.
type termStats struct {
	terms  []string // that occur, rarest first
	df     []int64
	weight map[string]float64 // inverse document frequency, times its count in the query
	chunks int64
	mean   float64 // terms in a chunk
	// unknown reports that some term of the query is in no chunk: it may be misspelt.
	unknown bool
}

// frequencies caches document frequencies until the number of chunks has
// changed by one percent.
type frequencies struct {
	mu     sync.Mutex
	chunks int64
	df     map[string]int64
}

func newFrequencies() *frequencies { return &frequencies{df: map[string]int64{}} }

func (f *frequencies) get(term string, chunks int64) (int64, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if d := chunks - f.chunks; d > f.chunks/100 || -d > f.chunks/100 || len(f.df) > maxCached {
		f.chunks, f.df = chunks, map[string]int64{}
	}
	n, ok := f.df[term]
	return n, ok
}

func (f *frequencies) set(term string, n int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.df[term] = n
}

func (l *Local) termStats(ctx context.Context, tx *sql.Tx, terms []string) (*termStats, error) {
	t, err := readTally(ctx, tx)
	if err != nil {
		return nil, err
	}
	s := &termStats{weight: map[string]float64{}, chunks: t["chunks"], mean: 1}
	if s.chunks > 0 {
		s.mean = max(1, float64(t["terms"])/float64(s.chunks))
	}
	type counted struct {
		term string
		df   int64
	}
	var all []counted
	times := map[string]float64{}
	for _, term := range terms {
		if times[term]++; times[term] > 1 {
			continue
		}
		df, ok := l.df.get(term, s.chunks)
		if !ok {
			err := tx.QueryRowContext(ctx, "SELECT doc FROM fts_row WHERE term=?", term).Scan(&df)
			if err != nil && !errors.Is(err, sql.ErrNoRows) {
				return nil, err
			}
			if df > 0 { // a missing word may come with the next Put
				l.df.set(term, df)
			}
		}
		if df > 0 {
			all = append(all, counted{term, df})
		} else {
			s.unknown = true
		}
	}
	slices.SortStableFunc(all, func(a, b counted) int { return cmp.Compare(a.df, b.df) })
	for _, c := range all[:min(maxTerms, len(all))] {
		n, df := float64(s.chunks), float64(min(c.df, s.chunks))
		s.terms, s.df = append(s.terms, c.term), append(s.df, c.df)
		s.weight[c.term] = times[c.term] * math.Log(1+(n-df+0.5)/(df+0.5))
	}
	return s, nil
}

// matching returns the ids of the chunks with the best BM25, best first.
func (l *Local) matching(ctx context.Context, tx *sql.Tx, q *preparedQuery, s *termStats) ([]int64, error) {
	if len(s.terms) == 0 {
		return nil, nil
	}
	var quoted []string
	spent := int64(0)
	for i, t := range s.terms {
		if spent += s.df[i]; i > 0 && spent > matchBudget {
			break
		}
		quoted = append(quoted, `"`+strings.ReplaceAll(t, `"`, `""`)+`"`)
	}
	match := strings.Join(quoted, " OR ")
	if q.filter.empty() {
		return int64s(ctx, tx, "SELECT rowid FROM fts WHERE fts MATCH ? ORDER BY rank LIMIT ?", match, q.depth)
	}
	args := append([]any{match}, q.filter.args...)
	return int64s(ctx, tx, `SELECT fts.rowid FROM fts CROSS JOIN chunk c ON c.id = fts.rowid CROSS JOIN doc d ON d.id = c.doc
		WHERE fts MATCH ? AND `+q.filter.where+` ORDER BY rank LIMIT ?`, append(args, q.depth)...)
}
