package postgres

import (
	"context"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"
)

const (
	// silentAfter is how long a connection may wait for its server until that is asked on
	// another one whether it is there, and silentWithin how long it may take to send any
	// byte, on whichever connection: one that works for long answers, a frozen machine does
	// not, and neither does one whose route was dropped.
	silentAfter  = 500 * time.Millisecond
	silentWithin = 1250 * time.Millisecond
	// askAgain is the pause before the next time; it grows to askRarely.
	askAgain  = 2 * time.Second
	askRarely = 10 * time.Second
	// dialWithin bounds the dialling of one server: nothing of its database is needed for it.
	dialWithin = 2 * time.Second
	// unsentWithin is when the kernel gives up what a server has not acknowledged: a firewall
	// may have forgotten this connection, and let new ones pass. It also counts while a server
	// takes no more because it waits for a lock.
	unsentWithin = 30 * time.Second
)

// aliveEvery keeps a connection that is idle from being forgotten by what is between, and
// ends one whose other end is gone.
var aliveEvery = net.KeepAliveConfig{Enable: true, Idle: 10 * time.Second, Interval: 5 * time.Second, Count: 3}

// errSilent is the end of a connection whose server says nothing any more.
type errSilent struct{ address string }

func (e errSilent) Error() string { return "nothing comes from " + e.address }

// lines are the connections of a memory. They notice a server that has fallen silent, which
// closes none, and end all to it: whoever waits there tries again, or asks a standby.
type lines struct {
	dialer net.Dialer
	log    *slog.Logger
	ctx    context.Context // ends by close
	stop   context.CancelFunc
	asking sync.WaitGroup

	mu     sync.Mutex
	closed bool
	hosts  map[string]*host // by address
	reset  func()           // removes idle connections from a pool; may be nil
}

// host is a server, as it is dialled.
type host struct {
	network, address string
	heard            atomic.Int64 // when a byte came, in Unix nanoseconds

	// Guarded by lines.mu.
	open   map[*lineConn]bool
	asked  bool // it is being asked
	silent bool
}

func newLines(log *slog.Logger) *lines {
	l := &lines{log: log, hosts: map[string]*host{}, dialer: net.Dialer{Timeout: dialWithin, KeepAliveConfig: aliveEvery, Control: boundUnsent}}
	l.ctx, l.stop = context.WithCancel(context.Background())
	return l
}

// close ends all connections, and refuses more.
func (l *lines) close() {
	l.mu.Lock()
	l.closed = true
	var all []*lineConn
	for _, h := range l.hosts {
		for c := range h.open {
			all = append(all, c)
		}
	}
	l.mu.Unlock()
	l.stop()
	for _, c := range all {
		_ = c.Close()
	}
	l.asking.Wait()
}

// closeSoon lets the end of connections not wait for a server that is silent.
func (l *lines) closeSoon() (stop func() bool) {
	return time.AfterFunc(silentAfter/2, func() {
		l.mu.Lock()
		var some []*host
		for _, h := range l.hosts {
			if len(h.open) > 0 {
				some = append(some, h)
			}
		}
		l.mu.Unlock()
		for _, h := range some {
			l.ask(h)
		}
	}).Stop
}

// onSilence lets reset be called when a server has fallen silent.
func (l *lines) onSilence(reset func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.reset = reset
}

// dial is a pgconn.DialFunc. A server that is silent is not waited for, until it has
// answered.
func (l *lines) dial(ctx context.Context, network, address string) (net.Conn, error) {
	return l.dialAs(ctx, network, address, true)
}

// dialToListen is dial for a connection on which nothing may come for long.
func (l *lines) dialToListen(ctx context.Context, network, address string) (net.Conn, error) {
	return l.dialAs(ctx, network, address, false)
}

func (l *lines) dialAs(ctx context.Context, network, address string, watched bool) (net.Conn, error) {
	l.mu.Lock()
	h := l.hosts[address]
	if h == nil {
		h = &host{network: network, address: address, open: map[*lineConn]bool{}}
		l.hosts[address] = h
	}
	closed, silent := l.closed, h.silent
	l.mu.Unlock()
	switch {
	case closed:
		return nil, net.ErrClosed
	case silent:
		l.ask(h)
		return nil, errSilent{address}
	}
	began := time.Now()
	conn, err := l.dialer.DialContext(ctx, network, address)
	if err != nil {
		if time.Since(began) >= dialWithin {
			l.lose(h, began)
		}
		return nil, err
	}
	c := &lineConn{Conn: conn, lines: l, host: h}
	if watched {
		c.reads.watch(c)
		c.writes.watch(c)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		_ = conn.Close()
		return nil, net.ErrClosed
	}
	h.open[c] = true
	return c, nil
}

// ask finds out in the background whether a server is there, and gives it up if it is not.
func (l *lines) ask(h *host) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || h.asked {
		return
	}
	h.asked = true
	l.asking.Go(func() {
		began := time.Now()
		there := l.answers(h, began)
		l.mu.Lock()
		h.asked = false
		if there {
			h.silent = false
		}
		l.mu.Unlock()
		if !there {
			l.lose(h, began)
		}
	})
}

// answers reports whether a server sends any byte within silentWithin. One that refuses is
// there, too: what is open to it ends by itself.
func (l *lines) answers(h *host, began time.Time) bool {
	ctx, cancel := context.WithTimeout(l.ctx, silentWithin)
	defer cancel()
	conn, err := l.dialer.DialContext(ctx, h.network, h.address)
	if err == nil {
		defer conn.Close() //nolint:errcheck // nothing is lost by it
		defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })()
		var request []byte
		if request, err = (&pgproto3.SSLRequest{}).Encode(nil); err == nil { // is answered before anybody has to say who they are
			_, err = conn.Write(request)
		}
		if err == nil {
			if _, err = conn.Read(make([]byte, 1)); err == nil {
				h.hear()
			}
		}
	}
	return ctx.Err() == nil || l.ctx.Err() != nil || h.heard.Load() >= began.UnixNano()
}

// lose ends all connections to a server that has said nothing since.
func (l *lines) lose(h *host, since time.Time) {
	l.mu.Lock()
	if l.closed || h.heard.Load() >= since.UnixNano() {
		l.mu.Unlock()
		return
	}
	was := h.silent
	h.silent = true
	var open []*lineConn
	for c := range h.open {
		open = append(open, c)
	}
	reset := l.reset
	l.mu.Unlock()
	if !was {
		l.log.Warn("a server of the database has fallen silent: its connections are given up", "server", h.address, "connections", len(open))
	}
	for _, c := range open {
		c.lost.Store(true)
		_ = c.Conn.Close()
	}
	if reset != nil {
		reset()
	}
}

func (h *host) hear() { h.heard.Store(time.Now().UnixNano()) }

// lineConn is one connection.
type lineConn struct {
	net.Conn
	lines         *lines
	host          *host
	lost          atomic.Bool
	reads, writes wait
}

// Read implements net.Conn.
func (c *lineConn) Read(p []byte) (int, error) {
	c.reads.begin()
	n, err := c.Conn.Read(p)
	c.reads.end()
	if n > 0 {
		c.host.hear()
	}
	return n, c.cause(err)
}

// Write implements net.Conn.
func (c *lineConn) Write(p []byte) (int, error) {
	c.writes.begin()
	n, err := c.Conn.Write(p)
	c.writes.end()
	return n, c.cause(err)
}

// Close implements net.Conn.
func (c *lineConn) Close() error {
	c.lines.mu.Lock()
	delete(c.host.open, c)
	c.lines.mu.Unlock()
	return c.Conn.Close()
}

func (c *lineConn) cause(err error) error {
	if err != nil && c.lost.Load() {
		return errSilent{c.host.address}
	}
	return err
}

// wait is one for a server.
type wait struct {
	timer *time.Timer  // nil: it may last
	began atomic.Int64 // in Unix nanoseconds; 0: nobody waits
}

// watch lets the server be asked when a wait takes long, and from time to time while it lasts.
func (w *wait) watch(c *lineConn) {
	w.timer = time.AfterFunc(askRarely, func() {
		began := w.began.Load()
		if began == 0 {
			return
		}
		if time.Since(time.Unix(0, c.host.heard.Load())) > silentAfter {
			c.lines.ask(c.host)
		}
		w.timer.Reset(min(max(askAgain, time.Since(time.Unix(0, began))), askRarely))
	})
	w.timer.Stop()
}

func (w *wait) begin() {
	if w.timer != nil {
		w.began.Store(time.Now().UnixNano())
		w.timer.Reset(silentAfter)
	}
}

func (w *wait) end() {
	if w.timer != nil {
		w.timer.Stop()
		w.began.Store(0)
	}
}
