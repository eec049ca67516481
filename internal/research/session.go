package research

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/limit"
	"github.com/research-mcp/research-mcp/internal/models"
)

// foldBound is the time limit of writing a summary.
const foldBound = 60 * time.Second

// foldPatience is how long a question waits for the fold that the previous
// question started: the built-in summarizer needs a millisecond, and a model is
// not waited for.
const foldPatience = 200 * time.Millisecond

// openSession returns a session. If the memory cannot be read, that is its id alone, and
// what the answer says of it: a question is answered nevertheless, and its turn belongs to
// the session. That there is no such session is an error.
func (e *Engine) openSession(ctx context.Context, id string) (s evidence.Session, unread string, err error) {
	e.folds.wait(ctx, id)
	patience := storePatience
	if deadline, ok := ctx.Deadline(); ok { // the answer needs the rest
		patience = min(patience, time.Until(deadline)/2)
	}
	bounded, cancel := limit.WithTimeout(ctx, patience)
	defer cancel()
	s, err = e.deps.Sessions.Open(bounded, id)
	var p *evidence.Problem
	switch {
	case err == nil, ctx.Err() != nil, errors.As(err, &p) && p.Usage:
		return s, "", err
	case errors.Is(err, context.DeadlineExceeded):
		err = errors.New("the memory is busy or cannot be reached")
	}
	return evidence.Session{ID: id}, fmt.Sprintf("the session %s could not be read, so the question was answered without what was said before in it: %v", id, err), nil
}

// folds tracks the sessions whose summaries this process is writing.
type folds struct {
	mu      sync.Mutex
	running map[string]chan struct{} // closed when the fold is done
}

// wait returns when no fold of the session is running, or after foldPatience.
func (f *folds) wait(ctx context.Context, session string) {
	f.mu.Lock()
	done := f.running[session]
	f.mu.Unlock()
	if done == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, foldPatience)
	defer cancel()
	select {
	case <-done:
	case <-ctx.Done():
	}
}

// start reports whether the caller may fold; it then has to call end.
func (f *folds) start(session string) (end func(), ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.running[session] != nil {
		return nil, false
	}
	done := make(chan struct{})
	f.running[session] = done
	return func() {
		f.mu.Lock()
		delete(f.running, session)
		f.mu.Unlock()
		close(done)
	}, true
}

// foldLater folds the session's older turns into its summary, in the background.
// While a fold is running it does nothing: the next question folds again.
func (e *Engine) foldLater(session string, set models.Set) {
	end, ok := e.folds.start(session)
	if !ok {
		return
	}
	e.spawn("folding", func() {
		defer end()
		if err := e.fold(session, set); err != nil {
			e.deps.Log.Warn("the session was not folded; its turns are unchanged", "session", session, "err", err)
		}
	})
}

// fold may finish while the engine closes: then the built-in summarizer writes the
// summary, which takes no time. An interrupted fold loses nothing: the next
// question folds again.
func (e *Engine) fold(session string, set models.Set) error {
	ctx, cancel := e.lingering(e.life, foldBound)
	defer cancel()
	s, err := e.deps.Sessions.Open(ctx, session)
	if err != nil {
		return err
	}
	if len(s.Turns) < max(e.cfg.FoldAfter, 1) || len(s.Turns) <= e.cfg.FoldKeep {
		return nil
	}
	old := s.Turns[:len(s.Turns)-e.cfg.FoldKeep]
	summary, err := e.summarise(s.Summary, old, set)
	if err != nil {
		return err
	}
	_, err = e.deps.Sessions.Fold(ctx, session, s.SummaryTo, old[len(old)-1].Seq, summary)
	return err // another process may have folded first, which is just as well
}

func (e *Engine) summarise(summary string, old []evidence.Turn, set models.Set) (string, error) {
	ctx, cancel := context.WithTimeout(e.life, foldBound)
	defer cancel()
	out, err := set.Summarizer.Summarize(ctx, summary, old)
	if err == nil && ctx.Err() == nil && out != "" {
		return out, nil
	}
	return e.deps.Models.BuiltIn().Summarizer.Summarize(context.WithoutCancel(ctx), summary, old)
}
