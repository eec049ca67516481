package http

import (
	"maps"
	"net"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// limited is a listener that closes connections of an address that has atMost of them.
func limited(l net.Listener, atMost int) net.Listener {
	return &limitedListener{Listener: l, atMost: atMost, open: map[string]int{}}
}

type limitedListener struct {
	net.Listener
	atMost int

	mu   sync.Mutex
	open map[string]int // connections by address
}

// Accept implements net.Listener.
func (l *limitedListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		from := hostname(conn.RemoteAddr().String())
		if !l.enter(from) {
			conn.Close() // a connection too many: its error does not matter
			continue
		}
		return &countedConn{Conn: conn, leave: sync.OnceFunc(func() { l.exit(from) })}, nil
	}
}

func (l *limitedListener) enter(from string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open[from] >= l.atMost {
		return false
	}
	l.open[from]++
	return true
}

func (l *limitedListener) exit(from string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open[from]--; l.open[from] == 0 {
		delete(l.open, from)
	}
}

type countedConn struct {
	net.Conn
	leave func()
}

// Close implements net.Conn.
func (c *countedConn) Close() error {
	c.leave()
	return c.Conn.Close()
}

// callers counts the requests under way of each caller.
type callers struct {
	atMost int

	mu   sync.Mutex
	busy map[string]int
}

func newCallers(atMost int) *callers { return &callers{atMost: atMost, busy: map[string]int{}} }

// enter reports whether one more request of a caller may run; then exit is called.
func (c *callers) enter(caller string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.busy[caller] >= c.atMost {
		return false
	}
	c.busy[caller]++
	return true
}

func (c *callers) exit(caller string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.busy[caller]--; c.busy[caller] == 0 {
		delete(c.busy, caller)
	}
}

// rates limit the requests that each tenant sends in a minute.
type rates struct {
	perMinute func(tenant string) int

	mu       sync.Mutex
	limiters map[string]*rate.Limiter
}

// mostLimiters is how many tenants are counted before those are given up that have sent
// nothing for a minute: a new limiter allows the same.
const mostLimiters = 2000

func newRates(perMinute func(tenant string) int) *rates {
	return &rates{perMinute: perMinute, limiters: map[string]*rate.Limiter{}}
}

// wait counts a request of a tenant, or returns after how long there is room for it.
func (r *rates) wait(tenant string, now time.Time) time.Duration {
	if tenant == "" {
		return 0
	}
	most := r.perMinute(tenant)
	if most <= 0 {
		return 0
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	l := r.limiters[tenant]
	if l == nil {
		if len(r.limiters) >= mostLimiters {
			maps.DeleteFunc(r.limiters, func(_ string, l *rate.Limiter) bool { return l.TokensAt(now) >= float64(l.Burst()) })
		}
		l = rate.NewLimiter(rate.Every(time.Minute/time.Duration(most)), most)
		r.limiters[tenant] = l
	}
	booked := l.ReserveN(now, 1)
	wait := booked.DelayFrom(now)
	if wait > 0 {
		booked.CancelAt(now)
	}
	return wait
}
