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
func (l *Local) Export(context.Context, contract.Writer, contract.ExportOptions) (contract.Moved, error) {
	return contract.Moved{}, errLater
}
func (l *Local) Import(context.Context, contract.Reader) (contract.Moved, error) {
	return contract.Moved{}, errLater
}
func (l *Local) Reindex(context.Context, evidence.Model, contract.EmbedFunc, func(contract.Progress)) (contract.Progress, error) {
	return contract.Progress{}, errLater
}
