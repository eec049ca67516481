package research

import (
	"context"
	"runtime/debug"
	"time"

	"github.com/research-mcp/research-mcp/internal/limit"
)

// lastGrace is how long work that should not be interrupted may continue after
// Close: enough for a transaction, and acceptable to a client that waits.
const lastGrace = time.Second

// spawn runs fn in a goroutine that Close waits for. A panic in it, such as from
// unusual input, costs one step and not the process.
func (e *Engine) spawn(what string, fn func()) {
	e.tasks.Go(func() {
		defer e.rescue(what)
		fn()
	})
}

// guarded is spawn with a result; after a panic that is the zero value.
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

// rescue logs a panic; it is to be deferred.
func (e *Engine) rescue(what string) {
	if p := recover(); p != nil {
		e.deps.Log.Error("panic", "in", what, "panic", p, "stack", string(debug.Stack()))
	}
}

// lingering returns a context for work that may finish after Close: it ends after
// bound, or lastGrace after the engine's life. It has the clock of question.
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
