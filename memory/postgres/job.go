package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/research-mcp/research-mcp/memory/contract"
)

const (
	// jobElsewhere is how long is waited before another process is asked for its job again.
	jobElsewhere = time.Second
	// jobWithin is how long the server may take to say that a job is still ours.
	jobWithin = 5 * time.Second
)

// job is work that one process of all does at a time: it has a lock, which the end of the
// session of jobs frees. That of a killed process ends, too.
type job struct {
	m   *Memory
	key int64
	in  *jobSession
}

// tryLock begins a job, or returns ErrFilling if this process or another one is at it.
func (m *Memory) tryLock(ctx context.Context, purpose string) (*job, error) {
	if err := m.calls.begin(); err != nil {
		return nil, err
	}
	j := &job{m: m, key: m.key(purpose)}
	within, cancel := m.whileOpen(ctx)
	defer cancel()
	var err error
	if j.in, err = m.conns.jobs.lock(within, m.pool, j.key); err != nil {
		m.calls.done()
		return nil, m.orClosed(ctx, err)
	}
	return j, nil
}

// waitLock is tryLock when nobody is at the job any more.
func (m *Memory) waitLock(ctx context.Context, purpose string) (*job, error) {
	for {
		var j *job
		err := m.retried(ctx, "taking a lock", writeFor, func() (err error) {
			j, err = m.tryLock(ctx, purpose)
			return err
		})
		if err != nil && j != nil { // ctx ended as it was taken
			j.release()
			return nil, err
		}
		if !errors.Is(err, contract.ErrFilling) {
			return j, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-m.calls.open.Done():
			return nil, errClosed
		case <-time.After(jobElsewhere):
		}
	}
}

// check returns ErrFilling if the job was lost with the session, so that another process
// may be at it. What this one stores nevertheless is stored once.
func (j *job) check(ctx context.Context) error {
	err := j.in.ask(ctx, new(int), "select 1")
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
	j.m.conns.jobs.unlock(j.in, j.key)
	j.m.calls.done()
}
