package local

import (
	"context"
	"errors"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/contract"
)

var errLater = errors.New("not built yet")

func (l *Local) Retain(context.Context) (evidence.Receipt, error) {
	return evidence.Receipt{}, errLater
}
func (l *Local) Reindex(context.Context, evidence.Model, contract.EmbedFunc, func(contract.Progress)) (contract.Progress, error) {
	return contract.Progress{}, errLater
}
