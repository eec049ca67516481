package library

import (
	"context"
	"fmt"
	"strings"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/contract"
)

// ForgetRequest selects what to remove; see contract.Selector.
type ForgetRequest = contract.Selector

// ForgetResult says what was removed and what remains. Slices are never nil.
type ForgetResult struct {
	Documents int      `json:"documents"`
	Chunks    int      `json:"chunks"`
	IDs       []string `json:"ids"`
	Titles    []string `json:"titles,omitempty"`  // of the documents in IDs, in the same order
	Remaining int      `json:"remaining"`         // documents that are still stored
	Matched   []string `json:"matched,omitempty"` // what each selector selects alone, such as "source hackernews: 12"
	DryRun    bool     `json:"dry_run,omitempty"` // nothing was removed: this is what would be
	Warnings  []string `json:"warnings"`
}

// CheckForget returns an *evidence.Problem for a request that selects nothing.
func CheckForget(req ForgetRequest) error {
	if req.Empty() {
		return evidence.BadInput("nothing is selected to be forgotten", "give ids, a url, a source, a session, or a date in before")
	}
	return nil
}

// Forget removes what req selects, with every trace of it. What
// req.NeedsConfirm, without Confirm, is an *evidence.Problem caused by
// evidence.ErrUnconfirmed that says how many. With DryRun nothing is removed.
//
// It is not known which cached answer of a source contained a document, so the
// cache is cleared as a whole: before the removal, because nothing would start
// that again if the process were killed afterwards, and after it, for what was
// cached meanwhile.
func (l *Library) Forget(ctx context.Context, req ForgetRequest) (ForgetResult, error) {
	if err := CheckForget(req); err != nil {
		return ForgetResult{}, err
	}
	end := func(Change) error { return nil }
	if !req.DryRun {
		var err error
		if end, err = l.journal(ctx, "forget", selectors(req)); err != nil {
			return ForgetResult{}, err
		}
		_ = l.clearCache(ctx) // the second time reports the error
	}
	got, err := l.deps.Memory.Forget(ctx, req)
	unwritten := end(Change{IDs: got.IDs, Documents: got.Documents, Err: err})
	if err != nil {
		return ForgetResult{}, err
	}
	out := ForgetResult{Documents: got.Documents, Chunks: got.Chunks, IDs: append([]string{}, got.IDs...), Titles: got.Titles, Remaining: got.Remaining,
		Matched: contract.MatchedTexts(got.Matched), DryRun: req.DryRun, Warnings: append([]string{}, got.Warnings...)}
	if req.DryRun {
		return out, nil
	}
	if got.Later != "" {
		out.Warnings = append(out.Warnings, got.Later)
	}
	if unwritten != nil {
		out.Warnings = append(out.Warnings, "it was removed, but "+unwritten.Error())
	}
	if err := l.clearCache(ctx); err != nil {
		out.Warnings = append(out.Warnings, fmt.Sprintf("cached answers of sources may still contain it (%v): stop other research-mcp processes and delete that file", err))
	}
	if out.Documents == 0 && req.Session == "" && len(out.Warnings) == 0 {
		out.Warnings = append(out.Warnings, noneSelected(l.deps.Location, out.Matched))
	}
	return out, nil
}

func noneSelected(location string, matched []string) string {
	if len(matched) > 1 {
		return fmt.Sprintf("nothing in %s is selected by every selector (%s): nothing was removed", location, strings.Join(matched, ", "))
	}
	return fmt.Sprintf("nothing in %s was selected: nothing was removed", location)
}

func (l *Library) clearCache(ctx context.Context) error {
	if l.deps.Cache == nil {
		return nil
	}
	return l.deps.Cache.Clear(ctx)
}
