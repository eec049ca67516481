package postgres

import (
	"context"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/contract"
	"github.com/research-mcp/research-mcp/memory/intake"
)

const (
	// claimAlive is how long a claim lives without a sign of its process. The server's
	// clock decides: those of the processes may differ.
	claimAlive = 30 * time.Second
	claimSign  = 8 * time.Second
)

// claims are those of this memory.
type claims struct {
	holder string // names this memory, as it was opened
	signs  sync.Once
	some   atomic.Bool // it has made any

	mu   sync.Mutex
	held map[string]bool // storable ids of those that it has made and not ended
}

func (c *claims) hold(id string, held bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !held {
		delete(c.held, id)
		return
	}
	if c.held == nil {
		c.held = map[string]bool{}
	}
	c.held[id] = true
}

func (c *claims) ids() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Collect(maps.Keys(c.held))
}

// living is the condition that a claim is worked on.
const living = "claim.sign > clock_timestamp() - $2::interval"

// ClaimRun stores who works on a run; see contract.RunClaimer.
func (m *Memory) ClaimRun(ctx context.Context, run contract.ClaimedRun) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	if run.ID == "" {
		return false, evidence.BadInput("a claim has no run", "name the run that it is for")
	}
	if err := intake.CheckClaim(run); err != nil {
		return false, err
	}
	got := false
	err := m.write(ctx, "claiming a run", func(tx attempt) error {
		tag, err := tx.Exec(ctx, `insert into claim(tenant, id, session, question, request, begun, holder, sign)
			select $1, $3, $4, $5, $6, $7, $8, clock_timestamp() where not exists(select 1 from run where tenant = $1 and uid = $3)
			on conflict(tenant, id) do update set session = excluded.session, question = excluded.question, request = excluded.request,
				begun = excluded.begun, holder = excluded.holder, sign = excluded.sign where not `+living,
			m.tenant, claimAlive, storableID(run.ID), storableID(run.Session), storableID(run.Question), append([]byte{}, run.Request...), within(run.Begun), m.claims.holder)
		if err != nil {
			return err
		}
		if got = tag.RowsAffected() == 1; got || !tx.again {
			return nil
		}
		// An attempt whose answer was lost may have done it.
		return tx.QueryRow(ctx, "select exists(select 1 from claim where tenant = $1 and id = $2 and holder = $3)", m.tenant, storableID(run.ID), m.claims.holder).Scan(&got)
	})
	if got && err == nil {
		m.claims.some.Store(true)
		m.claims.hold(storableID(run.ID), true)
		m.claims.signs.Do(func() { m.background.Go(m.signClaims) })
	}
	return got && err == nil, err
}

// signClaims says from time to time that the claims of this memory are alive.
func (m *Memory) signClaims() {
	tick := time.NewTicker(claimSign)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-m.ctx.Done():
			return
		}
		ctx, cancel := context.WithTimeout(m.ctx, claimSign)
		if err := m.renewClaims(ctx); err != nil && m.ctx.Err() == nil {
			m.log.Warn("the claims of runs could not be renewed", "err", m.server.explain(err))
		}
		cancel()
	}
}

// renewClaims leaves out those whose end could not be stored, so that nobody waits for them
// as long as this process lives.
func (m *Memory) renewClaims(ctx context.Context) error {
	ids := m.claims.ids()
	if len(ids) == 0 {
		return nil
	}
	return m.atOnce(ctx, func(tx pgx.Tx) error {
		// Those of other tenants wait for this connection, which must not wait for a removal.
		_, err := tx.Exec(ctx, `update claim set sign = clock_timestamp() where tenant = $1 and id in
			(select id from claim where tenant = $1 and holder = $2 and id = any($3) for no key update skip locked)`, m.tenant, m.claims.holder, ids)
		return err
	})
}

// endClaims lets others have the claims of this memory; what is stored of them stays.
func (m *Memory) endClaims() {
	if !m.claims.some.Load() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	err := m.atOnce(ctx, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "update claim set sign = '-infinity' where tenant = $1 and holder = $2", m.tenant, m.claims.holder)
		return err
	})
	if err != nil {
		m.log.Warn("the claims of runs could not be given back; they end within half a minute", "err", m.server.explain(err))
	}
}

// ReleaseRun ends a claim; see contract.RunClaimer.
func (m *Memory) ReleaseRun(ctx context.Context, id string) error {
	m.claims.hold(storableID(id), false)
	return m.write(ctx, "releasing a run", func(tx attempt) error {
		_, err := tx.Exec(ctx, "delete from claim where tenant = $1 and id = $3 and (holder = $4 or not "+living+")", m.tenant, claimAlive, storableID(id), m.claims.holder)
		return err
	})
}

// ClaimedRuns lists the claims; see contract.RunClaimer.
func (m *Memory) ClaimedRuns(ctx context.Context) ([]contract.ClaimedRun, error) {
	out := []contract.ClaimedRun{}
	old, expired := m.now().Add(-contract.ClaimKept), false
	err := m.read(ctx, "reading the claims of runs", func(tx pgx.Tx) error {
		out, expired = []contract.ClaimedRun{}, false
		return eachRow(ctx, tx, func(row pgx.Row) error {
			var run contract.ClaimedRun
			err := row.Scan(&run.ID, &run.Session, &run.Question, &run.Request, &run.Begun, &run.Alive)
			run.Begun = run.Begun.UTC()
			if run.Alive || run.Begun.After(old) {
				out = append(out, run)
			} else {
				expired = true
			}
			return err
		}, "select id, session, question, request, begun, "+living+" from claim where tenant = $1 order by begun, id", m.tenant, claimAlive)
	})
	if err != nil || !expired {
		return out, err
	}
	return out, m.write(ctx, "removing claims", func(tx attempt) error { // the words of a question are not kept for nothing
		_, err := tx.Exec(ctx, "delete from claim where tenant = $1 and begun <= $3 and not "+living, m.tenant, claimAlive, old)
		return err
	})
}

// removeClaims removes the claims of a session that is removed, and those whose question
// quotes what is. Who works on them goes on.
func (f *forgetting) removeClaims(ctx context.Context, tx pgx.Tx) error {
	rows, err := tx.Query(ctx, "select id, session, question from claim where tenant = $1", f.m.tenant)
	if err != nil {
		return err
	}
	type claim struct{ ID, Session, Question string }
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[claim])
	if err != nil {
		return err
	}
	for _, c := range all {
		quotes, err := f.quotes.isQuote(ctx, tx, c.Question)
		if err != nil {
			return err
		}
		if quotes || f.sel.WholeSession() && c.Session == storableID(f.sel.Session) {
			if _, err := tx.Exec(ctx, "delete from claim where tenant = $1 and id = $2", f.m.tenant, c.ID); err != nil {
				return err
			}
		}
	}
	return nil
}
