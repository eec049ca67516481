package postgres

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/rank"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

// steps are the migrations in order: the layout n is that after the first n.
func steps() []string {
	entries, err := migrationFiles.ReadDir("migrations")
	if err != nil {
		panic(err) // embedded
	}
	var out []string
	for _, e := range entries { // sorted by name
		b, err := migrationFiles.ReadFile("migrations/" + e.Name())
		if err != nil {
			panic(err)
		}
		out = append(out, string(b))
	}
	return out
}

// newest is the layout that this program knows.
func newest() int {
	entries, _ := migrationFiles.ReadDir("migrations")
	return len(entries)
}

// migrate makes or updates the layout. Of several processes, one does: the others wait.
func (s *server) migrate(ctx context.Context, conn *pgx.Conn, log *slog.Logger) error {
	if version, err := s.layout(ctx, conn); err != nil {
		return err
	} else if version < newest() {
		key := lockKey(s.schema, "", lockMigrate)
		if _, err := conn.Exec(ctx, "select pg_advisory_lock($1)", key); err != nil {
			return err
		}
		defer conn.Exec(context.WithoutCancel(ctx), "select pg_advisory_unlock($1)", key) //nolint:errcheck // the end of the connection frees it
		if err := s.update(ctx, conn, log); err != nil {
			return err
		}
	}
	if err := s.findExtensions(ctx, conn); err != nil {
		return err
	}
	s.indexWords(ctx, conn, log)
	var oldest int
	err := conn.QueryRow(ctx, "select feed, "+fmt.Sprintf(oldestWords, "current_setting('"+tenantSetting+"', true)")+" from memory_layout").Scan(&s.feed, &oldest)
	s.oldWords = oldest < rank.WordsVersion
	return err
}

// layout returns the version of the stored layout, 0 if there is none. A schema with
// tables of another program, and a layout of a newer one, are Problems.
func (s *server) layout(ctx context.Context, conn *pgx.Conn) (int, error) {
	var ours bool
	var others []string
	err := conn.QueryRow(ctx, `select exists(select 1 from pg_class where relnamespace = $1::regnamespace and relname = 'memory_layout' and relkind = 'r'),
		array(select relname::text from pg_class c where relnamespace = $1::regnamespace and relkind in ('r', 'p', 'f', 'v', 'm')
			and not exists(select 1 from pg_depend d where d.objid = c.oid and d.deptype = 'e') order by relname limit 4)`,
		pgx.Identifier{s.schema}.Sanitize()).Scan(&ours, &others)
	if err != nil {
		return 0, err
	}
	if !ours {
		if len(others) == 0 {
			return 0, nil
		}
		return 0, s.notOurs(others)
	}
	var version int
	var program string
	err = conn.QueryRow(ctx, "select version, program from "+pgx.Identifier{s.schema, "memory_layout"}.Sanitize()).Scan(&version, &program)
	var pg *pgconn.PgError
	switch {
	case errors.As(err, &pg) && pg.Code == undefinedColumn, errors.Is(err, pgx.ErrNoRows), err == nil && program != programName:
		return 0, s.notOurs(others)
	case err != nil:
		return 0, err
	case version > newest():
		return 0, newerLayout(*s, version)
	}
	return version, nil
}

const programName = "research-mcp"

func (s *server) notOurs(tables []string) *evidence.Problem {
	return &evidence.Problem{
		What: fmt.Sprintf("the schema %s of the database %s belongs to another program: it has %s", s.schema, s.name, strings.Join(tables, ", ")),
		Try: fmt.Sprintf("make a database for the memory (CREATE DATABASE research_memory OWNER %[1]s ENCODING 'UTF8' TEMPLATE template0) and name it in memory.url, or a schema (CREATE SCHEMA research_memory AUTHORIZATION %[1]s) and add search_path=research_memory to memory.url",
			pgx.Identifier{s.user}.Sanitize()),
	}
}

func newerLayout(s server, version int) *evidence.Problem {
	return &evidence.Problem{What: fmt.Sprintf("the memory in %s has the layout %d of a newer program; this one knows %d", s.name, version, newest()),
		Try: "update research-mcp on this machine; nothing was changed"}
}

// update runs the missing migrations, each in a transaction.
func (s *server) update(ctx context.Context, conn *pgx.Conn, log *slog.Logger) error {
	if err := s.makeExtensions(ctx, conn, log); err != nil {
		return err
	}
	for i, step := range steps() {
		version, err := s.layout(ctx, conn) // as another process has left it
		if err != nil {
			return err
		}
		if i < version {
			continue
		}
		if err := s.step(ctx, conn, i, step, log); err != nil {
			if i > 0 && codeOf(err) == insufficientPrivilege {
				return s.notOwner(ctx, conn, i, err)
			}
			if slices.Contains([]string{duplicateObject, duplicateTable, duplicateFunction}, codeOf(err)) {
				return s.notOurs([]string{messageOf(err)})
			}
			return err
		}
		log.Info("the layout of the memory was updated", "database", s.name, "version", i+1)
	}
	return nil
}

// notOwner is the Problem of a user who may use the tables and not change them, as servers
// do; see docs/guides/postgres.md.
func (s *server) notOwner(ctx context.Context, conn *pgx.Conn, version int, cause error) error {
	var owner string
	if err := conn.QueryRow(ctx, "select relowner::regrole::text from pg_class where oid = $1::regclass", pgx.Identifier{s.schema, "memory_layout"}.Sanitize()).Scan(&owner); err != nil {
		return err
	}
	return &evidence.Problem{What: fmt.Sprintf("the memory in %s has the layout %d of an older program, and the user %s may not update it to %d", s.name, version, s.user, newest()),
		Try:   fmt.Sprintf("run `research-mcp doctor` of this version once with the owner of the tables, %s, as the user in memory.url, and give %s the rights of new tables (docs/guides/postgres.md)", owner, s.user),
		Cause: cause}
}

const (
	// stepWait is how long a migration waits for a table, while all others wait for it. It is
	// shorter than the server's deadlock_timeout: the migration gives way, and no writer.
	stepWait = 500 * time.Millisecond
	// stepFor is for how long that is tried again.
	stepFor   = time.Minute
	stepPause = 250 * time.Millisecond
)

// step runs the migration from the layout i on, when nobody else has the tables.
func (s *server) step(ctx context.Context, conn *pgx.Conn, i int, sql string, log *slog.Logger) error {
	for began := time.Now(); ; {
		err := pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
			if err := s.still(ctx, tx, i); err != nil {
				return err
			}
			if _, err := tx.Exec(ctx, sql); err != nil {
				return err
			}
			_, err := tx.Exec(ctx, "update memory_layout set version = $1", i+1)
			return err
		})
		code := codeOf(err)
		if err == nil || code != lockNotAvailable && code != deadlock {
			return wrapped(err, fmt.Sprintf("updating the layout to %d", i+1))
		}
		if time.Since(began) > stepFor {
			return &evidence.Problem{What: fmt.Sprintf("the layout of the memory in %s was not updated to %d: others have been using its tables for %s; nothing was changed", s.name, i+1, stepFor),
				Try: "end long transactions (an export, pg_dump; SELECT pid, xact_start, query FROM pg_stat_activity ORDER BY xact_start), or stop the older servers, then start again", Cause: err}
		}
		log.Warn("the layout is updated as soon as others do not use the tables", "database", s.name, "version", i+1)
		select {
		case <-time.After(stepPause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// still makes the tables wait for tx. Writers begin with memory_layout: so those that have
// begun end first, and the others have no lock yet.
func (s *server) still(ctx context.Context, tx pgx.Tx, version int) error {
	if version == 0 {
		_, err := tx.Exec(ctx, `create table memory_layout(version int not null, program text not null, feed text not null default gen_random_uuid()::text);
			insert into memory_layout(version, program) values(0, '`+programName+"')")
		return err
	}
	if _, err := tx.Exec(ctx, "select set_config('lock_timeout', $1, true)", strconv.FormatInt(stepWait.Milliseconds(), 10)); err != nil {
		return err
	}
	tables, err := column[string](ctx, tx, `select c.relname::text from pg_class c left join unnest(array['memory_layout', 'doc', 'body', 'tally', 'passage', 'change']) with ordinality o(name, n) on name = relname
		where relnamespace = quote_ident(current_schema())::regnamespace and relkind = 'r' and not exists(select 1 from pg_depend d where d.objid = c.oid and d.deptype = 'e') order by n nulls last, relname`)
	if err != nil {
		return err
	}
	for i, t := range tables {
		tables[i] = pgx.Identifier{s.schema, t}.Sanitize()
	}
	_, err = tx.Exec(ctx, "lock table "+strings.Join(tables, ", ")+" in access exclusive mode")
	return err
}

func wrapped(err error, doing string) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// makeExtensions adds pgvector, which is needed, and pg_textsearch, which is not.
func (s *server) makeExtensions(ctx context.Context, conn *pgx.Conn, log *slog.Logger) error {
	key := lockKey("", "", lockMigrate) // of the database: other schemas may be made at the same time
	if _, err := conn.Exec(ctx, "select pg_advisory_lock($1)", key); err != nil {
		return err
	}
	defer conn.Exec(context.WithoutCancel(ctx), "select pg_advisory_unlock($1)", key) //nolint:errcheck // the end of the connection frees it
	var vector, words, public bool
	var available string
	err := conn.QueryRow(ctx, `select exists(select 1 from pg_extension where extname = 'vector'),
		coalesce((select default_version from pg_available_extensions where name = 'vector'), ''),
		exists(select 1 from pg_available_extensions where name = 'pg_textsearch' and installed_version is null),
		coalesce(has_schema_privilege(to_regnamespace('public'), 'create'), false)`).Scan(&vector, &available, &words, &public)
	switch {
	case err != nil:
		return err
	case !vector && available != "" && older(available, oldestVector): // nothing is left of it here
		return s.oldVector(available)
	}
	where := "" // the first schema of the search path
	if public { // all memories of the database use it, whoever may see the schema of this one
		where = " schema public"
	}
	if !vector {
		if _, err := conn.Exec(ctx, "create extension if not exists vector"+where); err != nil {
			return s.noVector(err)
		}
	}
	if words {
		if _, err := conn.Exec(ctx, "create extension if not exists pg_textsearch"+where); err != nil {
			log.Warn("pg_textsearch cannot be used; words are searched without it", "err", err)
		}
	}
	return s.findExtensions(ctx, conn)
}

// noVector explains why pgvector could not be added.
func (s *server) noVector(err error) error {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return err
	}
	switch pg.Code {
	case insufficientPrivilege:
		return &evidence.Problem{What: fmt.Sprintf("the database %s does not have the extension pgvector, and the user %s may not add it", s.name, s.user),
			Try: "let a superuser run: " + s.psql("CREATE EXTENSION vector"), Cause: err}
	case undefinedFile, featureNotSupported:
		return &evidence.Problem{What: fmt.Sprintf("the server of %s does not have the extension pgvector", s.name),
			Try: fmt.Sprintf("install it on the server (Debian: apt install postgresql-%d-pgvector; others: https://github.com/pgvector/pgvector), then start again", s.version), Cause: err}
	}
	return err
}

func (s *server) oldVector(version string) *evidence.Problem {
	return &evidence.Problem{What: fmt.Sprintf("the server of %s has pgvector %s; %s or newer is needed", s.name, version, oldestVector),
		Try: "install the newer one on the server, then, if the database has it already: " + s.psql("ALTER EXTENSION vector UPDATE")}
}

// findExtensions finds the schemas of the extensions. That pgvector is missing or too old
// is a Problem.
func (s *server) findExtensions(ctx context.Context, conn *pgx.Conn) error {
	rows, err := conn.Query(ctx, `select e.extname, e.extversion, n.nspname from pg_extension e join pg_namespace n on n.oid = e.extnamespace
		where e.extname in ('vector', 'pg_textsearch') order by e.extname`)
	if err != nil {
		return err
	}
	var name, version, schema string
	vector := ""
	path := []string{pgx.Identifier{s.schema}.Sanitize()}
	s.bm25 = false
	_, err = pgx.ForEachRow(rows, []any{&name, &version, &schema}, func() error {
		switch name {
		case "vector":
			vector = version
		case "pg_textsearch":
			s.bm25 = true
		}
		path = append(path, pgx.Identifier{schema}.Sanitize())
		return nil
	})
	if err != nil {
		return err
	}
	s.path = strings.Join(path, ", ")
	switch {
	case vector == "":
		return &evidence.Problem{What: fmt.Sprintf("the database %s does not have the extension pgvector", s.name),
			Try: "let a superuser run: " + s.psql("CREATE EXTENSION vector")}
	case older(vector, oldestVector):
		return s.oldVector(vector)
	}
	_, err = conn.Exec(ctx, "select set_config('search_path', $1, false)", s.path)
	return err
}

// older compares versions such as 0.8.1 number by number.
func older(a, b string) bool {
	x, y := strings.Split(a, "."), strings.Split(b, ".")
	for i := range min(len(x), len(y)) {
		m, _ := strconv.Atoi(x[i])
		n, _ := strconv.Atoi(y[i])
		if m != n {
			return m < n
		}
	}
	return len(x) < len(y)
}

// bmIndex is the index of pg_textsearch over the stems, with the schema: another memory's
// may be on the search path.
func (s *server) bmIndex() string { return pgx.Identifier{s.schema, bmName}.Sanitize() }

const bmName = "passage_bm"

// indexWords adds the index of pg_textsearch to a memory that is small or has none: for a
// large one it takes long, and the administrator chooses the time.
func (s *server) indexWords(ctx context.Context, conn *pgx.Conn, log *slog.Logger) {
	if !s.bm25 {
		return
	}
	var there, valid, large bool
	err := conn.QueryRow(ctx, `select to_regclass($1) is not null, exists(select 1 from pg_index where indexrelid = to_regclass($1) and indisvalid),
		(select count(*) = 10000 from (select 1 from passage limit 10000) top)`, s.bmIndex()).Scan(&there, &valid, &large)
	switch {
	case err == nil && valid:
		return
	case err == nil && there: // CREATE INDEX CONCURRENTLY is at work, or was broken off
		log.Warn("words are searched without pg_textsearch: its index is not complete. If nobody is making it, drop it and make it again, and restart the servers",
			"command", "DROP INDEX "+bmName+"; CREATE INDEX CONCURRENTLY "+bmName+" ON passage "+bmForm)
	case err == nil && large:
		log.Warn("words are searched without pg_textsearch until its index is made", "command", "CREATE INDEX CONCURRENTLY "+bmName+" ON passage "+bmForm)
	case err == nil:
		if _, err = conn.Exec(ctx, "create index if not exists "+bmName+" on passage "+bmForm); err == nil {
			return
		}
	}
	if err != nil {
		log.Warn("pg_textsearch cannot be used; words are searched without it", "err", err)
	}
	s.bm25 = false
}

const bmForm = "using bm25(stems) with (text_config = 'simple', k1 = 1.2, b = 0.75)"
