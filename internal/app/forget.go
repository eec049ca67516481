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
	if got.Documents == 0 && req.Session == "" && len(got.Warnings) == 0 {
		got.Warnings = append(got.Warnings, fmt.Sprintf("nothing in %s was selected: nothing went", a.cfg.DataDir))
	}
	return got, nil
}

// ForgetTool is Forget as the tool gives it, for the command of that name.
func (a *App) ForgetTool(ctx context.Context, in ForgetIn) (ForgetOut, error) {
	return tools.Forget(ctx, a, in)
}
