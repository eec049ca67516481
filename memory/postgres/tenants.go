package postgres

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/contract"
)

// tenantSetting is what the policies of the tables compare with: whose rows a connection
// sees, unless its role can bypass row-level security.
const tenantSetting = "research.tenant"

var _ contract.Tenanted = (*Memory)(nil)

// register notes the tenant of this memory, so that it is known before it has rows.
func (m *Memory) register(ctx context.Context) error {
	if m.tenant == "" {
		return nil
	}
	bound := true
	err := m.retriedIn(ctx, "opening the memory of a tenant", writeFor, m.seated, func() error {
		return m.atOnce(ctx, func(tx pgx.Tx) error {
			if err := tx.QueryRow(ctx, "select row_security_active('tenant')").Scan(&bound); err != nil {
				return err
			}
			// A plain insert would write to the index each time.
			if _, err := tx.Exec(ctx, "insert into tenant(name) select $1 where not exists(select 1 from tenant where name = $1) on conflict do nothing", m.tenant); err != nil {
				return err
			}
			return tx.QueryRow(ctx, "select added from tenant where name = $1", m.tenant).Scan(&m.added)
		})
	})
	if err == nil && !bound {
		m.log.Warn("the user of memory.url can bypass row-level security: tenants are kept apart by this program alone; docs/guides/postgres.md has a role for servers", "user", m.server.user)
	}
	return err
}

// mayWrite refuses a tenant that was removed, also if there is a new one of its name: what
// this memory knows of the tables is of the old one. The caller has the lock of writers,
// for which a removal waits.
func (m *Memory) mayWrite(ctx context.Context, tx pgx.Tx) error {
	if m.tenant == "" {
		return nil
	}
	var there bool
	if err := tx.QueryRow(ctx, "select exists(select 1 from tenant where name = $1 and added = $2)", m.tenant, m.added).Scan(&there); err != nil || there {
		return err
	}
	m.removed.Store(true)
	return &evidence.Problem{What: fmt.Sprintf("the tenant %q was removed", m.tenant), Try: "call again to begin anew with an empty memory", Cause: contract.ErrTenantRemoved}
}

// Removed reports whether the tenant of this memory was removed; see contract.Tenanted.
func (m *Memory) Removed() bool { return m.removed.Load() }

// Tenants returns the names of the tenants; see contract.Tenanted.
func (m *Memory) Tenants(ctx context.Context) ([]string, error) {
	var names []string
	err := m.read(ctx, "listing the tenants", func(tx pgx.Tx) error {
		if err := m.ofOwner(ctx, tx); err != nil {
			return err
		}
		var err error
		names, err = column[string](ctx, tx, "select name from tenant order by name collate \"C\"")
		return err
	})
	return names, err
}

// ofOwner refuses a role that sees its own rows only.
func (m *Memory) ofOwner(ctx context.Context, tx pgx.Tx) error {
	var owner string
	var bound bool
	err := tx.QueryRow(ctx, "select row_security_active(oid), relowner::regrole::text from pg_class where oid = 'tenant'::regclass").Scan(&bound, &owner)
	if err != nil || !bound {
		return err
	}
	return &evidence.Problem{What: fmt.Sprintf("the user %s sees the rows of one tenant only", m.server.user),
		Try: fmt.Sprintf("for this command, let memory.url name the owner of the tables, %s, as its user", owner)}
}

// AddTenant notes a tenant; see contract.Tenanted.
func (m *Memory) AddTenant(ctx context.Context, name string) (added bool, err error) {
	err = m.write(ctx, "adding a tenant", func(tx attempt) error {
		if err := m.ofOwner(ctx, tx); err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, "insert into tenant(name) values($1) on conflict do nothing", name)
		added = tag.RowsAffected() > 0 || tx.again
		return err
	})
	return added, err
}

// tenantTables are all with rows of tenants, but for those of vectors: what refers to another
// is before it, so that each row is counted.
const tenantTables = `with recursive refers(relation, depth) as (
		select c.oid, 0 from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant' and not a.attisdropped
			where c.relnamespace = quote_ident(current_schema())::regnamespace and c.relkind = 'r' and c.relname not like 'vec\_%'
		union all select k.conrelid, r.depth + 1 from refers r join pg_constraint k on k.confrelid = r.relation and k.contype = 'f' and k.conrelid <> k.confrelid
			join pg_class c on c.oid = k.conrelid and c.relname not like 'vec\_%')
	select relation::regclass::text from refers group by relation order by max(depth) desc, relation`

// removeWait is how long a removal waits for a table that others read, before it lets those
// go on that wait behind it, and tries again.
const removeWait = "300ms"

// RemoveTenant removes every row of a tenant in one transaction, and the tables of its
// vectors with their files; see contract.Tenanted.
func (m *Memory) RemoveTenant(ctx context.Context, name string) (rows int64, found bool, err error) {
	if name == "" {
		return 0, false, evidence.BadInput("no tenant is named", "`research-mcp tenant list` shows all")
	}
	err = m.write(ctx, "removing a tenant", func(tx attempt) error {
		rows, found = 0, false
		if err := m.ofOwner(ctx, tx); err != nil {
			return err
		}
		for _, purpose := range []string{lockWrite, lockRelay} {
			if _, err := tx.Exec(ctx, "select pg_advisory_xact_lock($1)", lockKey(m.server.schema, name, purpose)); err != nil {
				return err
			}
		}
		tables, err := column[string](ctx, tx, tenantTables)
		if err != nil {
			return err
		}
		if err := dropVectors(ctx, tx, name); err != nil {
			return err
		}
		for _, table := range tables {
			tag, err := tx.Exec(ctx, "delete from "+table+" where tenant = $1", name)
			if err != nil {
				return err
			}
			rows += tag.RowsAffected()
		}
		tag, err := tx.Exec(ctx, "delete from tenant where name = $1", name)
		found = tag.RowsAffected() > 0 || rows > 0 || tx.again
		return err
	})
	if codeOf(err) == lockNotAvailable {
		err = &evidence.Problem{What: fmt.Sprintf("the tenant %q was not removed from the memory in %s: somebody has been reading the tables all the time, as an export or a backup does", name, m.server.name),
			Try: "try again when that has ended; nothing was removed there", Cause: err}
	}
	return rows, found, err
}

// dropVectors removes the tables of a tenant's vectors. Whoever comes after it waits for
// those, so it is not waited for long.
func dropVectors(ctx context.Context, tx pgx.Tx, tenant string) error {
	models, err := column[int](ctx, tx, "select id from model where tenant = $1", tenant)
	if err != nil || len(models) == 0 {
		return err
	}
	tables := make([]string, len(models))
	for i, id := range models {
		tables[i] = space{id: id}.table()
	}
	if _, err := tx.Exec(ctx, "set local lock_timeout = '"+removeWait+"'"); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, "drop table "+strings.Join(tables, ", ")); err != nil {
		return err
	}
	_, err = tx.Exec(ctx, "set local lock_timeout = default")
	return err
}
