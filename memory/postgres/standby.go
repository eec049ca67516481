package postgres

import (
	"context"
	"errors"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	// standbyWait is how long a standby is asked for, and how long it may take to show what
	// it has received: a question would rather go on without the memory.
	standbyWait = time.Second
	standbyPoll = 10 * time.Millisecond
	// standbyStill is how many looks in a row a standby may show no more, before what it has
	// received beyond is taken for a part of a record: its primary died while it sent it.
	standbyStill = 20
	// walPage is where such a part ends: a primary sends whole records, or whole pages.
	// walPart is about the longest record; one of 33 whole pages has half of it.
	walPage = 8 << 10
	walPart = 512 << 10
	// standbyConns may be opened to each server at least, for as long as there is no primary.
	standbyConns = 4
)

// standbys read while there is no primary: of the servers of memory.url one that shows as
// much as any of them has received. Where replication is synchronous, that is everything that
// was acknowledged, to whichever process.
type standbys struct {
	hosts []*pgxpool.Config
	turns chan struct{} // one for each read at work: who looks at a server finds a connection

	mu    sync.Mutex
	pools []*pgxpool.Pool // of hosts; nil: not needed yet
	// settledOn shows everything up to settled, so far as whole records of it were received.
	settled   int64
	settledOn *pgxpool.Pool
	settledAt int64 // what it showed then: after a restart it may show less
}

// newStandbys returns those of a URL; nil if it names one server.
func newStandbys(cfg *pgxpool.Config) *standbys {
	most := max(standbyConns, cfg.MaxConns)
	s := &standbys{turns: make(chan struct{}, most)}
	seen := map[string]bool{}
	add := func(host string, port uint16, config *pgconn.FallbackConfig) {
		if name := net.JoinHostPort(host, strconv.Itoa(int(port))); !seen[name] {
			seen[name] = true
			one := cfg.Copy()
			one.ConnConfig.Host, one.ConnConfig.Port = host, port
			one.ConnConfig.Fallbacks = nil
			if config != nil {
				one.ConnConfig.TLSConfig = config.TLSConfig
			}
			for _, f := range cfg.ConnConfig.Fallbacks { // the same with and without TLS
				if f.Host == host && f.Port == port && f != config {
					one.ConnConfig.Fallbacks = append(one.ConnConfig.Fallbacks, f)
				}
			}
			one.ConnConfig.ValidateConnect = nil
			one.ConnConfig.ConnectTimeout = standbyWait
			one.MaxConns, one.MinConns = most, 0
			s.hosts = append(s.hosts, one)
		}
	}
	add(cfg.ConnConfig.Host, cfg.ConnConfig.Port, nil)
	for _, f := range cfg.ConnConfig.Fallbacks {
		add(f.Host, f.Port, f)
	}
	if len(s.hosts) < 2 {
		return nil
	}
	s.pools = make([]*pgxpool.Pool, len(s.hosts))
	return s
}

func (s *standbys) pool(ctx context.Context, i int) (*pgxpool.Pool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pools[i] == nil {
		p, err := pgxpool.NewWithConfig(context.WithoutCancel(ctx), s.hosts[i])
		if err != nil {
			return nil, err
		}
		s.pools[i] = p
	}
	return s.pools[i], nil
}

func (s *standbys) close() {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.pools {
		if p != nil {
			p.Close()
		}
	}
}

// state is where a server is in the log.
type state struct {
	pool     *pgxpool.Pool
	primary  bool
	received int64
	shown    int64
	paused   bool // somebody has stopped it from showing more
	still    int  // looks that have shown no more
	err      error
}

func (s *standbys) ask(ctx context.Context, i int) (st state) {
	if st.pool, st.err = s.pool(ctx, i); st.err == nil {
		st.err = st.look(ctx)
	}
	return st
}

func (st *state) look(ctx context.Context) error {
	before := st.shown
	// A server that was restarted has received nothing yet, and shows what it had.
	err := st.pool.QueryRow(ctx, `select not pg_is_in_recovery(), case when pg_is_in_recovery() then (greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()) - '0/0')::bigint else 0 end,
		case when pg_is_in_recovery() then (pg_last_wal_replay_lsn() - '0/0')::bigint else 0 end,
		case when pg_is_in_recovery() then pg_get_wal_replay_pause_state() <> 'not paused' else false end`).Scan(&st.primary, &st.received, &st.shown, &st.paused)
	if st.still++; st.shown != before {
		st.still = 0
	}
	return err
}

// has reports whether a server shows everything up to want. The last record may be there in
// part only; a server that is paused, or waits for a query that is in its way, has more.
func (st *state) has(want int64) bool {
	if st.primary || st.shown >= want {
		return true
	}
	part := st.received >= want && st.received%walPage == 0 && st.received-st.shown <= walPart
	return part && !st.paused && st.still >= standbyStill
}

var (
	errFewStandbys = errors.New("too few of the servers answer to know which one has everything")
	errBehind      = errors.New("no standby shows everything that was received")
)

// best returns a server that shows everything that was acknowledged, to whichever process.
// All but one have to answer: what was acknowledged is on the primary, which is lost, and
// has been received by one of the others.
func (s *standbys) best(ctx context.Context) (*pgxpool.Pool, error) {
	states := make([]state, len(s.hosts))
	var asked sync.WaitGroup
	for i := range s.hosts {
		asked.Go(func() { states[i] = s.ask(ctx, i) })
	}
	asked.Wait()
	want := int64(0)
	var found []*state
	for i := range states {
		switch st := &states[i]; {
		case st.err != nil:
		case st.primary:
			return st.pool, nil
		default:
			found, want = append(found, st), max(want, st.received)
		}
	}
	if len(found) < len(s.hosts)-1 {
		return nil, errFewStandbys
	}
	return s.settle(ctx, found, want)
}

// settle waits until one of the standbys shows everything up to want.
func (s *standbys) settle(ctx context.Context, all []*state, want int64) (*pgxpool.Pool, error) {
	for {
		for _, st := range all {
			s.mu.Lock()
			known := st.err == nil && (s.settled == want && s.settledOn == st.pool && st.shown >= s.settledAt || st.has(want))
			if known {
				s.settled, s.settledOn, s.settledAt = want, st.pool, st.shown
			}
			s.mu.Unlock()
			if known {
				return st.pool, nil
			}
		}
		select {
		case <-time.After(standbyPoll):
		case <-ctx.Done():
			return nil, errBehind
		}
		for _, st := range all {
			st.err = st.look(ctx)
		}
	}
}

// readStandby runs fn on a standby, because there is no primary. Its caller has a seat.
func (m *Memory) readStandby(ctx context.Context, fn func(tx pgx.Tx) error) (err error) {
	defer func() {
		if err != nil {
			m.log.Debug("no standby could be read either", "err", m.server.explain(err))
		}
	}()
	select {
	case m.standbys.turns <- struct{}{}:
		defer func() { <-m.standbys.turns }()
	case <-ctx.Done():
		return ctx.Err()
	case <-m.calls.open.Done():
		return errClosed
	}
	waiting, cancel := context.WithTimeout(ctx, standbyWait)
	pool, err := m.standbys.best(waiting)
	cancel()
	if err != nil {
		return err
	}
	return m.reading(ctx, pool, fn)
}
