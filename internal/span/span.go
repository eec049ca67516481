// Package span marks the steps of a call, so that a trace shows where its time goes.
// The step that is under way travels in the context. Without one, as when nothing is
// traced, every function here does nothing. Package watch gives spans to an exporter.
package span

import "context"

// Span is one step. Its methods are safe for concurrent use, and return at once.
type Span interface {
	// Child starts a step of this one. The child may outlive it.
	Child(name string) Span
	// Set describes the step by a number, a truth value or a name from a fixed list.
	// Values of other types than bool, int, int64, float64 and string are left out.
	Set(key string, value any)
	// SetContent is Set for what a person or a page wrote: it is dropped unless the
	// operator wants contents in traces.
	SetContent(key, value string)
	// End ends the step. err is why it failed, or nil: only its kind is kept.
	End(err error)
}

type key struct{}

// With returns a context in which s is under way.
func With(ctx context.Context, s Span) context.Context { return context.WithValue(ctx, key{}, s) }

// From returns the step that is under way, never nil.
func From(ctx context.Context) Span {
	if s, ok := ctx.Value(key{}).(Span); ok {
		return s
	}
	return none{}
}

// Start starts a step of the one that is under way in ctx. The caller ends it.
func Start(ctx context.Context, name string) (context.Context, Span) {
	parent, ok := ctx.Value(key{}).(Span)
	if !ok {
		return ctx, none{}
	}
	s := parent.Child(name)
	return With(ctx, s), s
}

// Carry returns to with the step that is under way in from: for work that outlives its call.
func Carry(to, from context.Context) context.Context {
	if s, ok := from.Value(key{}).(Span); ok {
		return With(to, s)
	}
	return to
}

// none is the span of a call that is not traced.
type none struct{}

func (none) Child(string) Span         { return none{} }
func (none) Set(string, any)           {}
func (none) SetContent(string, string) {}
func (none) End(error)                 {}
