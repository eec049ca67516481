package library

import "context"

// Journal is told of each document that somebody keeps or forgets. It is safe for
// concurrent use.
type Journal interface {
	// Begin is called before a change: event is remember or forget, by the kinds of its
	// selectors. After an error nothing is changed, and the caller gets the error, an
	// *evidence.Problem. end is called once, with what was done; its error is a warning.
	Begin(ctx context.Context, event string, by []string) (end func(Change) error, err error)
}

// Change is what a remember or a forget did.
type Change struct {
	IDs       []string // of the documents
	Documents int
	Unchanged bool // it was there already
	Err       error
}

// journal is Journal.Begin; without a journal it does nothing.
func (l *Library) journal(ctx context.Context, event string, by []string) (end func(Change) error, err error) {
	if l.deps.Journal == nil {
		return func(Change) error { return nil }, nil
	}
	return l.deps.Journal.Begin(ctx, event, by)
}

// selectors names the fields of a selection that are set.
func selectors(req ForgetRequest) []string {
	var out []string
	for _, f := range []struct {
		name string
		set  bool
	}{{"ids", len(req.IDs) > 0}, {"url", req.URL != ""}, {"source", req.Source != ""}, {"session", req.Session != ""}, {"before", !req.Before.IsZero()}} {
		if f.set {
			out = append(out, f.name)
		}
	}
	return out
}
