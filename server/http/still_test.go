package http_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/research-mcp/research-mcp/server"
	mcphttp "github.com/research-mcp/research-mcp/server/http"
	"github.com/research-mcp/research-mcp/tools"
)

// notes is a handler with resources that change with version.
func notes(version *atomic.Int32) *server.Handler {
	return server.NewHandler(server.Options{Name: "test", Version: "1", Resources: []tools.Resource{{
		Address: "note://{id}", Name: "note", Read: func(context.Context, string) (string, error) { return "", nil },
		Watch: func(string) tools.Watch {
			last := int32(-1)
			return func(context.Context) (bool, error) {
				now := version.Load()
				changed := last >= 0 && now != last
				last = now
				return changed, nil
			}
		},
	}}})
}

// A stream does not outlive the token of its caller: it ends, and what has changed since is
// not told.
func TestAStreamEndsWithItsToken(t *testing.T) {
	t.Parallel()
	var version atomic.Int32
	var revoked atomic.Bool
	url, _ := start(t, mcphttp.Options{Handler: handlerOf(notes(&version)), Still: func(context.Context) bool { return !revoked.Load() }})
	older := func() *http.Response {
		session := begin(t, url)
		res, err := http.DefaultClient.Do(request(t.Context(), t, http.MethodGet, url+mcphttp.Path, "", session))
		if err != nil {
			t.Fatal(err)
		}
		if r := post(t, url, `{"jsonrpc":"2.0","id":5,"method":"resources/subscribe","params":{"uri":"note://a"}}`, session); r.status != 200 {
			t.Fatalf("subscribe: %d %s", r.status, r.body)
		}
		return res
	}()
	defer older.Body.Close()
	revoked.Store(true)
	version.Add(1)
	raw, err := io.ReadAll(older.Body)
	if err != nil || strings.Contains(string(raw), "data:") {
		t.Errorf("after the end of the token the stream has %q, %v, want nothing", raw, err)
	}
}
