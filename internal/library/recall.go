package library

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/limit"
	"github.com/research-mcp/research-mcp/internal/models"
	"github.com/research-mcp/research-mcp/internal/text"
)

const (
	// QueryPatience is how long a recall waits for its query's vector.
	QueryPatience = 3 * time.Second
	// DefaultHits is the number of hits of a request that names none.
	DefaultHits = 8
	// MaxHits is the largest number of hits of one request.
	MaxHits = 50
)

// RecallRequest asks for remembered passages. Zero filters do not filter; those
// that are set all hold.
type RecallRequest struct {
	Query   string
	K       int    // most hits, 1 to MaxHits; 0: DefaultHits
	Mode    string // evidence.ModeHybrid, ModeBM25 or ModeVector; empty: hybrid
	Source  string
	Session string
	Tags    []string
	Since   time.Time // retrieved at this moment or later
	Until   time.Time // retrieved at this moment or earlier
}

// RecallHit is a remembered passage: Text is the document's text from Start to
// End, in bytes.
type RecallHit struct {
	DocumentID string    `json:"document_id"`
	Title      string    `json:"title"`
	URL        string    `json:"url"`
	Source     string    `json:"source"`
	Text       string    `json:"text"`
	Start      int       `json:"start"`
	End        int       `json:"end"`
	Score      float64   `json:"score"`
	Retrieved  time.Time `json:"retrieved_at,omitzero"`
	AgeDays    int       `json:"age_days"` // since it was read
	Untrusted  bool      `json:"untrusted"`
	Tags       []string  `json:"tags"`
}

// RecallResult is what the memory holds on a query, best first. Slices are never
// nil.
type RecallResult struct {
	Hits     []RecallHit `json:"hits"`
	Index    string      `json:"index"`
	Warnings []string    `json:"warnings"`
}

// CheckHits returns an *evidence.Problem for a number of hits that cannot be
// asked for.
func CheckHits(k int) error {
	if k < 1 || k > MaxHits {
		return evidence.BadInput(fmt.Sprintf("%s cannot be asked for", text.Count(k, "hit")), fmt.Sprintf("choose from 1 to %d", MaxHits))
	}
	return nil
}

// Check returns an *evidence.Problem for a request that cannot be answered.
func (r RecallRequest) Check() error {
	if err := CheckQuery("query", r.Query); err != nil {
		return err
	}
	if r.K != 0 {
		if err := CheckHits(r.K); err != nil {
			return err
		}
	}
	if !r.Since.IsZero() && !r.Until.IsZero() && r.Since.After(r.Until) {
		return evidence.BadInput(fmt.Sprintf("since %s is after until %s", r.Since.Format(time.RFC3339), r.Until.Format(time.RFC3339)), "swap them")
	}
	return nil
}

// Recall searches the memory with the words of the query and its vector. Where
// the query cannot be embedded in time, its words alone are searched for, and a
// warning says so. A session that does not exist, and a source of which nothing
// is stored, are an *evidence.Problem.
func (l *Library) Recall(ctx context.Context, req RecallRequest) (RecallResult, error) {
	if err := req.Check(); err != nil {
		return RecallResult{}, err
	}
	q := evidence.RecallQuery{Text: visible(req.Query), K: cmp.Or(req.K, DefaultHits), Mode: req.Mode, Source: req.Source, Session: req.Session,
		Tags: visibleTags(req.Tags), Since: req.Since, Until: req.Until}
	res, _, err := l.Search(ctx, q, l.deps.Models.Choose(ctx).Embedder, QueryPatience)
	if err != nil {
		return RecallResult{}, err
	}
	if len(res.Hits) == 0 {
		if err := l.checkFilters(ctx, q); err != nil {
			return RecallResult{}, err
		}
	}
	out := RecallResult{Hits: make([]RecallHit, len(res.Hits)), Index: res.Index, Warnings: append([]string{}, res.Warnings...)}
	for i, h := range res.Hits {
		out.Hits[i] = recallHit(h, l.deps.Now())
	}
	return out, nil
}

// Search embeds the query with by, within patience, and asks the memory. It also
// returns the vector, nil when there is none. Hits and the vector are valid
// apart: the vector and the warnings are set when the memory fails, too.
func (l *Library) Search(ctx context.Context, q evidence.RecallQuery, by models.Embedder, patience time.Duration) (evidence.RecallResult, []float32, error) {
	bounded, cancel := limit.WithTimeout(ctx, patience)
	vectors, failed := vectorsOf(bounded, by, []string{q.Text})
	cancel()
	var warnings []string
	if failed == nil {
		q.Vector, q.Model = vectors[0], by.Model()
	} else if ctx.Err() == nil {
		warnings = append(warnings, fmt.Sprintf("the question was not embedded (%v): remembered texts were searched by their words alone", failed))
	}
	res, err := l.deps.Memory.Recall(ctx, q)
	res.Warnings = append(warnings, res.Warnings...)
	return res, q.Vector, cmp.Or(err, ctx.Err())
}

// checkFilters explains a search without hits: a mistyped session or source
// never finds anything.
func (l *Library) checkFilters(ctx context.Context, q evidence.RecallQuery) error {
	if q.Session != "" {
		if _, err := l.deps.Memory.Open(ctx, q.Session); err != nil {
			return err
		}
	}
	if q.Source == "" {
		return nil
	}
	s, err := l.Stats(ctx)
	if err != nil || s.BySource[q.Source] > 0 || len(s.BySource) == 0 {
		return err
	}
	return evidence.BadInput(fmt.Sprintf("nothing of a source %q is remembered", q.Source),
		"choose from: "+strings.Join(slices.Sorted(maps.Keys(s.BySource)), ", "))
}

func recallHit(h evidence.Hit, now time.Time) RecallHit {
	age := 0
	if r := h.Document.Retrieved; !r.IsZero() && now.After(r) {
		age = int(math.Floor(now.Sub(r).Hours() / 24))
	}
	return RecallHit{
		DocumentID: cmp.Or(h.Passage.DocumentID, h.Document.ID),
		Title:      h.Document.Title,
		URL:        h.Document.URL,
		Source:     h.Document.Source,
		Text:       h.Passage.Text,
		Start:      h.Passage.Start,
		End:        h.Passage.End,
		Score:      h.Passage.Score,
		Retrieved:  h.Document.Retrieved,
		AgeDays:    age,
		Untrusted:  h.Document.Untrusted,
		Tags:       append([]string{}, h.Document.Tags...),
	}
}
