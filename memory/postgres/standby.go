package postgres

import (
	"context"
	"errors"
	"fmt"
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
	// standbyStill is how many looks in a row a standby may show no more, before it is taken
	// to have nothing more to show.
	standbyStill = 20
	// standbyConns are kept to each server, for as long as there is no primary.
	standbyConns = 4
)

// standbys read while there is no primary. Of the servers of memory.url, the one is taken
// that has received most, as soon as it shows that: where replication is synchronous, it
// has everything that was acknowledged, to whichever process.
type standbys struct {
	hosts []*pgxpool.Config

	mu    sync.Mutex
	pools []*pgxpool.Pool // of hosts; nil: not needed yet
	// settledOn has shown all that it can of what it had received up to settled.
	settled   int64
	settledOn *pgxpool.Pool
}

// newStandbys returns those of a URL; nil if it names one server.
func newStandbys(cfg *pgxpool.Config) *standbys {
	s := &standbys{}
	seen := map[string]bool{}
	add := func(host string, port uint16, config *pgconn.FallbackConfig) {
		if name := fmt.Sprint(host, port); !seen[name] {
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
			one.MaxConns, one.MinConns = standbyConns, 0
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
	err      error
}

func (s *standbys) ask(ctx context.Context, i int) (st state) {
	if st.pool, st.err = s.pool(ctx, i); st.err == nil {
		st.err = st.look(ctx)
	}
	return st
}

func (st *state) look(ctx context.Context) error {
	// A server that was restarted has received nothing yet, and shows what it had.
	return st.pool.QueryRow(ctx, `select not pg_is_in_recovery(), case when pg_is_in_recovery() then (greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()) - '0/0')::bigint else 0 end,
		case when pg_is_in_recovery() then (pg_last_wal_replay_lsn() - '0/0')::bigint else 0 end`).Scan(&st.primary, &st.received, &st.shown)
}

var errFewStandbys = errors.New("too few of the servers answer to know which one has everything")

// best returns the server to read from. All but one have to answer: what was acknowledged
// is on the primary, which is lost, and on one of the others.
func (s *standbys) best(ctx context.Context) (*pgxpool.Pool, error) {
	states := make([]state, len(s.hosts))
	var asked sync.WaitGroup
	for i := range s.hosts {
		asked.Go(func() { states[i] = s.ask(ctx, i) })
	}
	asked.Wait()
	found, answered := state{}, 0
	for _, st := range states {
		if st.err != nil {
			continue
		}
		if st.primary {
			return st.pool, nil
		}
		if answered++; found.pool == nil || st.received > found.received {
			found = st
		}
	}
	if answered < len(s.hosts)-1 {
		return nil, errFewStandbys
	}
	return found.pool, s.settle(ctx, &found)
}

// settle waits until a standby shows what it has received. The last record may be there in
// part only, when its primary died: then it shows what it has when it no longer advances.
func (s *standbys) settle(ctx context.Context, st *state) error {
	want, still := st.received, 0
	for {
		s.mu.Lock()
		known := s.settled == want && s.settledOn == st.pool
		s.mu.Unlock()
		if known || st.primary || st.shown >= want {
			return nil
		}
		select {
		case <-time.After(standbyPoll):
		case <-ctx.Done():
			return ctx.Err()
		}
		before := st.shown
		if err := st.look(ctx); err != nil {
			return err
		}
		if still++; st.shown != before {
			still = 0
		}
		if still >= standbyStill {
			s.mu.Lock()
			s.settled, s.settledOn = want, st.pool
			s.mu.Unlock()
		}
	}
}

// readStandby runs fn on a standby, because there is no primary.
func (m *Memory) readStandby(ctx context.Context, fn func(tx pgx.Tx) error) (err error) {
	defer func() {
		if err != nil {
			m.log.Debug("no standby could be read either", "err", m.server.explain(err))
		}
	}()
	waiting, cancel := context.WithTimeout(ctx, standbyWait)
	pool, err := m.standbys.best(waiting)
	cancel()
	if err != nil {
		return err
	}
	return snapshot(ctx, pool, fn)
}
