package postgres

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/contract"
)

// connectAs is a connection as that of a memory, so that no small table is read or sorted
// as a whole if there is an index.
func connectAs(t *testing.T, m *Memory) *pgx.Conn {
	t.Helper()
	conn := connectedAs(t, m.pool.Config().ConnConfig, m.tenant)
	if _, err := conn.Exec(t.Context(), "set enable_seqscan = off; set enable_sort = off"); err != nil {
		t.Fatal(err)
	}
	return conn
}

// docsHaving returns the documents that memory_having finds, with how many passages.
func docsHaving(t *testing.T, conn *pgx.Conn, terms []string, q evidence.RecallQuery) map[int64]int {
	t.Helper()
	docs, err := column[int64](t.Context(), conn, "select at_doc from "+having, havingArgs(terms, 100, nil, q)...)
	if err != nil {
		t.Fatalf("memory_having(%q): %v", terms, err)
	}
	out := map[int64]int{}
	for _, d := range docs {
		out[d]++
	}
	return out
}

// explain is the plan of a query, without its costs.
func explain(t *testing.T, conn *pgx.Conn, query string, args ...any) string {
	t.Helper()
	lines, err := column[string](t.Context(), conn, "explain (costs off) "+query, args...)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return strings.Join(lines, "\n")
}

// A role that row-level security binds finds words, vectors and what is to be embedded by
// the indexes.
func TestBoundRoleUsesIndexes(t *testing.T) {
	t.Parallel()
	blue, _, schema := tenants(t)
	other := textDoc(2, "")
	var pieces evidence.Chunks
	for i := range 1000 { // of a few, none is found by an index of words
		from := len(other.Text)
		other.Text += fmt.Sprintf("Number %d is another one. ", i)
		pieces.Items = append(pieces.Items, evidence.Chunk{Start: from, End: len(other.Text)})
	}
	if _, err := blue.Put(t.Context(), other, pieces); err != nil {
		t.Fatal(err)
	}
	admin(t, "vacuum analyze "+schema+".passage")
	conn := connectAs(t, blue)
	scans := func() (n int) {
		t.Helper()
		if _, err := conn.Exec(t.Context(), "select pg_stat_force_next_flush()"); err != nil {
			t.Fatal(err)
		}
		if err := conn.QueryRow(t.Context(), "select idx_scan from pg_stat_all_indexes where indexrelid = 'passage_stems'::regclass").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	before := scans()
	if got := docsHaving(t, conn, []string{"zanzibar"}, evidence.RecallQuery{}); len(got) != 1 {
		t.Errorf("memory_having(zanzibar) = %v, want one document", got)
	}
	if after := scans(); after != before+1 {
		t.Errorf("%d scans of passage_stems, want one", after-before)
	}
	s, _, err := blue.findSpace(t.Context(), conn, evidence.Model{Name: "m", Revision: "1"})
	if err != nil {
		t.Fatal(err)
	}
	if plan := explain(t, conn, nearestQuery(s), blue.tenant, []float32{1, 0}, 1); !strings.Contains(plan, s.table()+"_v ") {
		t.Errorf("the nearest vectors are found by\n%s", plan)
	}
	for _, query := range []string{missingQuery, newestQuery} {
		if plan := explain(t, conn, query, blue.tenant, s.id, 1); !strings.Contains(plan, "embedded_missing") {
			t.Errorf("what is to be embedded is found by\n%s", plan)
		}
	}
	if !blue.server.bm25 {
		return
	}
	if plan := explain(t, conn, rankedQuery, blue.tenant, "zanzibar", 1, blue.server.bmIndex()); !strings.Contains(plan, "passage_bm ") {
		t.Errorf("the best passages are found by\n%s", plan)
	}
}

// memory_having has the rights of the owner, and finds nothing of another tenant.
func TestHavingFindsOnlyTheTenantsOwn(t *testing.T) {
	t.Parallel()
	blue, red, schema := tenants(t)
	conn := connectAs(t, blue)
	own, err := column[int64](t.Context(), conn, "select doc from passage")
	if err != nil || len(own) == 0 {
		t.Fatalf("passages of blue: %v, %v", own, err)
	}
	hostile := [][]string{
		{}, {"zanzibar"}, {"red"}, {"ledger"}, {""}, {"%"}, {"zanzibar' or true --"}, {`zanzibar"} or true`}, {"$1"}, {"red", "zanzibar"},
	}
	queries := []evidence.RecallQuery{
		{}, {Source: "test"}, {Session: "s_red"}, {Source: "test' or d.tenant = 'red"}, {Tags: []string{"' or true --"}}, {Session: "s_blue"},
	}
	for _, terms := range hostile {
		for _, q := range queries {
			for doc := range docsHaving(t, conn, terms, q) {
				if doc != own[0] {
					t.Errorf("memory_having(%q, %+v) as blue finds document %d, which is not blue's %v", terms, q, doc, own)
				}
			}
		}
	}
	if got := docsHaving(t, conn, nil, evidence.RecallQuery{}); len(got) != 0 {
		t.Errorf("memory_having(null) = %v, want nothing", got)
	}
	if got := docsHaving(t, conn, []string{"zanzibar"}, evidence.RecallQuery{Session: "s_blue", Source: "test"}); got[own[0]] != 1 {
		t.Errorf("memory_having(zanzibar) in its session = %v, want document %d", got, own[0])
	}
	if got := docsHaving(t, connectAs(t, red), []string{"zanzibar"}, evidence.RecallQuery{}); len(got) != 1 || got[own[0]] != 0 {
		t.Errorf("memory_having(zanzibar) as red = %v", got)
	}
	for _, x := range []string{"set research.tenant = ''", "reset research.tenant"} {
		if _, err := conn.Exec(t.Context(), x); err != nil {
			t.Fatal(err)
		}
		var seen int
		if err := conn.QueryRow(t.Context(), "select count(*) from passage").Scan(&seen); err != nil {
			t.Fatal(err)
		}
		if got := docsHaving(t, conn, []string{}, evidence.RecallQuery{}); len(got) != seen {
			t.Errorf("after %q memory_having finds %v, and the table has %d", x, got, seen)
		}
	}
	stranger := "stranger_" + schema
	admin(t, "create role "+stranger+" login password '"+serverPassword+"'", "grant usage on schema "+schema+" to "+stranger)
	t.Cleanup(func() {
		conn, err := pgx.Connect(context.Background(), database)
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close(context.Background())
		if _, err := conn.Exec(context.Background(), "drop owned by "+stranger+"; drop role "+stranger); err != nil {
			t.Error(err)
		}
	})
	cfg := blue.pool.Config().ConnConfig
	cfg.User, cfg.Password = stranger, serverPassword
	other := connectedAs(t, cfg, blue.tenant)
	if _, err := column[int64](t.Context(), other, "select at_doc from "+having, havingArgs([]string{"zanzibar"}, 1, nil, evidence.RecallQuery{})...); codeOf(err) != insufficientPrivilege {
		t.Errorf("memory_having by a role that may not read passages = %v, want it refused", err)
	}
}

// What was there before a model is followed, what comes and changes meanwhile, and what is
// missing in the queue: all of it gets vectors, the newest first.
func TestFillQueue(t *testing.T) {
	t.Parallel()
	m := open(t)
	const before = 30
	for i := range before {
		keep(t, m, textDoc(i, fmt.Sprintf("old text %d", i)))
	}
	model := evidence.Model{Name: "filled", Revision: "1", Dims: 2, Kind: evidence.KindTransformer}
	var order []string
	changed := false
	embed := func(_ context.Context, texts []string) ([][]float32, error) {
		order = append(order, texts...)
		if !changed { // while the first ones are embedded
			changed = true
			keep(t, m, textDoc(before, "new text"))
			keep(t, m, textDoc(1, "another text"))
			if _, err := m.Forget(t.Context(), contract.Selector{IDs: []string{textDoc(2, "").ID}, Confirm: true}); err != nil {
				t.Error(err)
			}
		}
		out := make([][]float32, len(texts))
		for i := range out {
			out[i] = []float32{1, 1}
		}
		return out, nil
	}
	filled := func(when string, want int) {
		t.Helper()
		if p, err := m.FillVectors(t.Context(), model, embed, nil); err != nil || p.Done != want || p.Total != want {
			t.Fatalf("FillVectors %s = %+v, %v, want all of %d", when, p, err, want)
		}
		if q, err := m.MissingVectors(t.Context(), model); err != nil || q.Documents != 0 || q.Chunks != 0 {
			t.Errorf("MissingVectors %s = %+v, %v, want none", when, q, err)
		}
		if r, err := m.Check(t.Context()); err != nil || len(r.Problems) > 0 {
			t.Errorf("Check %s = %q, %v", when, r.Problems, err)
		}
	}
	filled("of old documents", before)
	all := strings.Join(order, "\n")
	if !strings.Contains(order[0], fmt.Sprint("old text ", before-1)) || !strings.Contains(all, "new text") || !strings.Contains(all, "another text") {
		t.Errorf("embedded were %q, want the newest first, and what was stored meanwhile", order)
	}
	keep(t, m, textDoc(before+1, "later text"))
	if q, err := m.MissingVectors(t.Context(), model); err != nil || q.Documents != 1 || q.Chunks != 1 {
		t.Errorf("MissingVectors after a Put = %+v, %v, want one", q, err)
	}
	filled("after a Put", before+1)
	keep(t, m, textDoc(before+2, "a text of which the queue knows nothing"))
	if _, err := m.pool.Exec(t.Context(), "delete from embedded where missing > 0"); err != nil {
		t.Fatal(err)
	}
	filled("after the loss of the queue", before+2)
}

// In a large memory the frequencies of common terms come from a sample, whether or not
// vectors are compared: without one, all terms of more than mostCounted passages would
// weigh the same.
func TestWordsAloneAreSampledToo(t *testing.T) {
	t.Parallel()
	m := open(t)
	keep(t, m, textDoc(1, "A common text."))
	keep(t, m, textDoc(2, "Another common text."))
	ask := func() {
		t.Helper()
		r, err := m.Recall(t.Context(), evidence.RecallQuery{Text: "common", Mode: evidence.ModeBM25})
		if err != nil || len(r.Hits) != 2 {
			t.Fatalf("Recall = %+v, %v", r, err)
		}
	}
	if ask(); m.grams.sampled() {
		t.Error("a small memory is sampled for words alone")
	}
	m.many = 1
	if ask(); !m.grams.sampled() {
		t.Error("a large memory is not sampled for words alone")
	}
}

// A login without rights of its own, which takes the role of servers by a setting, has its
// rights.
func TestRoleThatIsSet(t *testing.T) {
	t.Parallel()
	blue, _, schema := tenants(t)
	role := blue.pool.Config().ConnConfig.User
	login := "login_" + schema
	admin(t, fmt.Sprintf("create role %s login noinherit password '%s' in role %s", login, serverPassword, role))
	t.Cleanup(func() {
		conn, err := pgx.Connect(context.Background(), database)
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close(context.Background())
		if _, err := conn.Exec(context.Background(), "drop role "+login); err != nil {
			t.Error(err)
		}
	})
	at, err := url.Parse(with("search_path", schema+",public", "role", role))
	if err != nil {
		t.Fatal(err)
	}
	at.User = url.UserPassword(login, serverPassword)
	m, err := Open(t.Context(), contract.Config{URL: at.String(), Tenant: "blue"})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	found, err := m.Recall(t.Context(), evidence.RecallQuery{Text: "ledger zanzibar", K: 10})
	if err != nil || len(found.Hits) != 1 || !strings.Contains(found.Hits[0].Passage.Text, "blue") {
		t.Errorf("Recall = %+v, %v", found.Hits, err)
	}
}

// Times that PostgreSQL does not have are no error in any way to find words.
func TestFarTimesWithoutTextsearch(t *testing.T) {
	t.Parallel()
	m := open(t)
	m.server.bm25, m.mostExact = false, 5 // more pass than are compared
	for i := range 30 {
		keep(t, m, textDoc(i, "words of the sea"))
	}
	for _, q := range []evidence.RecallQuery{
		{Text: "sea", K: 5, Until: time.Date(400_000, 1, 1, 0, 0, 0, 0, time.UTC)},
		{Text: "sea", K: 5, Since: time.Date(-9000, 1, 1, 0, 0, 0, 0, time.UTC)},
	} {
		if found, err := m.Recall(t.Context(), q); err != nil || len(found.Hits) != 5 {
			t.Errorf("from %v to %v: %d hits, %v, want 5", q.Since, q.Until, len(found.Hits), err)
		}
	}
}
