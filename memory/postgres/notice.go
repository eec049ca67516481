package postgres

import (
	"context"
	"time"
)

const (
	// noticeEvery bounds how often a process says that it has stored something.
	noticeEvery  = 100 * time.Millisecond
	noticeWithin = time.Second
	// trimEvery is how many writes may pass until the log of changes is looked at.
	trimEvery = 1000
)

// stored says that a write was done, so that other processes are told. They are told after
// it, and of several at once: a transaction that notifies keeps all others that do from
// committing at the same time.
func (m *Memory) stored() {
	select {
	case m.due <- struct{}{}:
	default:
	}
	m.writes.Add(1)
}

func (m *Memory) noticeAlways() {
	for {
		select {
		case <-m.due:
		case <-m.ctx.Done():
			m.lastNotice()
			return
		}
		m.notify(m.ctx)
		if m.writes.Load() >= trimEvery {
			m.writes.Store(0)
			m.trim(m.ctx)
		}
		select {
		case <-time.After(noticeEvery):
		case <-m.ctx.Done():
		}
	}
}

// lastNotice tells of what was stored before the end.
func (m *Memory) lastNotice() {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(m.ctx), noticeWithin)
	defer cancel()
	select {
	case <-m.due:
		m.notify(ctx)
	default:
	}
	if m.writes.Load() > 0 {
		m.trim(ctx)
	}
}

// notify also works when the context has ended: that of a command does at once.
func (m *Memory) notify(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), noticeWithin)
	defer cancel()
	// Nobody waits for this transaction, and nothing is lost with it.
	_, err := m.pool.Exec(ctx, "select set_config('synchronous_commit', 'off', true), pg_notify($1, $2)", busChannel, noticeChange+markOf(m.server.schema, m.tenant))
	if err != nil {
		m.log.Debug("other servers are not told of a change; they look from time to time", "err", m.server.explain(err))
	}
}

func (m *Memory) trim(ctx context.Context) {
	if err := m.trimChanges(ctx); err != nil && ctx.Err() == nil {
		m.log.Debug("the log of changes was not shortened; it is tried again", "err", m.server.explain(err))
	}
}
