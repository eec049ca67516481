package tools

import "context"

// Ask asks the person who uses the client a question, and reports whether they agreed. An
// error ends the call that asks, which may then be made again with the answer at hand.
type Ask func(ctx context.Context, question string) (agreed bool, err error)

type askKey struct{}

// WithAsk returns a context for the calls of a client that can ask its person.
func WithAsk(ctx context.Context, ask Ask) context.Context {
	return context.WithValue(ctx, askKey{}, ask)
}

// AskOf returns how to ask the person of the client whose call ctx is of; nil if it cannot.
func AskOf(ctx context.Context) Ask {
	ask, _ := ctx.Value(askKey{}).(Ask)
	return ask
}
