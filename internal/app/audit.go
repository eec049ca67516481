package app

import (
	"context"

	"github.com/research-mcp/research-mcp/internal/access"
	"github.com/research-mcp/research-mcp/internal/config"
	"github.com/research-mcp/research-mcp/internal/library"
	"github.com/research-mcp/research-mcp/internal/watch"
	"github.com/research-mcp/research-mcp/tools"
)

// localCaller is the caller in the audit log of a command, and of a client on stdio: who
// can start this program can read the memory.
const localCaller = "local"

// journal writes what the library changes into the audit log.
type journal struct{ audit *watch.Audit }

// openAudit returns nil without an audit log.
func openAudit(cfg *config.Config, o Options) (library.Journal, error) {
	if cfg.Watch.AuditLog == "" {
		return nil, nil
	}
	a, err := watch.OpenAudit(watch.AuditOptions{
		Path: cfg.Watch.AuditLog, MaxBytes: int64(cfg.Watch.AuditMaxMB) << 20, Keep: cfg.Watch.AuditKeep, Required: cfg.Watch.AuditRequired,
		Now: o.Now, NewID: NewID, Log: o.Log,
	})
	if err != nil && !cfg.Watch.AuditRequired {
		o.Log.Error("there is no audit log", "err", err)
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return journal{a}, nil
}

// Begin implements library.Journal.
func (j journal) Begin(ctx context.Context, event string, by []string) (func(library.Change) error, error) {
	op := watch.Operation{Event: event, Caller: localCaller, Client: tools.ClientOf(ctx), By: by}
	if id, ok := access.From(ctx); ok {
		op.Caller, op.Tenant = id.Name, id.Tenant
	}
	end, err := j.audit.Begin(op)
	if err != nil {
		return nil, err
	}
	return func(c library.Change) error { return end(watch.Outcome(c)) }, nil
}
