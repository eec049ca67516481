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

// tryLock begins a job, or returns ErrFilling if another process is at it, or if this one has
// as many as its connections allow.
func (m *Memory) tryLock(ctx context.Context, purpose string) (*job, error) {
	select {
	case m.jobs <- struct{}{}:
	default:
		return nil, contract.ErrFilling
	}
	j := &job{m: m, key: m.key(purpose)}
	if err := j.begin(ctx); err != nil {
		<-m.jobs
		return nil, err
	}
	if _, err := j.conn.Exec(ctx, "set idle_session_timeout = '"+idleJobFor+"'"); err != nil {
		j.release()
		return nil, err
	}
	return j, nil
}

func (j *job) begin(ctx context.Context) (err error) {
	if err := j.m.calls.begin(); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			j.m.calls.done()
		}
	}()
	if j.conn, err = j.m.pool.Acquire(ctx); err != nil {
		return err
	}
	var got bool
	err = j.conn.QueryRow(ctx, "select pg_try_advisory_lock($1)", j.key).Scan(&got)
	if err == nil && !got {
		err = contract.ErrFilling
	}
	if err != nil {
		j.conn.Release()
	}
	return err
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
	<-j.m.jobs
	j.m.calls.done()
}
