package research

import (
	"context"
	"runtime/debug"
	"time"

	"github.com/research-mcp/research-mcp/internal/limit"
)

// lastGrace is what work that must not be broken off gets after Close: enough
// for a transaction, little enough for a client that waits for the end.
const lastGrace = time.Second

// spawn runs fn beside the question, and survives its panic: foreign text that
// trips over a fault of ours costs one step, not the process.
func (e *Engine) spawn(what string, fn func()) {
	e.tasks.Go(func() {
		defer e.rescue(what)
		fn()
	})
}

// guarded is spawn for a result; a panic gives the zero value.
func guarded[T any](e *Engine, what string, fn func() T) <-chan T {
	out := make(chan T, 1)
	e.tasks.Go(func() {
		var result T
		defer func() { out <- result }()
		defer e.rescue(what)
		result = fn()
	})
	return out
}

// rescue is deferred; it turns a panic into a log record.
func (e *Engine) rescue(what string) {
	if p := recover(); p != nil {
		e.deps.Log.Error("panic", "in", what, "panic", p, "stack", string(debug.Stack()))
	}
}

// lingering is a context for work that Close lets come to its end: it ends
// after bound, or shortly after the engine's life. It has the clock of question.
func (e *Engine) lingering(question context.Context, bound time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := limit.WithTimeout(limit.LikeClock(context.WithoutCancel(e.life), question), bound)
	stop := context.AfterFunc(e.life, func() {
		last := time.NewTimer(lastGrace)
		defer last.Stop()
		select {
		case <-last.C:
			cancel()
		case <-ctx.Done():
		}
	})
	return ctx, func() { stop(); cancel() }
}
