package fetch

import (
	"context"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// pipeServer serves a host over in-memory connections, for tests in a bubble of
// synctest: connections of the kernel do not stop its clock.
func pipeServer(t *testing.T, n *Network, h http.HandlerFunc) {
	t.Helper()
	l := &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})}
	srv := &http.Server{Handler: h} //nolint:gosec // no foreign client
	served := make(chan struct{})
	go func() { defer close(served); _ = srv.Serve(l) }()
	t.Cleanup(func() { n.Close(); srv.Close(); <-served })
	n.hostTransport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		select {
		case l.conns <- theirs:
			return ours, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error   { close(l.closed); return nil }
func (l *pipeListener) Addr() net.Addr { return &net.TCPAddr{} }

// Only the budget bounds the time to the response's header: a source's time-out
// may be longer than the default.
func TestTheBudgetDecidesHowLongAHeaderMayTake(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		budget *Budget
		want   time.Duration
		kind   Kind
	}{
		{NewBudget(30 * time.Second), 20 * time.Second, ""},
		{NewBudget(12 * time.Second), 12 * time.Second, Timeout},
		{nil, DefaultTimeout, Timeout},
	} {
		synctest.Test(t, func(t *testing.T) {
			n := New(Config{Contact: "ops@example.org"})
			pipeServer(t, n, func(w http.ResponseWriter, r *http.Request) {
				select {
				case <-time.After(20 * time.Second):
					io.WriteString(w, "late")
				case <-r.Context().Done():
				}
			})
			client, err := n.ForHost("http://slow.example", Rate{})
			if err != nil {
				t.Fatal(err)
			}
			start := time.Now()
			r, err := client.Get(t.Context(), Request{URL: "http://slow.example/", Budget: c.budget})
			if took := time.Since(start); took != c.want || (c.kind == "") != (string(r.Body) == "late") || c.kind != "" && !IsKind(err, c.kind) {
				t.Errorf("Get = %q, %v after %s, want %q after %s", r.Body, err, took, c.kind, c.want)
			}
		})
	}
}
