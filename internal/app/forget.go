package app

import (
	"context"
	"fmt"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory"
	"github.com/research-mcp/research-mcp/tools"
)

// What the command that forgets needs.
type (
	ForgetIn  = tools.ForgetIn
	ForgetOut = tools.ForgetOut
)

// Forget removes from the memory what req selects; see memory.Store.
func (a *App) Forget(ctx context.Context, req tools.ForgetRequest) (evidence.Receipt, error) {
	got, err := a.memory.Forget(ctx, memory.Selector(req))
	if err != nil {
		return evidence.Receipt{}, err
	}
	if cache := a.fetch.cache(); cache != nil {
		// Which answers a document came in is not known, so that all of them go.
		if err := cache.Clear(ctx); err != nil {
			got.Warnings = append(got.Warnings, fmt.Sprintf("answers of sources that are kept in %s may still hold it (%v): stop other research-mcp processes and delete that file", cacheFile, err))
		}
	}
	if got.Documents == 0 && req.Session == "" && len(got.Warnings) == 0 {
		got.Warnings = append(got.Warnings, fmt.Sprintf("nothing in %s was selected: nothing went", a.cfg.DataDir))
	}
	return got, nil
}

// ForgetTool is Forget as the tool gives it, for the command of that name.
func (a *App) ForgetTool(ctx context.Context, in ForgetIn) (ForgetOut, error) {
	return tools.Forget(ctx, a, in)
}
