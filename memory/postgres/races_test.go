package postgres

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/contract"
)

// gate stops the transactions that log a change, in the middle of their work.
type gate struct {
	t    *testing.T
	conn *pgx.Conn
}

func shut(t *testing.T, m *Memory) gate {
	t.Helper()
	return gate{t, admin(t, "begin", "lock table "+m.server.schema+".change in share mode")}
}

// holds waits until n others wait for the gate, or for one that does.
func (g gate) holds(n int) {
	g.t.Helper()
	watch := admin(g.t)
	eventually(g.t, fmt.Sprintf("%d transactions wait", n), func() bool {
		var waiting int
		err := watch.QueryRow(g.t.Context(), `with recursive held(pid) as (select $1::int union
			select a.pid from pg_stat_activity a join held on held.pid = any(pg_blocking_pids(a.pid)) where a.datname = current_database())
			select count(*) - 1 from held`, g.conn.PgConn().PID()).Scan(&waiting)
		return err == nil && waiting >= n
	})
}

func (g gate) open() {
	g.t.Helper()
	if _, err := g.conn.Exec(context.Background(), "commit"); err != nil {
		g.t.Fatal(err)
	}
}

// inTurn runs calls so that each begins when those before it stand at the gate, and opens it
// then.
func inTurn(t *testing.T, m *Memory, calls ...func() error) {
	t.Helper()
	g := shut(t, m)
	ended := make(chan error, len(calls))
	for i, call := range calls {
		go func() { ended <- call() }()
		g.holds(i + 1)
	}
	g.open()
	for range calls {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

var raceModel = evidence.Model{Name: "race", Revision: "1", Dims: 4, Kind: evidence.KindTransformer}

func embedOnes(_ context.Context, texts []string) ([][]float32, error) {
	out := make([][]float32, len(texts))
	for i := range out {
		out[i] = []float32{1, 0, 0, 0}
	}
	return out, nil
}

func put(m *Memory, doc evidence.Document) func() error {
	return func() error {
		_, err := m.Put(context.Background(), doc, evidence.Chunks{})
		return err
	}
}

func fill(m *Memory) func() error {
	return func() error {
		_, err := m.FillVectors(context.Background(), raceModel, embedOnes, nil)
		return err
	}
}

func wantText(t *testing.T, m *Memory, id, want string) {
	t.Helper()
	if d, ok, err := m.Document(t.Context(), id); err != nil || !ok || d.Text != want {
		t.Errorf("document %s = %q (%v, %v), want %q", id, d.Text, ok, err, want)
	}
}

func wantWhole(t *testing.T, m *Memory) {
	t.Helper()
	if r, err := m.Check(t.Context()); err != nil || !r.OK {
		t.Errorf("Check = %+v, %v", r, err)
	}
}

// A text that changes while vectors of the old one are stored has none, and gets its own.
func TestPutWhileVectorsAreFilled(t *testing.T) {
	t.Parallel()
	m := open(t)
	keep(t, m, textDoc(1, "the first text about whales"))
	if err := fill(m)(); err != nil { // so that the table of the model is there
		t.Fatal(err)
	}
	keep(t, m, textDoc(2, "the second text about sharks"))
	inTurn(t, m, fill(m), put(m, textDoc(2, "another text about horses")))
	if err := fill(m)(); err != nil { // the first may have gone on with the new text
		t.Error(err)
	}
	if q, err := m.MissingVectors(t.Context(), raceModel); err != nil || q.Documents != 0 {
		t.Errorf("MissingVectors = %+v, %v, want none", q, err)
	}
	wantWhole(t, m)
}

// What was acknowledged stays, although it was stored while Retain removed what it replaces.
func TestPutWhileOldIsRemoved(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{"the same text": "an old text", "another text": "a new text"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := aging(t)
			d := textDoc(1, "an old text")
			d.Retrieved = time.Now().Add(-2 * time.Hour)
			keep(t, m, d)
			d.Retrieved, d.Text = time.Now(), body
			inTurn(t, m, func() error { _, err := m.Retain(context.Background()); return err }, put(m, d))
			wantText(t, m, "d1", body)
			wantWhole(t, m)
		})
	}
}

// aging is a memory that keeps documents for an hour.
func aging(t *testing.T) *Memory {
	t.Helper()
	needServer(t)
	m, err := openAt(t.Context(), contract.Config{Dir: t.TempDir(), Keep: contract.Retention{MaxAge: time.Hour}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	return m
}

// Retain leaves what is retrieved again after it has looked.
func TestRetainWhileOldIsPut(t *testing.T) {
	t.Parallel()
	m := aging(t)
	for i := range 2 {
		d := textDoc(i, fmt.Sprint("an old text ", i))
		d.Retrieved = time.Now().Add(-2 * time.Hour)
		keep(t, m, d)
	}
	again := textDoc(1, "an old text 1")
	again.Retrieved = time.Now()
	var removed evidence.Receipt
	// The lock of the row stands for a Put that has stored it and not yet ended.
	conn := admin(t, "begin", "set search_path = "+m.server.schema+", public", "update doc set retrieved = now() where uid = 'd1'")
	ended := make(chan error, 1)
	go func() {
		var err error
		removed, err = m.Retain(context.Background())
		ended <- err
	}()
	gate{t, conn}.holds(1)
	if _, err := conn.Exec(t.Context(), "commit"); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil || removed.Documents != 1 {
		t.Errorf("Retain = %+v, %v, want 1 document", removed, err)
	}
	wantText(t, m, "d1", again.Text)
}

// A vector of the old text is not stored for the new one.
func TestAddVectorsWhileTheTextChanges(t *testing.T) {
	t.Parallel()
	m := open(t)
	before, after := "the old text about whales", "the new text about horse"
	keep(t, m, textDoc(1, "a text"))
	if err := fill(m)(); err != nil {
		t.Fatal(err)
	}
	keep(t, m, textDoc(2, before))
	added := 0
	inTurn(t, m, put(m, textDoc(2, after)), func() (err error) {
		added, err = m.AddVectors(context.Background(), raceModel, []contract.ChunkVector{{
			Passage: evidence.Passage{DocumentID: "d2", End: len(before), Text: before}, Vector: []float32{0, 0, 0, 1}}})
		return err
	})
	if q, err := m.MissingVectors(t.Context(), raceModel); err != nil || added != 0 || q.Documents != 1 {
		t.Errorf("AddVectors = %d; MissingVectors = %+v, %v, want 0 and 1 document", added, q, err)
	}
	wantText(t, m, "d2", after)
	wantWhole(t, m)
}

// An import skips a document that is being put.
func TestImportWhileTheDocumentIsPut(t *testing.T) {
	t.Parallel()
	from, m := open(t), open(t)
	keep(t, from, textDoc(1, "the text of the export"))
	var export bytes.Buffer
	if _, err := from.Export(t.Context(), &export, contract.ExportOptions{}); err != nil {
		t.Fatal(err)
	}
	var moved contract.Moved
	inTurn(t, m, put(m, textDoc(1, "the newer text")), func() (err error) {
		moved, err = m.Import(context.Background(), &export, contract.ImportOptions{})
		return err
	})
	if moved.Skipped != 1 || moved.Documents != 0 {
		t.Errorf("Import = %+v, want 1 skipped", moved)
	}
	wantText(t, m, "d1", "the newer text")
}

// Vectors are those of the passages that were read: a text cut otherwise meanwhile, into as
// many, has none of them; and one that was changed and changed back is filled again.
func TestChangesWhileTextsAreEmbedded(t *testing.T) {
	t.Parallel()
	m := open(t)
	body := "One sentence. Two sentences. Three sentences."
	cut := func(at int) evidence.Chunks {
		return evidence.Chunks{Items: []evidence.Chunk{{End: at}, {Start: at, End: len(body)}}}
	}
	store := func(doc evidence.Document, c evidence.Chunks) {
		t.Helper()
		if _, err := m.Put(t.Context(), doc, c); err != nil {
			t.Fatal(err)
		}
	}
	store(textDoc(1, body), cut(14))
	calls := 0
	var last []string
	_, err := m.FillVectors(t.Context(), raceModel, func(ctx context.Context, texts []string) ([][]float32, error) {
		last = texts
		switch calls++; calls {
		case 1:
			store(textDoc(1, body), cut(29))
		case 2: // it is stored, and read as another text before it is filled again
			store(textDoc(1, "Another text."), evidence.Chunks{})
		case 3:
			store(textDoc(1, body), cut(29))
		}
		return embedOnes(ctx, texts)
	}, nil)
	if err != nil || calls != 4 || len(last) != 2 || last[1] != contract.EmbeddedText("t", false, body[29:]) {
		t.Errorf("FillVectors embedded %q in call %d, %v", last, calls, err)
	}
	wantWhole(t, m)
}

// What is to be embedded may be read again, because a connection was lost; what is there
// less often than it was stored ends the work.
func TestFillReadsAgain(t *testing.T) {
	t.Parallel()
	m := open(t)
	keep(t, m, textDoc(1, "a text"))
	s, err := m.spaceFor(t.Context(), raceModel, true)
	if err != nil {
		t.Fatal(err)
	}
	f := &filling{m: m, space: s, embed: embedOnes, p: &contract.Progress{}, docs: 1, chunks: 1, stored: map[[32]byte]int{}}
	if err := f.follow(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range mostStored {
		gaps, err := f.next(t.Context())
		if err != nil || len(gaps) != 1 {
			t.Fatalf("next = %v, %v, want 1 gap", gaps, err)
		}
		if gaps, err = f.next(t.Context()); err != nil || len(gaps) != 1 {
			t.Fatalf("next, once more = %v, %v, want 1 gap", gaps, err)
		}
		if err := f.fill(t.Context(), gaps); err != nil {
			t.Fatal(err)
		}
		keep(t, m, textDoc(1, "another text"))
		keep(t, m, textDoc(1, "a text"))
	}
	if gaps, err := f.next(t.Context()); err == nil {
		t.Errorf("next after %d fills = %v, want an error", mostStored, gaps)
	}
}

// A document that had another text for a moment, between two parts of it, has all vectors.
func TestVectorsOfATextThatComesBack(t *testing.T) {
	t.Parallel()
	m := open(t)
	doc := textDoc(1, "")
	var pieces evidence.Chunks
	for i := range 20 {
		from := len(doc.Text)
		doc.Text += fmt.Sprintf("Number %d is another one. ", i)
		pieces.Items = append(pieces.Items, evidence.Chunk{Start: from, End: len(doc.Text)})
	}
	store := func() {
		if _, err := m.Put(t.Context(), doc, pieces); err != nil {
			t.Error(err)
		}
	}
	store()
	calls := 0
	_, err := m.FillVectors(t.Context(), raceModel, func(ctx context.Context, texts []string) ([][]float32, error) {
		if calls++; calls == 2 {
			keep(t, m, textDoc(1, "something else"))
			store()
		}
		out, err := embedOnes(ctx, texts)
		if calls == 3 {
			out[0] = []float32{0, 0, 0, 0} // one that cannot be used has no row
		}
		return out, err
	}, nil)
	if err != nil {
		t.Error(err)
	}
	var vectors int
	if err := admin(t).QueryRow(t.Context(), "select count(*) from "+m.server.schema+".vec_1").Scan(&vectors); err != nil || vectors != len(pieces.Items)-1 {
		t.Errorf("%d passages have vectors, %v, want all but one of %d", vectors, err, len(pieces.Items))
	}
	if q, err := m.MissingVectors(t.Context(), raceModel); err != nil || q.Chunks != 0 {
		t.Errorf("missing: %+v, %v", q, err)
	}
	wantWhole(t, m)
}
