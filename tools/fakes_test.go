package tools

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/library"
	"github.com/research-mcp/research-mcp/internal/research"
)

// fake returns what it was given, and keeps what it was asked. It checks requests
// and returns no nil slices, as its contracts say.
type fake struct {
	answer     evidence.Answer
	read       research.ReadResult
	recalled   library.RecallResult
	remembered library.RememberResult
	forgotten  library.ForgetResult
	err        error

	research research.Request
	fetch    research.ReadRequest
	recall   library.RecallRequest
	remember library.RememberRequest
	forget   library.ForgetRequest
}

func (f *fake) Ask(_ context.Context, r research.Request, observe func(research.Event)) (evidence.Answer, error) {
	f.research = r
	observe(research.Event{Kind: research.EventDone})
	if r.Run != "" {
		return f.answer, f.err
	}
	return f.answer, cmp.Or(research.CheckQuestion(r.Question), f.err)
}

func (f *fake) Read(_ context.Context, r research.ReadRequest, _ func(research.Event)) (research.ReadResult, error) {
	f.fetch = r
	f.read.Documents, f.read.Sources, f.read.Warnings = nonNil(f.read.Documents), nonNil(f.read.Sources), nonNil(f.read.Warnings)
	return f.read, cmp.Or(r.Check(), f.err)
}

func (f *fake) Recall(_ context.Context, r library.RecallRequest) (library.RecallResult, error) {
	f.recall = r
	f.recalled.Hits, f.recalled.Warnings = nonNil(f.recalled.Hits), nonNil(f.recalled.Warnings)
	return f.recalled, cmp.Or(r.Check(), f.err)
}

func (f *fake) Remember(_ context.Context, r library.RememberRequest) (library.RememberResult, error) {
	f.remember = r
	f.remembered.Warnings = nonNil(f.remembered.Warnings)
	return f.remembered, cmp.Or(r.Check(), f.err)
}

func (f *fake) Forget(_ context.Context, r library.ForgetRequest) (library.ForgetResult, error) {
	f.forget = r
	f.forgotten.IDs, f.forgotten.Warnings = nonNil(f.forgotten.IDs), nonNil(f.forgotten.Warnings)
	return f.forgotten, cmp.Or(library.CheckForget(r), f.err)
}

var today = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// zone is not UTC, so that a test sees a date that is read in the wrong zone.
var zone = time.FixedZone("UTC-8", -8*3600)

// deps are those of a server that sends results in both forms.
func deps(f *fake) Deps {
	return Deps{Engine: f, Library: f, Sources: []string{"hackernews", "wikipedia", "wikipedia-summary"}, Zone: zone,
		Now: func() time.Time { return today }, Boundary: func() string { return "b0b0b0" }, Structured: true}
}

func call(t *testing.T, f *fake, name, args string) (Result, error) {
	t.Helper()
	return callWith(t, deps(f), name, args)
}

func callWith(t *testing.T, d Deps, name, args string) (Result, error) {
	t.Helper()
	all := All(d)
	i := slices.IndexFunc(all, func(d Definition) bool { return d.Name == name })
	if i < 0 {
		t.Fatalf("no tool %q", name)
	}
	return all[i].Call(t.Context(), json.RawMessage(args), func(research.Event) {})
}
