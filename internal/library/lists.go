package library

import (
	"context"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/contract"
)

// DocumentFilter selects documents of a list.
type DocumentFilter = contract.DocumentFilter

// RunInfo describes a stored answer.
type RunInfo = contract.RunInfo

// Documents lists documents without their texts, the newest first.
func (l *Library) Documents(ctx context.Context, f contract.DocumentFilter) ([]evidence.Document, error) {
	m, err := contract.Require[contract.Lister](l.deps.Memory)
	if err != nil {
		return nil, err
	}
	return m.ListDocuments(ctx, f)
}

// Sessions lists the latest sessions without their turns; a limit of 0 is for all.
func (l *Library) Sessions(ctx context.Context, limit int) ([]evidence.Session, error) {
	m, err := contract.Require[contract.Lister](l.deps.Memory)
	if err != nil {
		return nil, err
	}
	return m.ListSessions(ctx, limit)
}

// Position is the place in the memory's change feed: another one after each change of a
// document, by any process.
func (l *Library) Position(ctx context.Context) (string, error) {
	changes, err := l.deps.Memory.Changes(ctx, "")
	return string(changes.Next), err
}

// Runs lists the latest answers; a limit of 0 is for all.
func (l *Library) Runs(ctx context.Context, limit int) ([]contract.RunInfo, error) {
	m, err := contract.Require[contract.Lister](l.deps.Memory)
	if err != nil {
		return nil, err
	}
	return m.ListRuns(ctx, limit)
}
