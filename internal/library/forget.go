package library

import (
	"context"
	"fmt"

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
	Remaining int      `json:"remaining"` // documents that are still stored
	Warnings  []string `json:"warnings"`
}

// CheckForget returns an *evidence.Problem for a request that selects nothing.
func CheckForget(req ForgetRequest) error {
	if req.Empty() {
		return evidence.BadInput("nothing is selected to be forgotten", "give ids, a url, a source, a session, or a date in before")
	}
	return nil
}

// Forget removes what req selects, with every trace of it. More documents than
// contract.ConfirmAbove, without Confirm, are an *evidence.Problem that says how
// many.
//
// It is not known which cached answer of a source contained a document, so the
// cache is cleared as a whole: before the removal, because nothing would start
// that again if the process were killed afterwards, and after it, for what was
// cached meanwhile.
func (l *Library) Forget(ctx context.Context, req ForgetRequest) (ForgetResult, error) {
	if err := CheckForget(req); err != nil {
		return ForgetResult{}, err
	}
	_ = l.clearCache(ctx) // the second time reports the error
	got, err := l.deps.Memory.Forget(ctx, req)
	if err != nil {
		return ForgetResult{}, err
	}
	out := ForgetResult{Documents: got.Documents, Chunks: got.Chunks, IDs: append([]string{}, got.IDs...), Remaining: got.Remaining,
		Warnings: append([]string{}, got.Warnings...)}
	if err := l.clearCache(ctx); err != nil {
		out.Warnings = append(out.Warnings, fmt.Sprintf("cached answers of sources may still contain it (%v): stop other research-mcp processes and delete that file", err))
	}
	if out.Documents == 0 && req.Session == "" && len(out.Warnings) == 0 {
		out.Warnings = append(out.Warnings, fmt.Sprintf("nothing in %s was selected: nothing was removed", l.deps.Location))
	}
	return out, nil
}

func (l *Library) clearCache(ctx context.Context) error {
	if l.deps.Cache == nil {
		return nil
	}
	return l.deps.Cache.Clear(ctx)
}
