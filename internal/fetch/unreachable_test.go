package fetch

import (
	"context"
	"errors"
	"net"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// noNetwork answers every look-up with an error, as on a machine that is offline.
func noNetwork() *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Net: "udp", Err: syscall.ENETUNREACH}
	}}
}

func TestAFailedLookUpCostsNoToken(t *testing.T) {
	t.Parallel()
	n := New(Config{Contact: "ops@example.org", Resolver: noNetwork()})
	defer n.Close()
	client, err := n.ForHost("http://host.example", Rate{PerSecond: 0.001, Burst: 2})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 4 { // the third token comes after 1000 s
		_, err := client.Get(t.Context(), Request{URL: "http://host.example/" + string(rune('a'+i))})
		if !IsKind(err, Unreachable) {
			t.Fatalf("request %d: %v, want unreachable", i, err)
		}
	}
	if got := n.Hosts()[0].Tokens; got < 1.999 || got > 2 {
		t.Errorf("%v tokens left, want all 2", got)
	}
}

func TestWithoutANetworkRobotsTxtForbidsNothing(t *testing.T) {
	t.Parallel()
	n := New(Config{Contact: "ops@example.org", Resolver: noNetwork()})
	defer n.Close()
	for range 2 {
		_, err := n.ForPublic().Get(t.Context(), Request{URL: "https://host.example/page"})
		const want = "host.example: its name cannot be looked up; this machine may have no network"
		if !IsKind(err, Unreachable) || err.Error() != want {
			t.Errorf("err = %v, want %s", err, want)
		}
		var failed *Error
		if !errors.As(err, &failed) || !failed.NoNetwork() {
			t.Errorf("%v is not taken for a missing network", err)
		}
	}
}

func TestNeverSent(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err  error
		want bool
	}{
		{&net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", IsNotFound: true}}, true},
		{&net.OpError{Op: "dial", Err: &net.DNSError{Err: "i/o timeout", IsTimeout: true}}, true},
		{&net.OpError{Op: "dial", Err: syscall.ENETUNREACH}, true},
		{&net.OpError{Op: "dial", Err: syscall.EHOSTUNREACH}, true},
		{&refusal{"it is private"}, true},
		{&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, false},
		{&net.OpError{Op: "read", Err: syscall.ECONNRESET}, false},
		{context.DeadlineExceeded, false},
		{errors.New("x"), false},
		{nil, false},
	} {
		if got := neverSent(c.err); got != c.want {
			t.Errorf("neverSent(%v) = %v", c.err, got)
		}
	}
}

func TestRefundsDoNotExceedTheBurst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, err := newLimiters().acquire(t.Context(), "host", Rate{PerSecond: 1, Burst: 2}, nil)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second) // the token is back by itself
		p.refund()
		p.release(errNotCounted)
		if got := p.limiter.bucket.Tokens(); got != 2 {
			t.Errorf("%v tokens in a bucket of 2", got)
		}
	})
}

func TestNoNetwork(t *testing.T) {
	t.Parallel()
	for err, want := range map[error]bool{
		&net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", IsNotFound: true}}: true,
		&net.OpError{Op: "dial", Err: syscall.ENETUNREACH}:                                  true,
		&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}:                                 false,
		context.DeadlineExceeded:                                                            false,
	} {
		if got := classify(err).NoNetwork(); got != want {
			t.Errorf("NoNetwork of %v = %v", err, got)
		}
	}
}
