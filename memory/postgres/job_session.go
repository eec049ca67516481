package postgres

import (
	"context"
	"errors"
	"sync"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/research-mcp/research-mcp/memory/contract"
)

// jobs are those of a process. Their locks are in one session of the server: with one for
// each, the jobs of a few tenants would have all connections, or others would have to wait
// until those end, which takes hours.
type jobs struct {
	looking chan struct{} // has room for one that looks for the session

	mu      sync.Mutex
	keys    map[int64]bool // of the locks: a session gets one that it has already
	session *jobSession    // nil: there is no job
}

// jobSession is a session with the locks of jobs. One that is lost stays with its jobs until
// they notice, and the next ones have another.
type jobSession struct {
	jobs int // that have begun; of jobs.mu

	mu   sync.Mutex    // of the connection
	conn *pgxpool.Conn // nil: it was lost, or given back
	lost bool
}

var errJobsLost = errors.New("the session of jobs was lost")

func newJobs() *jobs { return &jobs{looking: make(chan struct{}, 1), keys: map[int64]bool{}} }

// lock takes a lock, or returns ErrFilling if somebody has it.
func (a *jobs) lock(ctx context.Context, pool *pgxpool.Pool, key int64) (*jobSession, error) {
	a.mu.Lock()
	taken := a.keys[key]
	a.keys[key] = true
	a.mu.Unlock()
	if taken {
		return nil, contract.ErrFilling
	}
	s, err := a.lockIn(ctx, pool, key)
	if err != nil {
		a.forget(key)
	}
	return s, err
}

func (a *jobs) lockIn(ctx context.Context, pool *pgxpool.Pool, key int64) (*jobSession, error) {
	for {
		s, fresh, err := a.enter(ctx, pool)
		if err != nil {
			return nil, err
		}
		got := false
		if err = s.ask(ctx, &got, "select pg_try_advisory_lock($1)", key); got && err == nil && ctx.Err() == nil {
			return s, nil
		}
		if got {
			s.free(ctx, key)
		}
		lost := s.isLost()
		a.leave(ctx, s)
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case err == nil:
			return nil, contract.ErrFilling
		case fresh || !lost:
			return nil, err
		} // otherwise it was lost before, and its jobs have not noticed
	}
}

// unlock ends a job, also when the context of its caller has ended.
func (a *jobs) unlock(s *jobSession, key int64) {
	ctx := context.Background()
	s.free(ctx, key)
	a.forget(key)
	a.leave(ctx, s)
}

func (a *jobs) forget(key int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.keys, key)
}

// enter returns the session, which is opened if there is none: fresh, then.
func (a *jobs) enter(ctx context.Context, pool *pgxpool.Pool) (s *jobSession, fresh bool, err error) {
	select {
	case a.looking <- struct{}{}:
		defer func() { <-a.looking }()
	case <-ctx.Done():
		return nil, false, ctx.Err()
	}
	a.mu.Lock()
	if s = a.session; s != nil {
		s.jobs++
	}
	a.mu.Unlock()
	if s != nil {
		return s, false, nil
	}
	conn, err := pool.Acquire(ctx)
	if err != nil {
		return nil, false, err
	}
	s = &jobSession{conn: conn, jobs: 1}
	if err := s.ask(ctx, new(string), "select set_config('idle_session_timeout', $1, false)", idleJobFor); err != nil {
		s.giveBack()
		return nil, false, err
	}
	a.mu.Lock()
	a.session = s
	a.mu.Unlock()
	return s, true, nil
}

// leave gives the connection back with the last job. No further one begins in a session that
// was lost.
func (a *jobs) leave(ctx context.Context, s *jobSession) {
	lost := s.isLost()
	a.mu.Lock()
	s.jobs--
	last := s.jobs == 0
	if a.session == s && (last || lost) {
		a.session = nil
	}
	a.mu.Unlock()
	if last {
		s.askOrEnd(ctx, new(string), "select set_config('idle_session_timeout', '0', false)")
		s.giveBack()
	}
}

// giveBack gives back the connection, if it was not lost.
func (s *jobSession) giveBack() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.release()
}

// release is called with mu. A lost connection is given back at once, not with the last of its
// jobs: the pool would have one less for as long as that takes.
func (s *jobSession) release() {
	if s.conn != nil {
		s.lost = s.conn.Conn().IsClosed()
		s.conn.Release()
		s.conn = nil
	}
}

// ask asks for one value. It does not end with ctx, which would end the session: the locks of
// others are in it.
func (s *jobSession) ask(ctx context.Context, value any, query string, args ...any) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn == nil {
		return errJobsLost
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), jobWithin) // without the wait for others
	defer cancel()
	err := s.conn.QueryRow(ctx, query, args...).Scan(value)
	if s.conn.Conn().IsClosed() {
		s.release()
	}
	return err
}

// askOrEnd ends the session where it does not answer: with it, the locks are gone.
func (s *jobSession) askOrEnd(ctx context.Context, value any, query string, args ...any) {
	if s.ask(ctx, value, query, args...) == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), jobWithin)
	defer cancel()
	_ = s.conn.Conn().Close(ctx)
	s.release()
}

func (s *jobSession) free(ctx context.Context, key int64) {
	s.askOrEnd(ctx, new(bool), "select pg_advisory_unlock($1)", key)
}

func (s *jobSession) isLost() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lost
}
