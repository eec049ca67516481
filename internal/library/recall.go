package library

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/limit"
	"github.com/research-mcp/research-mcp/internal/models"
	"github.com/research-mcp/research-mcp/internal/text"
	"github.com/research-mcp/research-mcp/memory/contract"
)

const (
	// QueryPatience is how long a recall waits for a server that embeds its query.
	QueryPatience = 500 * time.Millisecond
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

// Recall searches the memory with the words of the query and its vectors; see Search.
// A session that does not exist, and a source of which nothing
// is stored, are an *evidence.Problem.
func (l *Library) Recall(ctx context.Context, req RecallRequest) (RecallResult, error) {
	if err := req.Check(); err != nil {
		return RecallResult{}, err
	}
	q := evidence.RecallQuery{Text: visible(req.Query), K: cmp.Or(req.K, DefaultHits), Mode: req.Mode, Source: req.Source, Session: req.Session,
		Tags: visibleTags(req.Tags), Since: req.Since, Until: req.Until}
	res, err := l.Search(ctx, nil, q, l.chosen(ctx))
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

// Search embeds the query and asks the memory. The chosen embedder, which may be nil,
// ranks if it embeds the query within QueryPatience and the memory has all of its
// vectors; otherwise the built-in encoder does, and where there is none, n-grams. The
// best hits that have no vector of the encoder yet are embedded until patience ends,
// which is derived from ctx; nil is a recall's, CandidatePatience at most.
func (l *Library) Search(ctx, patience context.Context, q evidence.RecallQuery, chosen models.Embedder) (evidence.RecallResult, error) {
	defer l.Foreground()()
	if patience == nil {
		l.recalls.Add(1)
		defer l.recalls.Add(-1)
	}
	warnings := l.embedQuery(ctx, &q, chosen)
	k := cmp.Or(max(q.K, 0), contract.DefaultK)
	if q.Lexical != nil {
		q.K = max(k, candidates)
	}
	res, err := l.deps.Memory.Recall(ctx, q)
	if err == nil && q.Lexical != nil && q.Mode != evidence.ModeVector {
		if patience == nil {
			bounded, cancel := limit.WithTimeout(ctx, l.candidatePatience())
			defer cancel()
			patience = bounded
		}
		res = l.embedCandidates(ctx, patience, q, res)
	}
	res.Hits = res.Hits[:min(k, len(res.Hits))]
	res.Warnings = append(warnings, res.Warnings...)
	return res, cmp.Or(err, ctx.Err())
}

// embedQuery sets the vectors of q, and says which could not be made.
func (l *Library) embedQuery(ctx context.Context, q *evidence.RecallQuery, chosen models.Embedder) (warnings []string) {
	if q.Mode == evidence.ModeBM25 {
		return nil
	}
	builtIn := l.deps.Models.BuiltIn().Embedder
	encoder, _ := l.encoder()
	asked := make(chan [][]float32, 1) // of the chosen embedder, beside the encoder's
	var failed error
	if chosen == nil || chosen.Model().Key() == builtIn.Model().Key() || encoder != nil && !l.complete(ctx, chosen.Model()) {
		close(asked)
	} else {
		go func() { // waited for below
			defer close(asked)
			defer func() { // the client of a model must not end the process
				if p := recover(); p != nil {
					failed = fmt.Errorf("a panic: %v", p)
					l.deps.Log.Error("embedding a question", "panic", p, "stack", string(debug.Stack()))
				}
			}()
			bounded, cancel := limit.WithTimeout(ctx, QueryPatience)
			defer cancel()
			var vectors [][]float32
			if vectors, failed = vectorsOf(bounded, chosen, []string{q.Text}); failed == nil {
				asked <- vectors
			}
		}()
	}
	if v, err := vectorsOf(ctx, builtIn, []string{q.Text}); err == nil {
		q.Vector, q.Model = v[0], builtIn.Model()
	}
	trained, by := [][]float32(nil), chosen
	if encoder != nil {
		var err error
		if trained, err = vectorsOf(ctx, encoder, []string{q.Text}); err != nil && ctx.Err() == nil {
			l.deps.Log.Warn("the question is ranked by words and n-grams", "err", err)
		}
		by = encoder
	}
	if v, ok := <-asked; ok {
		trained, by = v, chosen
	}
	if trained != nil {
		q.Lexical, q.LexicalModel = q.Vector, q.Model
		q.Vector, q.Model = trained[0], by.Model()
	}
	late := errors.Is(failed, context.DeadlineExceeded)
	if failed != nil && ctx.Err() == nil && (encoder == nil || !late) {
		warnings = append(warnings, fmt.Sprintf("the question was not embedded (%v): remembered texts were ranked by the built-in models", failed))
	}
	return warnings
}

// chosen returns the chosen embedder, or nil if choosing takes longer than
// QueryPatience and there is another one that is trained.
func (l *Library) chosen(ctx context.Context) models.Embedder {
	if by, _ := l.encoder(); by != nil {
		bounded, cancel := limit.WithTimeout(ctx, QueryPatience)
		defer cancel()
		ctx = bounded
	}
	return l.deps.Models.Choose(ctx).Embedder
}

// complete reports whether the memory has all vectors of a model.
func (l *Library) complete(ctx context.Context, m evidence.Model) bool {
	s, err := l.deps.Memory.Stats(ctx)
	return err == nil && covered(s, m)
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
