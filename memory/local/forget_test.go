package local

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/contract"
)

func keep(t *testing.T, l *Local, d evidence.Document) {
	t.Helper()
	if _, err := l.Put(t.Context(), d, evidence.Chunks{}); err != nil {
		t.Fatal(err)
	}
}

func say(t *testing.T, l *Local, session string, turns ...evidence.Turn) {
	t.Helper()
	if err := l.Append(t.Context(), session, turns...); err != nil {
		t.Fatal(err)
	}
}

// holding returns the files under dir that contain marker.
func holding(t *testing.T, dir, marker string) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if bytes.Contains(b, []byte(marker)) {
			out = append(out, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

const secret = "The zanzibarquux marker says that seven purple herons slept there."

func schemaVersion(t *testing.T, l *Local) int {
	t.Helper()
	var n int
	if err := l.wdb.QueryRowContext(t.Context(), "PRAGMA schema_version").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// Text that other documents contain too does not cause a rewrite, which would
// increase the schema version.
func TestForgetDoesNotRewriteForSharedText(t *testing.T) {
	t.Parallel()
	l := openIn(t, t.TempDir())
	shared := strings.Repeat("All rights reserved; reuse as the licence of the publisher allows. ", 5)
	for i := range 20 {
		keep(t, l, textDoc(i, shared+fmt.Sprintf("Number %d.", i)))
	}
	before := schemaVersion(t, l)
	if r, err := l.Forget(t.Context(), contract.Selector{URL: "https://x.test/7"}); err != nil || r.Documents != 1 || len(r.Warnings) > 0 {
		t.Fatalf("Forget = %+v, %v", r, err)
	}
	if got := schemaVersion(t, l); got != before {
		t.Error("the file was rewritten")
	}
}

// The file is rewritten if split pages contain a copy.
func TestForgetRewritesWhereACopyIsLeft(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := openIn(t, dir)
	keep(t, l, textDoc(1, "What stays."))
	keep(t, l, textDoc(2, secret))
	if err := l.truncateWAL(t.Context()); err != nil {
		t.Fatal(err)
	}
	// The unallocated space of a page in use may contain old bytes.
	b, err := os.ReadFile(l.path)
	if err != nil {
		t.Fatal(err)
	}
	const page = 4096
	spare := bytes.LastIndex(b, make([]byte, 200)) / page * page
	at := spare + bytes.LastIndex(b[spare:min(len(b), spare+page)], make([]byte, 100))
	f, err := os.OpenFile(l.path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteAt([]byte(secret), int64(at))
	if err = errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	before := schemaVersion(t, l)
	if r, err := l.Forget(t.Context(), contract.Selector{URL: "https://x.test/2"}); err != nil || r.Documents != 1 || len(r.Warnings) > 0 {
		t.Fatalf("Forget = %+v, %v", r, err)
	}
	if left := holding(t, dir, "zanzibarquux"); len(left) > 0 {
		t.Errorf("it is still in %q", left)
	}
	if schemaVersion(t, l) == before {
		t.Error("the file was not rewritten")
	}
	if rep, err := l.Check(t.Context()); err != nil || !rep.OK {
		t.Errorf("Check = %+v, %v", rep, err)
	}
}

// A document of many chunks is removed without the secure delete of FTS5, which
// would hold the lock for seconds. Nothing of it remains in the word index.
func TestForgetOfManyChunks(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := openIn(t, dir)
	var b strings.Builder
	var c evidence.Chunks
	for i := range 300 {
		start := b.Len()
		fmt.Fprintf(&b, "The zanzibarquuxword%dlong stands here. ", i)
		c.Items = append(c.Items, evidence.Chunk{Start: start, End: b.Len()})
	}
	keep(t, l, textDoc(1, "What stays."))
	if _, err := l.Put(t.Context(), textDoc(2, b.String()), c); err != nil {
		t.Fatal(err)
	}
	if r, err := l.Forget(t.Context(), contract.Selector{URL: "https://x.test/2"}); err != nil || r.Chunks != 300 || len(r.Warnings) > 0 {
		t.Fatalf("Forget = %+v, %v", r, err)
	}
	if left := holding(t, dir, "zanzibarquux"); len(left) > 0 {
		t.Errorf("it is still in %q", left)
	}
	var secure int
	if err := l.wdb.QueryRowContext(t.Context(), "SELECT v FROM fts_config WHERE k='secure-delete'").Scan(&secure); err != nil || secure != 1 {
		t.Errorf("secure delete is %d afterwards, %v", secure, err)
	}
	if rep, err := l.Check(t.Context()); err != nil || !rep.OK {
		t.Errorf("Check = %+v, %v", rep, err)
	}
}

// Uncited quotations are removed with the document, in scripts without spaces
// too, unless another document contains them as well.
func TestForgetAndUncitedQuotes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, forgotten, kept, said string
		want                        bool // the turn is removed
	}{
		{"quoted", secret, "", "Somebody said: " + strings.ToLower(secret), true},
		{"not quoted", secret, "", "Herons are birds of the delta, and they sleep.", false},
		{"a short sentence that is theirs alone", "It was released in 2009.", "", "I read that it was released in 2009.", true},
		{"a short sentence that stays elsewhere", "It was released in 2009. " + secret, "Go is a language. It was released in 2009.", "It was released in 2009.", false},
		{"one of two stays elsewhere", "It was released in 2009. " + secret, "It was released in 2009.", "It was released in 2009. " + secret, true},
		{"Chinese", "紫色的苍鹭在旧灯塔下睡了七个晚上。", "", "有人告诉我紫色的苍鹭在旧灯塔下睡了七个晚上,真的吗?", true},
		{"Japanese, a part", "昔々、紫色のアオサギが古い灯台の下で七晩眠っていたと言われている。", "", "紫色のアオサギが古い灯台の下で七晩眠っていた", true},
		{"Thai", "นกกระสาสีม่วงเจ็ดตัวนอนอยู่ใต้ประภาคารเก่า", "", "จริงไหมว่านกกระสาสีม่วงเจ็ดตัวนอนอยู่ใต้ประภาคารเก่า", true},
		{"Chinese, something else", "紫色的苍鹭在旧灯塔下睡了七个晚上。", "", "今天天气很好,我们去公园看苍鹭吧。", false},
		{"Chinese that stays elsewhere", "紫色的苍鹭在旧灯塔下睡了七个晚上。", "书上说紫色的苍鹭在旧灯塔下睡了七个晚上。", "紫色的苍鹭在旧灯塔下睡了七个晚上", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			l := openIn(t, t.TempDir())
			keep(t, l, textDoc(1, c.forgotten))
			if c.kept != "" {
				keep(t, l, textDoc(2, c.kept))
			}
			say(t, l, "s_other", evidence.Turn{Role: evidence.RoleUser, Text: "Hello."}, evidence.Turn{Role: evidence.RoleAssistant, Text: c.said})
			if _, err := l.Forget(t.Context(), contract.Selector{URL: "https://x.test/1"}); err != nil {
				t.Fatal(err)
			}
			s, err := l.Open(t.Context(), "s_other")
			if err != nil || len(s.Turns) != 2 || (s.Turns[1].Text != c.said) != c.want {
				t.Errorf("the turns are %+v, %v, want removed: %v", s.Turns, err, c.want)
			}
		})
	}
}

// Many turns that quote a document need a confirmation too.
func TestForgetCountsTurnsForItsConfirmation(t *testing.T) {
	t.Parallel()
	l := openIn(t, t.TempDir())
	keep(t, l, textDoc(1, secret))
	for range contract.ConfirmTurns {
		say(t, l, "s_other", evidence.Turn{Role: evidence.RoleUser, Text: secret})
	}
	var p *evidence.Problem
	if _, err := l.Forget(t.Context(), contract.Selector{URL: "https://x.test/1"}); !errors.As(err, &p) || !strings.Contains(p.What, "100 turns") {
		t.Errorf("Forget = %v, want it to ask", err)
	}
	if r, err := l.Forget(t.Context(), contract.Selector{URL: "https://x.test/1", Confirm: true}); err != nil || r.Documents != 1 {
		t.Errorf("Forget with a yes = %+v, %v", r, err)
	}
}

// An answer in progress during a Forget does not bring its quotation back; one
// that cites a document that was put again is stored.
func TestAppendAfterForget(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := openIn(t, dir)
	d := textDoc(1, secret)
	answer := func(run string) evidence.Turn {
		return evidence.Turn{Role: evidence.RoleAssistant, Text: secret, Run: &evidence.Answer{RunID: run, Answer: secret,
			Citations: []evidence.Citation{{N: 1, Quote: secret, DocumentID: d.ID}}}}
	}
	say(t, l, "s_before", answer("r_never_put")) // its document was never stored: no reason to refuse it
	keep(t, l, d)
	if _, err := l.Forget(t.Context(), contract.Selector{IDs: []string{d.ID}}); err != nil {
		t.Fatal(err)
	}
	say(t, l, "s_late", answer("r_late"))
	if left := holding(t, dir, "zanzibarquux"); len(left) > 0 {
		t.Errorf("a late answer brought it back into %q", left)
	}
	var cites int
	if err := l.rdb.QueryRowContext(t.Context(), "SELECT count(*) FROM cites").Scan(&cites); err != nil || cites != 0 {
		t.Errorf("%d citations outlive their answers, %v", cites, err)
	}
	keep(t, l, d)
	say(t, l, "s_again", answer("r_again"))
	if _, ok, err := l.Run(t.Context(), "r_again"); !ok || err != nil {
		t.Errorf("an answer on a document that came back is not kept: %v", err)
	}
}

// After many documents were removed at once, counters, word index and change
// log are right.
func TestForgetOfManyDocuments(t *testing.T) {
	t.Parallel()
	for _, stay := range []int{1, smallMemory + 50} { // the word index is rebuilt, and merged
		t.Run(fmt.Sprint(stay), func(t *testing.T) {
			t.Parallel()
			forgetMany(t, stay)
		})
	}
}

func forgetMany(t *testing.T, stay int) {
	dir := t.TempDir()
	l, other := openIn(t, dir), openIn(t, dir)
	const n = cutChanges + 200
	var lines bytes.Buffer
	fmt.Fprintln(&lines, `{"memory":{"format":1,"written_at":"2026-01-01T00:00:00Z"}}`)
	var ids []string
	for i := range n {
		ids = append(ids, fmt.Sprintf("d_%d", i))
		fmt.Fprintf(&lines, `{"document":{"id":"d_%d","source":"s","url":"https://x.test/%d","title":"T","text":"zanzibarquux number %d","retrieved_at":"2026-01-01T00:00:00Z","own":true,"chunks":[]}}`+"\n", i, i, i)
	}
	text := strings.Repeat("kept ", stay) // one word a chunk
	var chunks []string
	for i := range stay {
		chunks = append(chunks, fmt.Sprintf("[%d,%d]", 5*i, 5*i+4))
	}
	fmt.Fprintf(&lines, `{"document":{"id":"stays","source":"s","url":"https://y.test","title":"T","text":%q,"retrieved_at":"2026-01-01T00:00:00Z","own":true,"chunks":[%s]}}`+"\n", text, strings.Join(chunks, ","))
	fmt.Fprintf(&lines, `{"end":{"documents":%d,"sessions":0}}`+"\n", n+1)
	if m, err := l.Import(t.Context(), &lines, contract.ImportOptions{}); err != nil || m.Documents != n+1 {
		t.Fatalf("Import = %+v, %v", m, err)
	}
	before, err := lastChange(t.Context(), l.rdb)
	if err != nil {
		t.Fatal(err)
	}
	if r, err := l.Forget(t.Context(), contract.Selector{IDs: ids, Confirm: true}); err != nil || r.Documents != n || r.Chunks != n || r.Remaining != 1 || len(r.Warnings) > 0 {
		t.Fatalf("Forget = %d documents, %d chunks, %q, %v", r.Documents, r.Chunks, r.Warnings, err)
	}
	if after, err := lastChange(t.Context(), l.rdb); err != nil || after != before+n {
		t.Errorf("%d changes were logged, %v, want %d", after-before, err, n)
	}
	if left := holding(t, dir, "zanzibarquux"); len(left) > 0 {
		t.Errorf("it is still in %q", left)
	}
	for _, m := range []*Local{l, other} {
		if rep, err := m.Check(t.Context()); err != nil || !rep.OK || rep.Documents != 1 || rep.Chunks != stay {
			t.Errorf("Check = %+v, %v", rep, err)
		}
	}
}
