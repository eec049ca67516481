package local

import (
	"context"
	"database/sql"
	"path/filepath"
	"testing"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/contract"
)

// olderWords makes the file at dir as an older program left it: layout 2, with terms
// that lack the other forms of words.
func olderWords(t *testing.T, dir string) {
	t.Helper()
	execOn(t, filepath.Join(dir, fileName), `UPDATE chunk SET terms='t ' || CASE doc WHEN 1 THEN 'getuserbyid load row' WHEN 2 THEN 'c librari' ELSE 'glacier move' END;
		UPDATE tally SET n=(SELECT sum(length(terms) - length(replace(terms, ' ', '')) + 1) FROM chunk) WHERE name='terms';
		INSERT INTO fts(fts) VALUES('rebuild');
		DROP TABLE words; DROP TABLE cell; DROP TABLE codebook; DROP INDEX vec_missing; ALTER TABLE vec DROP COLUMN missing; ALTER TABLE vec DROP COLUMN sum; PRAGMA user_version=2`)
}

func foundBy(t *testing.T, l *Local, query string) string {
	t.Helper()
	r, err := l.Recall(t.Context(), evidence.RecallQuery{Text: query, Mode: evidence.ModeBM25})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Hits) == 0 {
		return ""
	}
	return r.Hits[0].Document.URL
}

func checkWordsOf(t *testing.T, l *Local) {
	t.Helper()
	for query, want := range map[string]string{"user by id": "https://x.test/1", "C++": "https://x.test/2", "glaciers": "https://x.test/3"} {
		if got := foundBy(t, l, query); got != want {
			t.Errorf("%q finds %q, want %q", query, got, want)
		}
	}
	r, err := l.Check(t.Context())
	if err != nil || !r.OK || r.Documents != 3 {
		t.Errorf("Check = %+v, %v", r, err)
	}
}

func TestWordsOfAnOlderProgramAreMadeAnew(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := openIn(t, dir)
	for i, s := range []string{"getUserById loads the row", "The C++ library", "A glacier moves"} {
		keep(t, l, textDoc(i+1, s))
	}
	checkWordsOf(t, l)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	olderWords(t, dir)
	checkWordsOf(t, openIn(t, dir))
}

// A document that lost its text must not keep an older memory from being opened.
func TestOlderMemoryWithADocumentWithoutText(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := openIn(t, dir)
	for i, s := range []string{"getUserById loads the row", "The C++ library", "A glacier moves"} {
		keep(t, l, textDoc(i+1, s))
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	olderWords(t, dir)
	execOn(t, filepath.Join(dir, fileName), "DELETE FROM body WHERE doc=2")
	l = openIn(t, dir)
	for query, want := range map[string]string{"user by id": "https://x.test/1", "glaciers": "https://x.test/3"} {
		if got := foundBy(t, l, query); got != want {
			t.Errorf("%q finds %q, want %q", query, got, want)
		}
	}
	if r, err := l.Check(t.Context()); err != nil || r.OK {
		t.Errorf("Check = %+v, %v, want the damage reported", r, err)
	}
}

// A large memory is made anew in steps; each is durable, and Reindex completes it.
func TestWordsAreMadeAnewInSteps(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := openIn(t, dir)
	for i, s := range []string{"getUserById loads the row", "The C++ library", "A glacier moves"} {
		keep(t, l, textDoc(i+1, s))
	}
	l.stopWords()
	execOn(t, l.path, "UPDATE words SET version=1, upto=0, since=0; UPDATE chunk SET terms='t x'; UPDATE tally SET n=6 WHERE name='terms'; INSERT INTO fts(fts) VALUES('rebuild')")
	if got := foundBy(t, l, "user by id"); got != "" {
		t.Fatalf("the old words find %q: the test proves nothing", got)
	}
	step := func() (done bool) {
		t.Helper()
		err := l.write(t.Context(), "testing", func(tx *sql.Tx) error {
			var err error
			done, err = l.voc.rebuildWords(t.Context(), tx, 1)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return done
	}
	if done := step(); done || foundBy(t, l, "user by id") != "https://x.test/1" || foundBy(t, l, "glaciers") != "" {
		t.Errorf("after one step: done %v, %q and %q", done, foundBy(t, l, "user by id"), foundBy(t, l, "glaciers"))
	}
	if !l.wordsLeft(t.Context()) {
		t.Error("nothing is left after one step of three")
	}
	embed := func(_ context.Context, texts []string) ([][]float32, error) {
		out := make([][]float32, len(texts))
		for i := range out {
			out[i] = []float32{1, 0}
		}
		return out, nil
	}
	if _, err := l.Reindex(t.Context(), evidence.Model{Name: "m", Revision: "1", Dims: 2, Kind: evidence.KindLexical}, embed, func(contract.Progress) {}); err != nil {
		t.Fatal(err)
	}
	if l.wordsLeft(t.Context()) {
		t.Error("Reindex left words of the older version")
	}
	checkWordsOf(t, l)
}

// What Put stores needs no other words later.
func TestPutMakesTheWordsOfThisVersion(t *testing.T) {
	t.Parallel()
	l := openIn(t, t.TempDir())
	keep(t, l, textDoc(1, "Die Straße von Minsk nach Brest wurde im Jahr 1900 gebaut, und sie ist sehr lang. getUserById"))
	l.stopWords()
	execOn(t, l.path, "UPDATE words SET version=1, upto=0, since=0")
	before := termsOf(t, l)
	if err := l.finishWords(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	if after := termsOf(t, l); after != before {
		t.Errorf("the terms were %q, and are %q", before, after)
	}
	if got := foundBy(t, l, "STRASSE"); got != "https://x.test/1" {
		t.Errorf("STRASSE finds %q", got)
	}
}

func termsOf(t *testing.T, l *Local) (terms string) {
	t.Helper()
	if err := l.rdb.QueryRowContext(t.Context(), "SELECT group_concat(terms, '|') FROM chunk").Scan(&terms); err != nil {
		t.Fatal(err)
	}
	return terms
}
