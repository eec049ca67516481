package http_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	mcphttp "github.com/research-mcp/research-mcp/server/http"
)

type tenantKey struct{}

// A tenant that has sent its requests of a minute waits as long as it is told; the others,
// callers without a tenant and notifications do not.
func TestATenantHasRequestsPerMinute(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := mcphttp.New(mcphttp.Options{
			Handler:   handlerOf(testHandler(newHeld())),
			Tenant:    func(ctx context.Context) string { name, _ := ctx.Value(tenantKey{}).(string); return name },
			PerMinute: func(tenant string) int { return map[string]int{"blue": 4, "red": 1}[tenant] },
		})
		h := s.Handler()
		send := func(tenant, body string) *httptest.ResponseRecorder {
			r := httptest.NewRequestWithContext(context.WithValue(t.Context(), tenantKey{}, tenant), http.MethodPost, "http://localhost/mcp", strings.NewReader(body))
			r.Header.Set("Content-Type", "application/json")
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			return w
		}
		const ping, cancelled = `{"jsonrpc":"2.0","id":7,"method":"ping"}`, `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":9}}`
		wants := func(what string, w *httptest.ResponseRecorder, status int) {
			t.Helper()
			if w.Code != status {
				t.Errorf("%s: status %d %s, want %d", what, w.Code, w.Body, status)
			}
		}
		for range 4 {
			wants("within the limit", send("blue", ping), http.StatusOK)
		}
		refused := send("blue", ping)
		wants("the fifth", refused, http.StatusTooManyRequests)
		if after := refused.Header().Get("Retry-After"); after != "15" {
			t.Errorf("Retry-After is %q, want 15", after)
		}
		if said := refused.Body.String(); !strings.Contains(said, `"id":7`) || !strings.Contains(said, `"error"`) || !strings.Contains(said, "the 4 requests") {
			t.Errorf("the refusal is %s", said)
		}
		wants("a message that is none", send("blue", `[`), http.StatusTooManyRequests)
		wants("a request that is named like a notification", send("blue", strings.Replace(ping, "ping", "notifications/x", 1)), http.StatusTooManyRequests)
		wants("a cancellation", send("blue", cancelled), http.StatusAccepted)
		stream := httptest.NewRequestWithContext(context.WithValue(t.Context(), tenantKey{}, "blue"), http.MethodGet, "http://localhost/mcp", nil)
		stream.Header.Set("Accept", "text/event-stream")
		stream.Header.Set("Mcp-Session-Id", "any")
		opened := httptest.NewRecorder()
		h.ServeHTTP(opened, stream)
		wants("a stream", opened, http.StatusTooManyRequests)
		wants("another tenant", send("red", ping), http.StatusOK)
		wants("another tenant's second", send("red", ping), http.StatusTooManyRequests)
		for range 5 {
			wants("a tenant without a limit", send("green", ping), http.StatusOK)
		}
		for range 9 {
			wants("without a tenant", send("", ping), http.StatusOK)
		}
		time.Sleep(15 * time.Second)
		wants("after the time that was named", send("blue", ping), http.StatusOK)
		wants("and one more", send("blue", ping), http.StatusTooManyRequests)
	})
}
