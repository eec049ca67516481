package http_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	mcphttp "github.com/research-mcp/research-mcp/server/http"
)

// Clients of the revisions with a handshake close a connection before they send the
// cancellation of its call. It is waited for for five seconds; only then their caller has left.
func TestALateCancellation(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		after time.Duration // the end of the connection; 0: it does not come
		want  error
		ends  time.Duration
	}{
		"at once":  {time.Millisecond, context.Canceled, time.Millisecond},
		"in time":  {4900 * time.Millisecond, context.Canceled, 4900 * time.Millisecond},
		"too late": {5100 * time.Millisecond, evidence.ErrCallerLeft, 5 * time.Second},
		"never":    {0, evidence.ErrCallerLeft, 5 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				calls := newHeld()
				h := mcphttp.New(mcphttp.Options{Handler: handlerOf(testHandler(calls))}).Handler()
				send := func(ctx context.Context, session, body string) *httptest.ResponseRecorder {
					r := httptest.NewRequestWithContext(ctx, http.MethodPost, "http://localhost/mcp", strings.NewReader(body))
					r.Header.Set("Content-Type", "application/json")
					r.Header.Set("Mcp-Session-Id", session)
					w := httptest.NewRecorder()
					h.ServeHTTP(w, r)
					return w
				}
				session := send(t.Context(), "", helloMessage).Header().Get("Mcp-Session-Id")
				connection, hangUp := context.WithCancel(t.Context())
				go send(connection, session, call(7, "hold"))
				<-calls.began
				hangUp()
				hungUp := time.Now()
				if c.after > 0 {
					go func() {
						time.Sleep(c.after)
						send(t.Context(), session, `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7,"reason":"enough"}}`)
					}()
				}
				if err := <-calls.ended; !errors.Is(err, c.want) || time.Since(hungUp) != c.ends {
					t.Errorf("the call ended after %v with %v, want after %v with %v", time.Since(hungUp), err, c.ends, c.want)
				}
				time.Sleep(time.Second) // what came too late has arrived
				send(t.Context(), session, `{"jsonrpc":"2.0","id":8,"method":"ping"}`)
			})
		})
	}
}
