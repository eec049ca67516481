package http_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"testing"

	"github.com/research-mcp/research-mcp/server"
	mcphttp "github.com/research-mcp/research-mcp/server/http"
	"github.com/research-mcp/research-mcp/tools"
)

// A call that is under way when the server ends is answered, in a session as without one.
func TestEndLetsCallsFinish(t *testing.T) {
	t.Parallel()
	for _, era := range []string{"session", "none", "modern"} {
		t.Run(era, func(t *testing.T) {
			t.Parallel()
			began, finish := make(chan struct{}, 1), make(chan struct{})
			h := server.NewHandler(server.Options{Name: "test", Version: "1", Tools: []tools.Definition{{Name: "work", Title: "work", About: "work", InputSchema: json.RawMessage(`{"type":"object"}`),
				Call: func(ctx context.Context, _ json.RawMessage, _ tools.Observe) (tools.Result, error) {
					began <- struct{}{}
					select {
					case <-finish:
						return tools.Result{Text: "finished"}, nil
					case <-ctx.Done():
						return tools.Result{}, context.Cause(ctx)
					}
				}}}})
			url, stop := start(t, mcphttp.Options{Handler: handlerOf(h)})
			body, header := call(1, "work"), map[string]string(nil)
			switch era {
			case "modern":
				body, header = modernCall(1, "work")
			case "session":
				header = begin(t, url)
			}
			stream, err := http.DefaultClient.Do(request(t.Context(), t, http.MethodGet, url+mcphttp.Path, "", begin(t, url)))
			if err != nil {
				t.Fatal(err)
			}
			defer stream.Body.Close()
			answered := make(chan reply, 1)
			go func() { answered <- post(t, url, body, header) }()
			receive(t, began, "the call")
			ended := make(chan error, 1)
			go func() { ended <- stop() }()
			// The stream ends when the end has begun.
			if _, err := io.Copy(io.Discard, stream.Body); err != nil {
				t.Fatal(err)
			}
			close(finish)
			if r := receive(t, answered, "the answer"); r.text() != "finished" {
				t.Errorf("a call at the end of the server: %d %s", r.status, r.body)
			}
			if err := receive(t, ended, "the end"); err != nil {
				t.Error(err)
			}
		})
	}
}
