package http_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/research-mcp/research-mcp/server"
	mcphttp "github.com/research-mcp/research-mcp/server/http"
	"github.com/research-mcp/research-mcp/tools"
)

// An argument that its tool wants in a header, too, is the same there, or the call is refused.
func TestArgumentsInHeaders(t *testing.T) {
	t.Parallel()
	h := server.NewHandler(server.Options{Name: "test", Version: "1", Tools: []tools.Definition{{
		Name: "where", About: "where", InputSchema: json.RawMessage(`{"type":"object","properties":{"region":{"type":"string","x-mcp-header":"Region"}}}`),
		Call: func(context.Context, json.RawMessage, tools.Observe) (tools.Result, error) {
			return tools.Result{Text: "here"}, nil
		},
	}}})
	url, _ := start(t, mcphttp.Options{Handler: handlerOf(h)})
	for name, c := range map[string]struct {
		argument, header string
		status           int
	}{
		"the same":          {`{"region":"north"}`, "north", 200},
		"the same, encoded": {`{"region":"north"}`, "=?base64?bm9ydGg=?=", 200},
		"another":           {`{"region":"north"}`, "south", 400},
		"badly encoded":     {`{"region":"north"}`, "=?base64?bm9ydGg?=", 400},
		"missing":           {`{"region":"north"}`, "", 400},
		"neither":           {`{}`, "", 200},
	} {
		body, header := modernCall(1, "where")
		body = strings.Replace(body, `"arguments":{}`, `"arguments":`+c.argument, 1)
		if c.header != "" {
			header["Mcp-Param-Region"] = c.header
		}
		if r := post(t, url, body, header); r.status != c.status || !strings.Contains(body, c.argument) {
			t.Errorf("%s: %d %s, want %d; sent %s", name, r.status, r.body, c.status, body)
		}
	}
}
