package server

import (
	"context"
	"errors"
	"slices"

	"github.com/mark3labs/mcp-go/mcp"
	mcpserver "github.com/mark3labs/mcp-go/server"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/redact"
)

// failure is the error of a request as its client gets it, where it differs from mcp-go's.
// Only the goroutine that handles the request writes it.
type failure struct {
	code    int
	message string
	data    any
}

// explained are the methods whose handlers are ours, besides tools, whose errors are results.
var explained = []mcp.MCPMethod{mcp.MethodResourcesRead, mcp.MethodPromptsGet, mcp.MethodCompletionComplete, mcp.MethodResourcesSubscribe, mcp.MethodSubscriptionsListen}

// explain is called by mcp-go for each request that failed. mcp-go reports an error of a
// handler as an internal one, which clients take for a bug of ours: what the client asked
// for wrongly gets the protocol's own code. Any other error is logged and not shown.
func (h *Handler) explain(ctx context.Context, _ any, method mcp.MCPMethod, request any, err error) {
	client, ok := mcpserver.ClientSessionFromContext(ctx).(requestClient)
	if !ok || !slices.Contains(explained, method) {
		return
	}
	var p *evidence.Problem
	read, isRead := request.(*mcp.ReadResourceRequest)
	switch isProblem := errors.As(err, &p); {
	case isRead && read.Params.URI == "":
		*client.failure = failure{code: mcp.INVALID_PARAMS, message: "params.uri is missing; give the address of a resource"}
	case isRead && (isProblem || errors.Is(err, mcpserver.ErrResourceNotFound)):
		*client.failure = failure{code: notFoundCode(ctx), message: "there is no such resource; resources/list and resources/templates/list have the addresses", data: map[string]any{"uri": redact.Shapes(read.Params.URI)}}
		if isProblem {
			client.failure.message = "resource not found: " + p.Error()
		}
	case isProblem:
		*client.failure = failure{code: mcp.INVALID_PARAMS, message: p.Error()}
	case method == mcp.MethodResourcesSubscribe, method == mcp.MethodSubscriptionsListen: // mcp-go's own: the era has no such method
	case ctx.Err() != nil, errors.Is(err, mcpserver.ErrPromptNotFound), isUnparsable(err):
	default:
		h.log.Error("a request failed", "method", string(method), "err", err)
		*client.failure = failure{code: mcp.INTERNAL_ERROR, message: string(method) + " failed inside the server; the server's log has the details"}
	}
}

func isUnparsable(err error) bool {
	var unparsable *mcpserver.UnparsableMessageError
	return errors.As(err, &unparsable)
}

// notFoundCode is the code of a resource that does not exist, which the protocol's
// revision 2026-07-28 changed.
func notFoundCode(ctx context.Context) int {
	if mcpserver.IsModernRequest(ctx) {
		return mcp.INVALID_PARAMS
	}
	return mcp.RESOURCE_NOT_FOUND
}

// replace returns res with the error of f, if there is one.
func (f *failure) replace(res mcp.JSONRPCMessage) mcp.JSONRPCMessage {
	if _, failed := res.(mcp.JSONRPCError); !failed || f.code == 0 {
		return res
	}
	return mcp.JSONRPCError{JSONRPC: mcp.JSONRPC_VERSION, Error: mcp.NewJSONRPCErrorDetails(f.code, f.message, f.data)}
}
