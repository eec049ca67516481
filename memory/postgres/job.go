package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/research-mcp/research-mcp/memory/contract"
)

const (
	// jobElsewhere is how long is waited before another process is asked for its job again.
	jobElsewhere = time.Second
	// jobWithin is how long the server may take to say that a job is still ours.
	jobWithin = 5 * time.Second
)

// job is work that one process of all does at a time: it has a lock, which the end of its
// connection frees. That of a killed process ends, too.
type job struct {
	m    *Memory
	key  int64
	conn *pgxpool.Conn
}

// tryLock begins a job, or returns ErrFilling if another process is at it.
func (m *Memory) tryLock(ctx context.Context, purpose string) (*job, error) {
	j := &job{m: m, key: m.key(purpose)}
	var err error
	if j.conn, err = m.pool.Acquire(ctx); err != nil {
		return nil, err
	}
	var got bool
	if err := j.conn.QueryRow(ctx, "select pg_try_advisory_lock($1)", j.key).Scan(&got); err != nil || !got {
		j.conn.Release()
		if err == nil {
			err = contract.ErrFilling
		}
		return nil, err
	}
	if _, err := j.conn.Exec(ctx, "set idle_session_timeout = '"+idleJobFor+"'"); err != nil {
		j.release()
		return nil, err
	}
	return j, nil
}

// waitLock is tryLock when no other process is at the job any more.
func (m *Memory) waitLock(ctx context.Context, purpose string) (*job, error) {
	for {
		var j *job
		err := m.retried(ctx, "taking a lock", writeFor, func() (err error) {
			j, err = m.tryLock(ctx, purpose)
			return err
		})
		if !errors.Is(err, contract.ErrFilling) {
			return j, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(jobElsewhere):
		}
	}
}

// check returns ErrFilling if the job was lost with its connection, so that another process
// may be at it. What this one stores nevertheless is stored once.
func (j *job) check(ctx context.Context) error {
	within, cancel := context.WithTimeout(ctx, jobWithin)
	defer cancel()
	_, err := j.conn.Exec(within, "select 1")
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		j.m.log.Debug("a job was lost with its connection", "err", j.m.server.explain(err))
		return contract.ErrFilling
	}
	return nil
}

func (j *job) release() {
	ctx, cancel := context.WithTimeout(context.Background(), jobWithin)
	defer cancel()
	if _, err := j.conn.Exec(ctx, "select pg_advisory_unlock($1), set_config('idle_session_timeout', '0', false)", j.key); err != nil {
		_ = j.conn.Conn().Close(ctx) // with it, the lock is gone
	}
	j.conn.Release()
}
