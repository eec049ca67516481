package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/research-mcp/research-mcp/internal/access"
	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/library"
	"github.com/research-mcp/research-mcp/internal/research"
	"github.com/research-mcp/research-mcp/tools"
)

// seat is a tenant as the tools of its handlers know it: by name, so that a handler outlives
// what is closed and opened again.
type seat struct {
	of   *tenants
	name string
}

// with calls f with the tenant's parts.
func with[Out any](ctx context.Context, s seat, f func(a *App) (Out, error)) (Out, error) {
	a, done, err := s.of.use(ctx, s.name)
	if err != nil {
		var none Out
		return none, err
	}
	defer done()
	return f(a)
}

// Ask implements tools.Engine.
func (s seat) Ask(ctx context.Context, req research.Request, observe func(tools.Event)) (evidence.Answer, error) {
	return with(ctx, s, func(a *App) (evidence.Answer, error) { return a.engine.Ask(ctx, req, observe) })
}

// Read implements tools.Engine.
func (s seat) Read(ctx context.Context, req research.ReadRequest, observe func(tools.Event)) (research.ReadResult, error) {
	return with(ctx, s, func(a *App) (research.ReadResult, error) { return a.engine.Read(ctx, req, observe) })
}

// Recall implements tools.Library. It also searches the memories that the settings share
// with the tenant, except within a session: those are everybody's own.
func (s seat) Recall(ctx context.Context, req library.RecallRequest) (library.RecallResult, error) {
	own, err := s.recallOwn(ctx, req)
	shared := s.shared()
	if len(shared) == 0 || req.Session != "" || err != nil && !isUnknown(err) {
		return own, err
	}
	out := library.RecallResult{Hits: own.Hits, Index: own.Index, Warnings: own.Warnings}
	found := err == nil
	for _, other := range shared {
		more, failed := other.recallOwn(ctx, req)
		switch {
		case isUnknown(failed): // it has nothing of that source
		case failed != nil && ctx.Err() != nil:
			return library.RecallResult{}, ctx.Err()
		case failed != nil: // its words are not for this tenant
			s.of.root.log.Warn("a shared memory was not searched", "tenant", s.name, "shared", other.name, "err", failed)
			out.Warnings = append(out.Warnings, fmt.Sprintf("the shared memory %s was not searched", other.name))
		default:
			found = true
			out.Hits = append(out.Hits, sharedHits(other.name, more.Hits)...)
			out.Index = cmp.Or(out.Index, more.Index)
		}
	}
	if !found {
		return own, err
	}
	out.Hits = best(out.Hits, cmp.Or(req.K, library.DefaultHits))
	out.Warnings = append([]string{}, out.Warnings...)
	return out, nil
}

func (s seat) recallOwn(ctx context.Context, req library.RecallRequest) (library.RecallResult, error) {
	out, err := with(ctx, s, func(a *App) (library.RecallResult, error) { return a.library.Recall(ctx, req) })
	for i := range out.Hits {
		out.Hits[i].Tags = withoutShared(out.Hits[i].Tags)
	}
	return out, err
}

// isUnknown reports whether err says that there is nothing of what was named.
func isUnknown(err error) bool {
	var p *evidence.Problem
	return errors.As(err, &p) && p.Usage
}

// sharedTag marks what another tenant's memory has.
const sharedTag = "shared:"

// withoutShared returns tags without those that only we may give: a document that a caller
// has tagged so is not of a shared memory.
func withoutShared(tags []string) []string {
	return slices.DeleteFunc(slices.Clone(tags), func(tag string) bool { return strings.HasPrefix(strings.ToLower(tag), sharedTag) })
}

func sharedHits(from string, hits []library.RecallHit) []library.RecallHit {
	out := slices.Clone(hits)
	for i := range out {
		out[i].Tags = append(slices.Clone(out[i].Tags), sharedTag+from)
	}
	return out
}

// best returns the k best of several memories, each passage once. A score is relative to the
// best hit of its memory, so that the best of each come first.
func best(hits []library.RecallHit, k int) []library.RecallHit {
	slices.SortStableFunc(hits, func(a, b library.RecallHit) int { return cmp.Compare(b.Score, a.Score) })
	type place struct {
		doc   string
		start int
	}
	seen := map[place]bool{}
	out := []library.RecallHit{}
	for _, h := range hits {
		at := place{h.DocumentID, h.Start}
		if !seen[at] && len(out) < k {
			seen[at] = true
			out = append(out, h)
		}
	}
	return out
}

// shared are the tenants whose memories the settings share with this one.
func (s seat) shared() []seat {
	var out []seat
	for _, name := range s.of.root.cfg.Tenant(s.name).Shared {
		out = append(out, seat{s.of, name})
	}
	return out
}

// Remember implements tools.Library.
func (s seat) Remember(ctx context.Context, req library.RememberRequest) (library.RememberResult, error) {
	return with(ctx, s, func(a *App) (library.RememberResult, error) { return a.library.Remember(ctx, req) })
}

// Forget implements tools.Library.
func (s seat) Forget(ctx context.Context, req library.ForgetRequest) (library.ForgetResult, error) {
	return with(ctx, s, func(a *App) (library.ForgetResult, error) { return a.library.Forget(ctx, req) })
}

// Run implements tools.Reader.
func (s seat) Run(ctx context.Context, id string) (evidence.Answer, error) {
	return with(ctx, s, func(a *App) (evidence.Answer, error) { return a.library.Run(ctx, id) })
}

// Document implements tools.Reader. Recall gives ids of shared documents, too.
func (s seat) Document(ctx context.Context, id string) (evidence.Document, error) {
	doc, err := s.documentOwn(ctx, id)
	for _, other := range s.shared() {
		if !isUnknown(err) {
			break
		}
		if found, failed := other.documentOwn(ctx, id); failed == nil {
			found.Tags = append(slices.Clone(found.Tags), sharedTag+other.name)
			return found, nil
		}
	}
	return doc, err
}

func (s seat) documentOwn(ctx context.Context, id string) (evidence.Document, error) {
	doc, err := with(ctx, s, func(a *App) (evidence.Document, error) { return a.library.Document(ctx, id) })
	doc.Tags = withoutShared(doc.Tags)
	return doc, err
}

// Runs implements tools.Reader.
func (s seat) Runs(ctx context.Context, limit int) ([]library.RunInfo, error) {
	return with(ctx, s, func(a *App) ([]library.RunInfo, error) { return a.library.Runs(ctx, limit) })
}

// Documents implements tools.Reader.
func (s seat) Documents(ctx context.Context, filter library.DocumentFilter) ([]evidence.Document, error) {
	return with(ctx, s, func(a *App) ([]evidence.Document, error) { return a.library.Documents(ctx, filter) })
}

// Position implements tools.Reader. It moves with shared memories, too.
func (s seat) Position(ctx context.Context) (string, error) {
	at := ""
	for _, one := range append([]seat{s}, s.shared()...) {
		here, err := with(ctx, one, func(a *App) (string, error) { return a.library.Position(ctx) })
		if err != nil {
			return "", err
		}
		at += here + "/"
	}
	return at, nil
}

// writers lets callers without a scope read only.
type writers struct {
	tools.Library
	scope string
}

// Remember implements tools.Library.
func (w writers) Remember(ctx context.Context, req library.RememberRequest) (library.RememberResult, error) {
	if !access.Allows(ctx, w.scope) {
		return library.RememberResult{}, w.refusal("remember")
	}
	return w.Library.Remember(ctx, req)
}

// Forget implements tools.Library.
func (w writers) Forget(ctx context.Context, req library.ForgetRequest) (library.ForgetResult, error) {
	if !req.DryRun && !access.Allows(ctx, w.scope) {
		return library.ForgetResult{}, w.refusal("forget")
	}
	return w.Library.Forget(ctx, req)
}

func (w writers) refusal(tool string) error {
	return &evidence.Problem{What: fmt.Sprintf("this token may not %s: it does not have the scope %s", tool, w.scope), Try: "ask the operator of the server for a token that has it"}
}
