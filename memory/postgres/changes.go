package postgres

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/text"
	"github.com/research-mcp/research-mcp/memory/contract"
)

// keepChanges is how many changes are kept for followers. One that missed more reads
// everything again.
const keepChanges = 50_000

// A position is the feed's id and the snapshot of a call. What the snapshot does not see
// has changed since: the numbers of changes are given before their transactions end, so
// that a number alone would skip the slower of two writers.
var positionForm = text.Pattern(`^([0-9a-f-]{36})/([0-9]+:[0-9]+:[0-9,]*)$`)

// Changes returns the documents that changed after since; see contract.ChangeFeed.
func (m *Memory) Changes(ctx context.Context, since contract.Position) (contract.Changes, error) {
	out := contract.Changes{Documents: []contract.Change{}}
	var feed, snapshot string
	if since != "" {
		parts := positionForm().FindStringSubmatch(string(since))
		if parts == nil {
			return out, evidence.BadInput(fmt.Sprintf("%q is no position in the change feed", string(since)), "use the position of an earlier call, or none to begin")
		}
		feed, snapshot = parts[1], parts[2]
	}
	err := m.read(ctx, "reading the changes", func(tx pgx.Tx) error {
		out = contract.Changes{Documents: []contract.Change{}}
		now, standby, err := m.feedSnapshot(ctx, tx)
		if err != nil {
			return err
		}
		next := contract.Position(m.server.feed + "/" + now)
		if since == "" {
			out.Next = next
			return nil
		}
		if feed != m.server.feed || !standby && !snapshotOf(now).reaches(snapshot) {
			out.Next, out.Reset = next, true
			return nil
		}
		var lost bool
		if err := tx.QueryRow(ctx, "select exists(select 1 from feed where tenant = $1 and floor >= pg_snapshot_xmin($2::text::pg_snapshot))", m.tenant, snapshot).Scan(&lost); err != nil {
			return err
		}
		if lost {
			out.Next, out.Reset = next, true
			return nil
		}
		err = eachRow(ctx, tx, func(row pgx.Row) error {
			var doc int64
			var c contract.Change
			err := row.Scan(&doc, &c.ID)
			c.Key = strconv.FormatInt(doc, 10)
			out.Documents = append(out.Documents, c)
			return err
		}, `select c.doc, coalesce(d.uid, '') from (select doc, max(seq) seq from change where tenant = $1 and xid >= pg_snapshot_xmin($2::text::pg_snapshot)
				and not pg_visible_in_snapshot(xid, $2::text::pg_snapshot) group by doc) c
			left join doc d on d.tenant = $1 and d.id = c.doc order by c.seq`, m.tenant, snapshot)
		out.Next = since
		if len(out.Documents) > 0 {
			out.Next = next
		}
		return err
	})
	return out, err
}

// feedSnapshot returns what a transaction sees, in the text form of a snapshot.
func (m *Memory) feedSnapshot(ctx context.Context, tx pgx.Tx) (seen string, standby bool, err error) {
	var xmin int64
	if err := tx.QueryRow(ctx, "select s::text, pg_snapshot_xmin(s)::text::bigint, pg_is_in_recovery() from pg_current_snapshot() s").Scan(&seen, &xmin, &standby); err != nil || !standby {
		return seen, standby, err
	}
	// The snapshot of a standby does not name the transactions in progress.
	visible, err := column[int64](ctx, tx, "select distinct xid::text::bigint x from change where tenant = $1 and xid >= $2::text::xid8 order by x", m.tenant, strconv.FormatInt(xmin, 10))
	return snapshotWith(xmin, visible), standby, err
}

// mostBetween bounds the length of a position: who follows a standby for longer beside a
// transaction that does not end sees some changes again.
const mostBetween = 1000

// snapshotWith is a snapshot that sees what is before xmin, and the transactions visible.
func snapshotWith(xmin int64, visible []int64) string {
	xmax, between := xmin, []string{}
	for _, x := range visible {
		if x-xmin > mostBetween {
			break
		}
		for ; xmax < x; xmax++ {
			between = append(between, strconv.FormatInt(xmax, 10))
		}
		xmax = x + 1
	}
	return fmt.Sprintf("%d:%d:%s", xmin, xmax, strings.Join(between, ","))
}

// snapshotOf is the text form of a snapshot: xmin:xmax:in progress.
type snapshotOf string

// reaches reports whether an earlier snapshot can be of the same server: after a restore,
// transactions that it knows of have not been yet.
func (s snapshotOf) reaches(earlier string) bool {
	end := func(text string) uint64 {
		parts := strings.Split(text, ":")
		n, err := strconv.ParseUint(parts[1], 10, 64)
		if err != nil {
			return 1<<64 - 1
		}
		return n
	}
	return end(earlier) <= end(string(s))
}

// trimMost is how many changes one transaction removes.
const trimMost = 10_000

// trimChanges shortens the log to about keepChanges: followers that have not read what is
// removed begin anew, because the feed says how far back it reaches. Of several processes
// one does it, and each transaction is small.
func (m *Memory) trimChanges(ctx context.Context) error {
	for {
		// A log that is short enough, as it mostly is, costs a look at both of its ends.
		var long bool
		err := m.snapshot(ctx, func(tx pgx.Tx) error {
			return tx.QueryRow(ctx, "select coalesce((select max(seq) from change where tenant = $1) - (select min(seq) from change where tenant = $1) > $2, false)", m.tenant, m.keepChanges()).Scan(&long)
		})
		if err != nil || !long {
			return err
		}
		var cut int64
		err = m.write(ctx, "shortening the log of changes", func(tx attempt) error {
			cut = 0
			var mine bool
			if err := tx.QueryRow(ctx, "select pg_try_advisory_xact_lock($1)", m.key(lockTrim)).Scan(&mine); err != nil || !mine {
				return err
			}
			return tx.QueryRow(ctx, `with old as (select seq from change where tenant = $1 and seq <= (select max(seq) - $2 from change where tenant = $1) order by seq limit $3),
				cut as (delete from change where tenant = $1 and seq in (select seq from old) returning xid),
				floor as (insert into feed(tenant, floor) select $1, xid from cut order by xid desc limit 1
					on conflict(tenant) do update set floor = greatest(feed.floor, excluded.floor))
				select count(*) from cut`, m.tenant, m.keepChanges(), trimMost).Scan(&cut)
		})
		if err != nil || cut < trimMost {
			return err
		}
	}
}

func (m *Memory) keepChanges() int64 {
	if m.fewChanges > 0 {
		return m.fewChanges
	}
	return keepChanges
}
