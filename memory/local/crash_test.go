package local

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/contract"
)

// TestMain makes the test binary a child process if its environment says so: a
// writer, which puts documents and prints the id of each when Put has returned,
// or one that is to be killed in the middle of a Forget, a Reindex or a
// FillVectors.
func TestMain(m *testing.M) {
	if dir := os.Getenv("MEMORY_TEST_WRITER"); dir != "" {
		if err := writeDocs(dir, os.Getenv("MEMORY_TEST_NAME"), os.Stdin); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	if dir := os.Getenv("MEMORY_TEST_FORGETTER"); dir != "" {
		fmt.Fprintln(os.Stderr, forgetAndHang(dir, os.Getenv("MEMORY_TEST_NAME")))
		os.Exit(1)
	}
	if dir := os.Getenv("MEMORY_TEST_REINDEXER"); dir != "" {
		fmt.Fprintln(os.Stderr, reindexAndHang(dir))
		os.Exit(1)
	}
	if dir := os.Getenv("MEMORY_TEST_FILLER"); dir != "" {
		fmt.Fprintln(os.Stderr, fillAndHang(dir))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// writeDocs puts a document for each byte of allowed, until its end. So the parent
// decides how many there are, however slow it is to read their ids.
func writeDocs(dir, name string, allowed io.Reader) error {
	ctx := context.Background()
	l, err := Open(ctx, contract.Config{Dir: dir})
	if err != nil {
		return err
	}
	in := bufio.NewReader(allowed)
	for i := 0; ; i++ {
		if _, err := in.ReadByte(); err != nil {
			return l.Close()
		}
		d, c := killDoc(name, i)
		if _, err := l.Put(ctx, d, c); err != nil {
			return err
		}
		fmt.Println(d.ID)
		if i%5 == 4 { // replace an earlier one
			d, c := killDoc(name, i-2)
			d.Text = strings.ReplaceAll(d.Text, "word", "term")
			if _, err := l.Put(ctx, d, c); err != nil {
				return err
			}
		}
	}
}

const killChunks = 20

// killDoc returns a document with 20 chunks and vectors, made from its number.
func killDoc(name string, i int) (evidence.Document, evidence.Chunks) {
	r := rand.New(rand.NewPCG(uint64(i), 7))
	c := evidence.Chunks{Model: evidence.Model{Name: "kill", Revision: "1", Dims: 32, Kind: evidence.KindLexical}}
	var b strings.Builder
	for k := range killChunks {
		start := b.Len()
		for range 20 + r.IntN(30) {
			fmt.Fprintf(&b, "word%d ", r.IntN(5000))
		}
		fmt.Fprintf(&b, "%sn%d chunk%d.", name, i, k)
		v := make([]float32, 32)
		for d := range v {
			v[d] = float32(r.NormFloat64())
		}
		c.Items = append(c.Items, evidence.Chunk{Start: start, End: b.Len(), Vector: v})
		b.WriteByte('\n')
	}
	return evidence.Document{ID: fmt.Sprintf("d_%s_%d", name, i), Source: "kill", URL: fmt.Sprintf("https://x.test/%s/%d", name, i), Title: "Kill " + name, Text: b.String()}, c
}

// writer is a child process that writes documents.
type writer struct {
	*bufio.Scanner // of the ids of the documents that were put

	cmd     *exec.Cmd
	allowed io.WriteCloser
}

func startWriter(t *testing.T, dir, name string) *writer {
	t.Helper()
	w := &writer{cmd: exec.CommandContext(t.Context(), os.Args[0], "-test.run=^$")}
	w.cmd.Env = append(os.Environ(), "MEMORY_TEST_WRITER="+dir, "MEMORY_TEST_NAME="+name)
	w.cmd.Stderr = os.Stderr
	out, err := w.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if w.allowed, err = w.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := w.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Scanner = bufio.NewScanner(out)
	return w
}

// allow lets it write n more documents.
func (w *writer) allow(t *testing.T, n int) {
	t.Helper()
	if _, err := w.allowed.Write(make([]byte, n)); err != nil {
		t.Fatal(err)
	}
}

// lostOrTorn counts the acknowledged documents that are missing or incomplete.
func lostOrTorn(t *testing.T, l *Local, acked []string) (lost, torn int) {
	t.Helper()
	for _, id := range acked {
		doc, ok, err := l.Document(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			lost++
			continue
		}
		var chunks, vectors int
		err = l.rdb.QueryRowContext(t.Context(), `SELECT (SELECT count(*) FROM chunk WHERE doc=d.id), (SELECT coalesce(sum(n), 0) FROM vec WHERE doc=d.id)
			FROM doc d WHERE uid=?`, id).Scan(&chunks, &vectors)
		if err != nil {
			t.Fatal(err)
		}
		if chunks != killChunks || vectors != killChunks || strings.Count(doc.Text, "\n") != killChunks {
			torn++
		}
	}
	return lost, torn
}

// ahead is how many documents a writer may put beyond those after which it is
// killed: enough that it is at work then, and a bound on a machine where the
// parent is slow to kill it.
const ahead = 10

// Writers that are killed at any moment lose no document whose Put has returned.
// MEMORY_KILLS sets how many are killed.
func TestKilledWritersLoseNothing(t *testing.T) {
	t.Parallel()
	kills := 6
	if raced {
		kills = 2
	}
	if n, err := strconv.Atoi(os.Getenv("MEMORY_KILLS")); err == nil {
		kills = n
	}
	dir := t.TempDir()
	var acked []string
	r := rand.New(rand.NewPCG(1, 2))
	lost, torn, broken := 0, 0, 0
	for k := range kills {
		w := startWriter(t, dir, fmt.Sprint("k", k))
		n := 1 + r.IntN(25)
		w.allow(t, n+ahead)
		for range n {
			if !w.Scan() {
				t.Fatalf("the writer ended by itself: %v", w.cmd.Wait())
			}
			acked = append(acked, w.Text())
		}
		if err := w.cmd.Process.Kill(); err != nil { // at any moment of the next Put
			t.Fatal(err)
		}
		for w.Scan() { // printed before it was killed
			if strings.HasPrefix(w.Text(), "d_k") {
				acked = append(acked, w.Text())
			}
		}
		_ = w.cmd.Wait() // it was killed: the error says so
		l, err := Open(t.Context(), contract.Config{Dir: dir})
		if err != nil {
			t.Fatalf("after kill %d: %v", k+1, err)
		}
		a, b := lostOrTorn(t, l, acked)
		lost, torn = lost+a, torn+b
		if rep, err := l.Check(t.Context()); err != nil || !rep.OK {
			broken++
			t.Errorf("Check after kill %d = %+v, %v", k+1, rep, err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d kills, %d acknowledged documents: %d lost, %d torn, %d checks not ok", kills, len(acked), lost, torn, broken)
	if lost+torn > 0 {
		t.Errorf("%d documents were lost, %d torn", lost, torn)
	}
}

// Three processes write while this one reads.
func TestThreeWritersOneReader(t *testing.T) {
	t.Parallel()
	dir, each := t.TempDir(), 25
	if raced {
		each = 10
	}
	l := openIn(t, dir)
	seen := make(chan string, 3*each)
	done := make(chan error, 3)
	for w := range 3 {
		name := fmt.Sprint("w", w)
		p := startWriter(t, dir, name)
		p.allow(t, each)
		if err := p.allowed.Close(); err != nil {
			t.Fatal(err)
		}
		go func() { // ends with the process, whose end is waited for below
			for p.Scan() {
				seen <- p.Text()
			}
			done <- p.cmd.Wait()
		}()
	}
	var acked []string
	for ended := 0; ended < 3; {
		select {
		case id := <-seen:
			acked = append(acked, id)
			number := strings.ReplaceAll(strings.TrimPrefix(id, "d_"), "_", "n") // as in the text
			for _, mode := range []string{evidence.ModeBM25, evidence.ModeHybrid} {
				v := make([]float32, 32)
				v[0] = 1
				r, err := l.Recall(t.Context(), evidence.RecallQuery{Text: number, K: 1, Mode: mode, Vector: v, Model: evidence.Model{Name: "kill", Revision: "1"}})
				if err != nil || mode == evidence.ModeBM25 && (len(r.Hits) != 1 || r.Hits[0].Document.ID != id) {
					t.Errorf("Recall(%s) in mode %s just after it was put: %d hits, %v", number, mode, len(r.Hits), err)
				}
			}
		case err := <-done:
			if ended++; err != nil {
				t.Errorf("a writer failed: %v", err)
			}
		}
	}
	for len(seen) > 0 {
		acked = append(acked, <-seen)
	}
	lost, torn := lostOrTorn(t, l, acked)
	rep, err := l.Check(t.Context())
	t.Logf("3 writers, %d acknowledged documents: %d lost, %d torn; check: %+v", len(acked), lost, torn, rep)
	if len(acked) != 3*each || lost+torn > 0 || err != nil || !rep.OK || rep.Indexed != rep.Vectors || rep.Vectors != 3*each*killChunks {
		t.Errorf("acknowledged %d, lost %d, torn %d, Check = %+v, %v", len(acked), lost, torn, rep, err)
	}
}

// reindexAndHang reindexes dir, and hangs after the first batch to be killed.
func reindexAndHang(dir string) error {
	ctx := context.Background()
	l, err := Open(ctx, contract.Config{Dir: dir})
	if err != nil {
		return err
	}
	_, err = l.Reindex(ctx, nextModel, func(_ context.Context, texts []string) ([][]float32, error) { return nextVectors(texts), nil }, func(p contract.Progress) {
		if p.Done > 0 {
			fmt.Println(p.Done)
			select {}
		}
	})
	return err
}

var nextModel = evidence.Model{Name: "next", Revision: "1", Dims: 2, Kind: evidence.KindTransformer}

func nextVectors(texts []string) [][]float32 {
	out := make([][]float32, len(texts))
	for i := range out {
		out[i] = []float32{0, 1}
	}
	return out
}

// A killed Reindex continues in another process: finished batches are not
// embedded again, and until the end the old model answers.
func TestKilledReindexContinues(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := openIn(t, dir)
	const n = 3 * batchDocs
	for i := range n {
		d := textDoc(i, fmt.Sprintf("text %d", i))
		if _, err := l.Put(t.Context(), d, vectored(d, "m")); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), "MEMORY_TEST_REINDEXER="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if !bufio.NewScanner(out).Scan() {
		t.Fatalf("the process ended by itself: %v", cmd.Wait())
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed: the error says so
	st, err := l.Stats(t.Context())
	if err != nil || st.Embedder != "m@1" || st.Reindex == nil || st.Reindex.Done != batchDocs || st.Reindex.Total != n {
		t.Fatalf("Stats after the kill = %+v, %+v, %v", st, st.Reindex, err)
	}
	made := 0
	p, err := l.Reindex(t.Context(), nextModel, func(_ context.Context, texts []string) ([][]float32, error) {
		made += len(texts)
		return nextVectors(texts), nil
	}, nil)
	if err != nil || p.Done != n || made != n-batchDocs {
		t.Errorf("Reindex afterwards = %+v, %v, %d vectors made, want %d", p, err, made, n-batchDocs)
	}
	if st, err := l.Stats(t.Context()); err != nil || st.Embedder != "next@1" || st.Reindex != nil {
		t.Errorf("Stats = %+v, %v", st, err)
	}
	if rep, err := l.Check(t.Context()); err != nil || !rep.OK {
		t.Errorf("Check = %+v, %v", rep, err)
	}
}
