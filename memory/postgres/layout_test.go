package postgres

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/contract"
)

// oldLayout makes a schema as the first n migrations left it, and returns it.
func oldLayout(t *testing.T, n int) string {
	t.Helper()
	addExtension(t)
	schema := schemaOf(t.TempDir())
	conn := admin(t, "create schema "+schema, "set search_path = "+schema+", public",
		"create table memory_layout(version int not null, program text not null, feed text not null default gen_random_uuid()::text)",
		fmt.Sprintf("insert into memory_layout(version, program) values(%d, 'research-mcp')", n))
	for _, x := range steps()[:n] {
		if _, err := conn.Exec(t.Context(), x); err != nil {
			t.Fatal(err)
		}
	}
	return schema
}

// A layout is updated while an older program writes: it waits until a transaction ends, and
// gives way where both would wait for each other.
func TestUpdateOfALayoutInUse(t *testing.T) {
	t.Parallel()
	needServer(t)
	schema := oldLayout(t, 1)
	writer := admin(t, "set search_path = "+schema+", public", "select memory_space('', 'm', '1', 2, 'k', true)",
		"begin", "lock table passage, vec_1 in row exclusive mode") // in another order than that of Put
	opened := make(chan error, 1)
	go func() {
		m, err := Open(t.Context(), contract.Config{URL: with("search_path", schema+",public")})
		if err == nil {
			err = m.Close()
		}
		opened <- err
	}()
	look := admin(t)
	eventually(t, "the update waits for the writer", func() bool {
		var waits bool
		err := look.QueryRow(t.Context(), "select exists(select 1 from pg_locks where not granted and relation = ($1 || '.passage')::regclass and mode = 'AccessExclusiveLock')", schema).Scan(&waits)
		return err == nil && waits
	})
	for _, x := range []string{
		"insert into doc(uid,source,url,title,language,license,revision,retrieved,score,untrusted,truncated,pinned,own,hash,bytes,chunks,terms,words,tags,meta) values('d1','','','','','','',now(),0,false,false,false,true,'',0,0,0,1,'{}','{}')",
		"commit",
	} {
		if _, err := writer.Exec(t.Context(), x); err != nil {
			t.Errorf("the writer: %v", err)
		}
	}
	if err := <-opened; err != nil {
		t.Errorf("Open = %v", err)
	}
	var references int
	if err := look.QueryRow(t.Context(), "select count(*) from pg_constraint where confrelid = ($1 || '.passage')::regclass", schema).Scan(&references); err != nil || references != 0 {
		t.Errorf("%d tables reference passage, %v", references, err)
	}
}

// A program that updates a layout of any age leaves what is there, and works on it.
func TestUpdateOfEachLayout(t *testing.T) {
	t.Parallel()
	needServer(t)
	for n := 1; n < newest(); n++ {
		schema := oldLayout(t, n)
		admin(t, "set search_path = "+schema+", public", "set research.tenant = ''", "select memory_space('', 'm', '1', 2, 'transformer', true)")
		m, err := Open(t.Context(), contract.Config{URL: with("search_path", schema+",public")})
		if err != nil {
			t.Fatalf("from the layout %d: %v", n, err)
		}
		doc := textDoc(1, "words of a document")
		if _, err := m.Put(t.Context(), doc, unitVector(doc, "m")); err != nil {
			t.Errorf("from the layout %d: %v", n, err)
		}
		doc.Text = "other words of it"
		if _, err := m.Put(t.Context(), doc, evidence.Chunks{}); err != nil {
			t.Errorf("from the layout %d: %v", n, err)
		}
		if r, err := m.Check(t.Context()); err != nil || !r.OK || r.Vectors != 0 {
			t.Errorf("from the layout %d: Check = %+v, %v", n, r, err)
		}
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	}
}

// A migration that does not get the tables changes nothing.
func TestUpdateThatIsGivenUp(t *testing.T) {
	t.Parallel()
	needServer(t)
	schema := oldLayout(t, 1)
	held(t, schema, "select count(*) from passage")
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	if _, err := Open(ctx, contract.Config{URL: with("search_path", schema+",public")}); err == nil {
		t.Error("the layout was updated under a reader")
	}
	var version int
	if err := admin(t).QueryRow(t.Context(), "select version from "+pgx.Identifier{schema, "memory_layout"}.Sanitize()).Scan(&version); err != nil || version != 1 {
		t.Errorf("the layout is %d, %v", version, err)
	}
}

// A role of servers, which may not update an older layout, is told who does.
func TestUpdateIsForTheOwner(t *testing.T) {
	t.Parallel()
	needServer(t)
	schema := oldLayout(t, 4)
	dropServerRole(t, schema)
	url, err := serverRole(t.Context(), schema)
	if err != nil {
		t.Fatal(err)
	}
	_, err = Open(t.Context(), contract.Config{URL: url, Tenant: "blue"})
	wantProblem(t, err, "layout 4", "may not update", "doctor", mustParse(t, database).User.Username())
	owner, err := Open(t.Context(), contract.Config{URL: with("search_path", schema+",public")})
	if err != nil {
		t.Fatal(err)
	}
	if err := owner.Close(); err != nil {
		t.Error(err)
	}
	m, err := Open(t.Context(), contract.Config{URL: url, Tenant: "blue"})
	if err != nil {
		t.Fatal(err)
	}
	keep(t, m, textDoc(1, "words of a document"))
	if err := m.Close(); err != nil {
		t.Error(err)
	}
}

// A schema may have any name that PostgreSQL allows.
func TestSchemaOfAnyName(t *testing.T) {
	t.Parallel()
	needServer(t)
	addExtension(t)
	path := pgx.Identifier{`Odd"schema"-1`}.Sanitize()
	admin(t, "create schema "+path)
	m, err := Open(t.Context(), contract.Config{URL: with("search_path", path), Tenant: "blue"})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close() //nolint:errcheck // nothing is lost by it
	keep(t, m, textDoc(1, "Herons wade in shallow water."))
	hits, err := m.Recall(t.Context(), evidence.RecallQuery{Text: "herons", K: 3})
	if err != nil || len(hits.Hits) != 1 {
		t.Errorf("Recall = %v, %v, want one hit", hits, err)
	}
	if s, err := m.Stats(t.Context()); err != nil || s.Documents != 1 || s.Bytes == 0 {
		t.Errorf("Stats = %+v, %v", s, err)
	}
	if rows, found, err := m.RemoveTenant(t.Context(), "blue"); err != nil || !found || rows == 0 {
		t.Errorf("RemoveTenant = %d rows, %v, %v", rows, found, err)
	}
}
