package library

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/limit"
	"github.com/research-mcp/research-mcp/internal/models"
	"github.com/research-mcp/research-mcp/memory/contract"
)

const (
	// candidates of a recall are embedded in its path if they have no vector yet, two
	// at a time, for at most CandidatePatience where nothing else is waited for.
	candidates        = 24
	candidatesAtOnce  = 2
	CandidatePatience = 500 * time.Millisecond
	// busyPatience is in its place beside other recalls. Beside a question none are embedded:
	// its passages keep the encoder busy, and recall is quick at any time.
	busyPatience = 20 * time.Millisecond
	// storePatience is how long a recall waits for the memory to store their vectors:
	// another process may have locked it.
	storePatience = 300 * time.Millisecond
	// queueEvery is how often the queue is looked at for what other processes have put.
	queueEvery = 15 * time.Second
)

// encoder returns the built-in trained encoder, and the memory that its vectors are
// written to in the background; nil if there is none, or the backend cannot.
func (l *Library) encoder() (models.Embedder, contract.VectorFiller) {
	filler, ok := l.deps.Memory.(contract.VectorFiller)
	by := l.deps.Models.BuiltIn().Encoder
	if !ok || by == nil {
		return nil, nil
	}
	return by, filler
}

// Foreground reports that a question is being answered: vectors that are written in
// the background wait until done is called.
func (l *Library) Foreground() (done func()) { return l.questions.enter() }

// Idle returns when no question is being answered, or ctx's error.
func (l *Library) Idle(ctx context.Context) error { return l.questions.wait(ctx) }

// writeVectors writes the vectors of what is kept, by this process or another, until
// ctx ends.
func (l *Library) writeVectors(ctx context.Context) {
	by, filler := l.encoder()
	if by == nil {
		return
	}
	timer := time.NewTimer(firstMaintenance)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-l.kept:
		}
		l.fillOnce(ctx, by, filler)
		if r, ok := by.(models.Rester); ok && l.questions.idle() {
			r.Rest()
		}
		timer.Reset(queueEvery)
	}
}

// fillOnce empties the queue of vectors, unless another process is at it.
func (l *Library) fillOnce(ctx context.Context, by models.Embedder, filler contract.VectorFiller) {
	if l.questions.wait(ctx) != nil { // who fills reads and writes first, which others would wait for
		return
	}
	p, err := filler.FillVectors(ctx, by.Model(), l.yielding(by), nil)
	l.warnSkipped(p)
	if err != nil && ctx.Err() == nil && !errors.Is(err, contract.ErrFilling) && !errors.Is(err, contract.ErrTenantRemoved) {
		l.deps.Log.Warn("vectors were not written; they are continued later", "model", by.Model().Name, "err", err)
	}
}

// yielding embeds a few texts at a time, between questions, in turn with the other libraries
// of the process.
func (l *Library) yielding(by models.Embedder) contract.EmbedFunc {
	return func(ctx context.Context, texts []string) ([][]float32, error) {
		out := make([][]float32, 0, len(texts))
		for at := 0; at < len(texts); at += candidatesAtOnce {
			if err := l.questions.wait(ctx); err != nil {
				return nil, err
			}
			part, err := l.inTurn(ctx, by, texts[at:min(at+candidatesAtOnce, len(texts))])
			if err != nil {
				return nil, err
			}
			out = append(out, part...)
		}
		return out, nil
	}
}

// inTurn embeds when there is room among those who do it in the background.
func (l *Library) inTurn(ctx context.Context, by models.Embedder, texts []string) ([][]float32, error) {
	if l.deps.Embedding != nil {
		select {
		case l.deps.Embedding <- struct{}{}:
			defer func() { <-l.deps.Embedding }()
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return vectorsOf(ctx, by, texts)
}

// embedCandidates embeds the best hits that have no vector yet until patience ends,
// stores the vectors, and recalls again with them. Where that fails, res is what there
// is.
func (l *Library) embedCandidates(ctx, patience context.Context, q evidence.RecallQuery, res evidence.RecallResult) evidence.RecallResult {
	by, filler := l.encoder()
	if by == nil || q.Model.Key() != by.Model().Key() {
		return res
	}
	var passages []evidence.Passage
	var texts []string
	for _, h := range res.Hits[:min(candidates, len(res.Hits))] {
		if h.Vector == nil {
			passages = append(passages, h.Passage)
			texts = append(texts, contract.EmbeddedText(h.Document.Title, h.Document.Meta[evidence.MetaKind] == evidence.KindTurn, h.Passage.Text))
		}
	}
	var made []contract.ChunkVector
	for at := 0; at < len(texts); at += candidatesAtOnce {
		vectors, err := vectorsOf(patience, by, texts[at:min(at+candidatesAtOnce, len(texts))])
		if err != nil {
			break // patience ended, as a rule; the queue has the rest
		}
		for i, v := range vectors {
			made = append(made, contract.ChunkVector{Passage: passages[at+i], Vector: v})
		}
	}
	if len(made) == 0 {
		return res
	}
	bounded, cancel := limit.WithTimeout(ctx, storePatience)
	defer cancel()
	if _, err := filler.AddVectors(bounded, by.Model(), made); err != nil {
		l.deps.Log.Debug("vectors of candidates were not stored", "err", err)
		return res
	}
	again, err := l.deps.Memory.Recall(ctx, q)
	if err != nil {
		return res
	}
	return again
}

// candidatePatience is that of a recall, which is one of the questions.
func (l *Library) candidatePatience() time.Duration {
	switch all := l.questions.count(); {
	case all > int(l.recalls.Load()):
		return 0
	case all > 1:
		return busyPatience
	}
	return CandidatePatience
}

// queue counts the vectors that are still to be written, or returns nil if none are
// written in the background.
func (l *Library) queue(ctx context.Context) (*contract.Queue, error) {
	by, filler := l.encoder()
	if by == nil {
		return nil, nil
	}
	q, err := filler.MissingVectors(ctx, by.Model())
	if err != nil {
		return nil, fmt.Errorf("counting the vectors to be written: %w", err)
	}
	return &q, nil
}

// questions counts the questions that are being answered.
type questions struct {
	mu   sync.Mutex
	n    int
	none chan struct{} // closed when n returns to 0
}

func (q *questions) enter() (leave func()) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.n++; q.n == 1 {
		q.none = make(chan struct{})
	}
	return sync.OnceFunc(func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		if q.n--; q.n == 0 {
			close(q.none)
		}
	})
}

func (q *questions) idle() bool { return q.count() == 0 }

func (q *questions) count() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.n
}

// wait returns when there is no question, or ctx's error.
func (q *questions) wait(ctx context.Context) error {
	for {
		if q.idle() {
			return ctx.Err()
		}
		q.mu.Lock()
		none := q.none
		q.mu.Unlock()
		select {
		case <-none:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
