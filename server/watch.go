package server

import (
	"context"
	"errors"

	"github.com/mark3labs/mcp-go/mcp"

	"github.com/research-mcp/research-mcp/internal/evidence"
)

// Watcher sees the calls of tools. It is safe for concurrent use and returns at once.
type Watcher interface {
	// Begin is called when a call begins, with the fields of its _meta that name the trace
	// that it is a part of (traceparent, tracestate); carrier may be nil. The call runs in
	// the context that Begin returns. end is called once, with one of Outcomes, and the
	// error of a call that was refused, was cancelled or failed.
	Begin(ctx context.Context, tool string, carrier map[string]string) (context.Context, func(outcome string, err error))
}

// Outcomes of a call.
const (
	OutcomeOK        = "ok"
	OutcomeRefused   = "refused" // the caller can correct it
	OutcomeAsked     = "asked"   // a person is asked first; the call is made again with the answer
	OutcomeCancelled = "cancelled"
	OutcomeError     = "error" // the server's own
)

// Outcomes lists them.
func Outcomes() []string {
	return []string{OutcomeOK, OutcomeRefused, OutcomeAsked, OutcomeCancelled, OutcomeError}
}

// watch tells the Watcher that a call begins.
func (h *Handler) watch(ctx context.Context, tool string, req mcp.CallToolRequest) (context.Context, func(outcome string, err error)) {
	if h.watcher == nil {
		return ctx, func(string, error) {}
	}
	var carrier map[string]string
	if meta := req.Params.Meta; meta != nil {
		for _, field := range []string{"traceparent", "tracestate"} {
			if value, ok := meta.AdditionalFields[field].(string); ok {
				if carrier == nil {
					carrier = map[string]string{}
				}
				carrier[field] = value
			}
		}
	}
	return h.watcher.Begin(ctx, tool, carrier)
}

func outcomeOf(ctx context.Context, err error) (outcome string, shown error) {
	var p *evidence.Problem
	switch {
	case err == nil:
		return OutcomeOK, nil
	case errors.Is(err, errAsked):
		return OutcomeAsked, nil
	case errors.As(err, &p):
		return OutcomeRefused, err
	case ctx.Err() != nil:
		return OutcomeCancelled, context.Canceled
	}
	return OutcomeError, err
}
