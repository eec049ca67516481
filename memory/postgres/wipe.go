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
const tableFiles = `select jsonb_object_agg(relname, pg_relation_filenode(oid))::text from pg_class where relnamespace = quote_ident(current_schema())::regnamespace
	and relkind = 'r' and (relname in ('doc', 'body', 'passage', 'session', 'turn', 'run', 'cites', 'link', 'claim') or relname like 'vec\_%')`

// later is what a receipt says of the bytes.
const later = "the rows are gone; their bytes leave the files of the server when its tables are rewritten (VACUUM FULL or pg_repack), and its backups when those expire: see docs/guides/postgres.md"

// bytesLeft is the condition that a table is still in the file that a removal had it in.
const bytesLeft = "exists(select 1 from jsonb_each(wipe.files::jsonb) e where now.files -> e.key = e.value)"

// wipeRetried is longer than a removal is tried again after its answer was lost, by the
// clock of any process: until then it is found by its token.
const wipeRetried = 24 * time.Hour

// tidyWipes removes the records of removals of which no bytes are left, and makes one of
// those that wait for the same tables: there are never more than the tables have had files,
// and those of a day.
func (m *Memory) tidyWipes(ctx context.Context, tx pgx.Tx) error {
	b := &pgx.Batch{}
	before := m.now().Add(-wipeRetried)
	b.Queue("with now as materialized (select ("+tableFiles+")::jsonb files) delete from wipe using now where tenant = $1 and at < $2 and not "+bytesLeft, m.tenant, before)
	b.Queue(`with several as (select files from wipe where tenant = $1 and at < $2 group by files having count(*) > 1),
			old as (delete from wipe using several where tenant = $1 and at < $2 and wipe.files = several.files returning token, at, documents, wipe.files, removals)
		insert into wipe(tenant, token, at, documents, files, removals) select $1, min(token), min(at), sum(documents), files, sum(removals) from old group by files`, m.tenant, before)
	return tx.SendBatch(ctx, b).Close()
}

// unwiped says which removals have left bytes: those since which a table was not
// rewritten. It is empty if there are none.
func (m *Memory) unwiped(ctx context.Context, tx pgx.Tx) (string, error) {
	var n int
	var since *time.Time
	err := tx.QueryRow(ctx, `with now as materialized (select (`+tableFiles+`)::jsonb files)
		select coalesce(sum(removals), 0)::bigint, min(at) from wipe, now where tenant = $1 and `+bytesLeft, m.tenant).Scan(&n, &since)
	if err != nil || n == 0 {
		return "", err
	}
	return fmt.Sprintf("the bytes of %s since %s are still in files of the server: run VACUUM FULL or pg_repack (docs/guides/postgres.md)", text.Count(n, "removal"), since.UTC().Format(time.DateOnly)), nil
}
