package server

import (
	"context"
	"fmt"

	"github.com/mark3labs/mcp-go/mcp"
	mcpserver "github.com/mark3labs/mcp-go/server"

	"github.com/research-mcp/research-mcp/internal/text"
	"github.com/research-mcp/research-mcp/tools"
)

// tell sends the client a log message about its request, if it wants those of that level.
// Clients of the newest revision say so in each request, others by logging/setLevel; one
// that has said nothing gets none.
func tell(ctx context.Context, level mcp.LoggingLevel, tool, message string) {
	client, ok := mcpserver.ClientSessionFromContext(ctx).(requestClient)
	if !ok || ctx.Err() != nil { // nothing follows a cancellation
		return
	}
	wanted := client.GetLogLevel()
	if info := mcpserver.RequestProtocolInfoFromContext(ctx); info != nil && info.Modern {
		wanted = info.LogLevel
	}
	if wanted == "" || !level.ShouldSendTo(wanted) {
		return
	}
	message, _ = text.Cut(message, messageLimit)
	client.notify("notifications/message", map[string]any{"level": level, "logger": tool, "data": message})
}

// tellEvent is tell of a step of a call: sources that failed are warnings.
func tellEvent(ctx context.Context, tool string, ev tools.Event) {
	line := tools.Describe(ev)
	switch {
	case line == "":
	case ev.Source == nil:
		tell(ctx, mcp.LoggingLevelDebug, tool, line)
	case ev.Source.Err != "":
		tell(ctx, mcp.LoggingLevelWarning, tool, line)
	default:
		tell(ctx, mcp.LoggingLevelInfo, tool, line)
	}
}

// tellFailure says which call failed inside the server: the server's log has its error.
func tellFailure(ctx context.Context, tool string, call int64) {
	tell(ctx, mcp.LoggingLevelError, tool, fmt.Sprintf("call %d failed inside the server; its log has the details", call))
}
