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

// Forget removes from the memory what req selects; see memory.Store. Which
// answers of sources a document came in is not known, so that all that are kept
// go: once before, as nothing tells of them any more when the memory has
// forgotten and the process is killed, and once after, for what came meanwhile.
func (a *App) Forget(ctx context.Context, req tools.ForgetRequest) (evidence.Receipt, error) {
	if !memory.Selector(req).Empty() {
		_ = a.fetch.clear(ctx) // what keeps it from that is told below
	}
	got, err := a.memory.Forget(ctx, memory.Selector(req))
	if err != nil {
		return evidence.Receipt{}, err
	}
	if err := a.fetch.clear(ctx); err != nil {
		got.Warnings = append(got.Warnings, fmt.Sprintf("answers of sources that are kept in %s may still hold it (%v): stop other research-mcp processes and delete that file", CacheFile, err))
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
