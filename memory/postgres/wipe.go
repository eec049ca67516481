package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/research-mcp/research-mcp/internal/text"
)

// tableFiles is the files of the tables that hold what was read or said. Deleted rows stay
// in a file, also after VACUUM, until the table is rewritten into another one.
const tableFiles = `select jsonb_object_agg(relname, pg_relation_filenode(oid))::text from pg_class where relnamespace = current_schema()::regnamespace
	and relkind = 'r' and (relname in ('doc', 'body', 'passage', 'session', 'turn', 'run', 'cites', 'link', 'claim') or relname like 'vec\_%')`

// later is what a receipt says of the bytes.
const later = "the rows are gone; their bytes leave the files of the server when its tables are rewritten (VACUUM FULL or pg_repack), and its backups when those expire: see docs/guides/postgres.md"

// unwiped says which removals have left bytes: those since which a table was not
// rewritten. It is empty if there are none.
func (m *Memory) unwiped(ctx context.Context, tx pgx.Tx) (string, error) {
	var n int
	var since *time.Time
	err := tx.QueryRow(ctx, `with now as materialized (select (`+tableFiles+`)::jsonb files)
		select count(*), min(at) from wipe, now where tenant = $1 and exists(select 1 from jsonb_each(wipe.files::jsonb) e where now.files -> e.key = e.value)`, m.tenant).Scan(&n, &since)
	if err != nil || n == 0 {
		return "", err
	}
	return fmt.Sprintf("the bytes of %s since %s are still in files of the server: run VACUUM FULL or pg_repack (docs/guides/postgres.md)", text.Count(n, "removal"), since.UTC().Format(time.DateOnly)), nil
}
