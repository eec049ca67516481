package memory_test

import (
	"bufio"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite" // the driver named "sqlite"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory"
	"github.com/research-mcp/research-mcp/memory/memorytest"
)

// growth is what one process measured with one kind of memory.
type growth struct {
	P50      float64 `json:"p50"` // ms, of recalls
	P95      float64 `json:"p95"`
	First    float64 `json:"first,omitempty"`   // ms, from opening to the first recall
	Ready    float64 `json:"ready,omitempty"`   // ms, until the whole index is loaded
	Resident float64 `json:"resident"`          // MB, after the recalls
	PerChunk float64 `json:"per_chunk"`         // KB of that for each chunk
	Disk     float64 `json:"disk"`              // MB
	PerSec   float64 `json:"per_sec,omitempty"` // chunks put a second
}

// BenchmarkGrowth measures memories of 1,000 to 1,000,000 chunks × 384, each in a process
// of its own: ours, plain chromem-go with the same vectors, and an FTS5 table of SQLite with the
// same words; and ours in PostgreSQL, if POSTGRES_TEST_URL names a server. MEMORY_BENCH is the
// largest: 100k or 1m, else 10,000; GROWTH_SIZES is a list of other sizes.
// GROWTH_CSV names a file for the figures, and GROWTH_KEEP a folder for the largest of our
// memories, which is not removed. A line that fails leaves the others alone.
func BenchmarkGrowth(b *testing.B) {
	sizes := growthSizes(b)
	for _, n := range sizes {
		dir := b.TempDir()
		if keep := os.Getenv("GROWTH_KEEP"); keep != "" && n == slices.Max(sizes) {
			dir = filepath.Join(keep, strconv.Itoa(n))
			if err := os.MkdirAll(dir, 0o700); err != nil {
				b.Fatal(err)
			}
		}
		kinds := []string{"fill", "ours", "chromem", "fts"}
		if os.Getenv("POSTGRES_TEST_URL") != "" && n <= 100_000 {
			kinds = append(kinds, "postgres")
		}
		for _, kind := range kinds {
			b.Run(fmt.Sprintf("%s/%d", kind, n), func(b *testing.B) {
				var g growth
				for b.Loop() { // once: -benchtime 1x
					g = measureGrowth(b, kind, dir, n)
				}
				b.ReportMetric(0, "ns/op")
				if kind == "fill" {
					b.ReportMetric(g.PerSec, "chunks/s")
					return
				}
				g.report(b, kind, n)
			})
		}
	}
}

func growthSizes(b *testing.B) []int {
	b.Helper()
	sizes := []int{1000, 10_000}
	switch os.Getenv("MEMORY_BENCH") {
	case "100k":
		sizes = append(sizes, 100_000)
	case "1m":
		sizes = append(sizes, 100_000, 1_000_000)
	}
	if own := strings.Fields(os.Getenv("GROWTH_SIZES")); len(own) > 0 {
		sizes = nil
		for _, s := range own {
			n, err := strconv.Atoi(s)
			if err != nil || n < memorytest.CorpusChunks {
				b.Fatalf("GROWTH_SIZES has %q; want numbers of chunks from %d on, such as \"1000 20000\"", s, memorytest.CorpusChunks)
			}
			sizes = append(sizes, n)
		}
	}
	return sizes
}

func (g growth) report(b *testing.B, kind string, n int) {
	b.Helper()
	for _, m := range []struct {
		value float64
		unit  string
	}{{g.P50, "ms-p50"}, {g.P95, "ms-p95"}, {g.First, "ms-first"}, {g.Ready, "ms-ready"}, {g.Resident, "MB-resident"}, {g.PerChunk, "KB/chunk"}, {g.Disk, "MB-disk"}, {g.PerSec, "chunks/s"}} {
		if m.value > 0 {
			b.ReportMetric(m.value, m.unit)
		}
	}
	name := os.Getenv("GROWTH_CSV")
	if name == "" {
		return
	}
	f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		b.Fatal(err)
	}
	_, err = fmt.Fprintf(f, "%s,%d,%g,%g,%g,%g,%g\n", kind, n, g.P50, g.P95, g.First, g.Resident, g.Disk)
	if err := errors.Join(err, f.Close()); err != nil {
		b.Fatal(err)
	}
}

// measureGrowth runs TestGrowthProcess in a process of its own.
func measureGrowth(b *testing.B, kind, dir string, n int) growth {
	b.Helper()
	cmd := exec.CommandContext(b.Context(), os.Args[0], "-test.run", "^TestGrowthProcess$", "-test.timeout", "60m")
	cmd.Env = append(os.Environ(), "GROWTH_KIND="+kind, "GROWTH_DIR="+dir, "GROWTH_CHUNKS="+strconv.Itoa(n))
	out, err := cmd.Output()
	if err != nil {
		b.Fatalf("%s of %d chunks: %v\n%s", kind, n, err, out)
	}
	for line := range strings.Lines(string(out)) {
		if rest, ok := strings.CutPrefix(line, "growth "); ok {
			var g growth
			if err := json.Unmarshal([]byte(rest), &g); err != nil {
				b.Fatal(err)
			}
			return g
		}
	}
	b.Fatalf("%s of %d chunks said nothing:\n%s", kind, n, out)
	return growth{}
}

// TestGrowthProcess is the process that measureGrowth starts; it does nothing by itself.
func TestGrowthProcess(t *testing.T) {
	kind := os.Getenv("GROWTH_KIND")
	if kind == "" {
		t.Skip("a part of BenchmarkGrowth")
	}
	n, err := strconv.Atoi(os.Getenv("GROWTH_CHUNKS"))
	if err != nil {
		t.Fatal(err)
	}
	measure := map[string]func(*testing.T, string, int) growth{
		"fill": growthFill, "ours": growthOurs, "chromem": growthChromem, "fts": growthFTS, "postgres": growthPostgres}[kind]
	g := measure(t, os.Getenv("GROWTH_DIR"), n)
	if g.Resident = residentMB(t); n > 0 {
		g.PerChunk = g.Resident * 1024 / float64(n)
	}
	b, err := json.Marshal(g)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Printf("growth %s\n", b)
}

// residentMB is the resident memory of this process after a collection of garbage that
// comes by itself: 0 where the platform does not tell.
func residentMB(t *testing.T) float64 {
	f, err := os.Open("/proc/self/status")
	if err != nil {
		return 0
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if rest, ok := strings.CutPrefix(s.Text(), "VmRSS:"); ok {
			kb, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			if err != nil {
				t.Fatal(err)
			}
			return kb / 1024
		}
	}
	return 0
}

func growthFill(t *testing.T, dir string, n int) growth {
	m, err := memory.Open(t.Context(), memory.Config{Backend: "local", Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	g := growth{PerSec: putAll(t, m, n)}
	waitReady(t, m)
	for deadline := time.Now().Add(10 * time.Minute); n >= 20_000 && !cellsStored(t, dir); time.Sleep(time.Second) {
		if time.Now().After(deadline) {
			t.Fatal("the vectors were not divided into cells within ten minutes")
		}
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	return g
}

func putAll(t *testing.T, m memory.Memory, n int) (perSecond float64) {
	c, at := memorytest.NewCorpus(1), time.Now()
	for i := range n / memorytest.CorpusChunks {
		d, chunks := c.Document(i)
		if _, err := m.Put(t.Context(), d, chunks); err != nil {
			t.Fatal(err)
		}
	}
	return float64(n) / time.Since(at).Seconds()
}

// cellsStored reports whether all documents but the last 256, which are not stored at once, have the cells of the present codebook, learned
// of no less than a third of the vectors.
func cellsStored(t *testing.T, dir string) (done bool) {
	query(t, filepath.Join(dir, "memory.db"), `SELECT coalesce((SELECT 256 + (SELECT count(*) FROM cell c WHERE c.version=b.version) > (SELECT count(*) FROM vec)
		AND 3*b.vectors >= (SELECT sum(n) FROM vec) FROM codebook b), 0)`, func(rows *sql.Rows) error { return rows.Scan(&done) })
	return done
}

func waitReady(t *testing.T, m memory.Memory) {
	c := memorytest.NewCorpus(3)
	for deadline := time.Now().Add(10 * time.Minute); ; time.Sleep(20 * time.Millisecond) {
		r, err := m.Recall(t.Context(), c.Query(evidence.ModeHybrid))
		if err != nil {
			t.Fatal(err)
		}
		if r.Index == evidence.IndexReady {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the index is %s after ten minutes", r.Index)
		}
	}
}

const (
	warmUps, measured = 20, 200 // recalls
	// With a million chunks the other lines take seconds for each: then fewer are measured.
	warmFor, measureFor = 10 * time.Second, time.Minute
	leastMeasured       = 20
)

// recalls returns the times of recalls.
func recalls(t *testing.T, one func(c *memorytest.Corpus) error) growth {
	c := memorytest.NewCorpus(4)
	var took []float64
	run := func(most, least int, within time.Duration) {
		took = nil
		for begun := time.Now(); len(took) < most && (len(took) < least || time.Since(begun) < within); {
			at := time.Now()
			if err := one(c); err != nil {
				t.Fatal(err)
			}
			took = append(took, time.Since(at).Seconds()*1000)
		}
	}
	run(warmUps, 1, warmFor)
	run(measured, leastMeasured, measureFor)
	slices.Sort(took)
	return growth{P50: took[len(took)/2], P95: took[len(took)*95/100]}
}

func growthOurs(t *testing.T, dir string, _ int) growth {
	return growthOf(t, memory.Config{Backend: "local", Dir: dir}, func() float64 { return diskMB(t, dir) })
}

// growthOf opens a memory that is filled, and recalls.
func growthOf(t *testing.T, cfg memory.Config, disk func() float64) growth {
	at := time.Now()
	m, err := memory.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Recall(t.Context(), memorytest.NewCorpus(2).Query(evidence.ModeHybrid)); err != nil {
		t.Fatal(err)
	}
	first := time.Since(at)
	waitReady(t, m)
	ready := time.Since(at)
	g := recalls(t, func(c *memorytest.Corpus) error {
		_, err := m.Recall(t.Context(), c.Query(evidence.ModeHybrid))
		return err
	})
	g.First, g.Ready, g.Disk = first.Seconds()*1000, ready.Seconds()*1000, disk()
	t.Cleanup(func() { _ = m.Close() })
	return g
}

func query(t *testing.T, path, q string, row func(*sql.Rows) error) {
	db, err := sql.Open("sqlite", "file:"+path+"?mode=ro")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.QueryContext(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := row(rows); err != nil {
			t.Fatal(err)
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
}

func diskMB(t *testing.T, dir string) (mb float64) {
	for _, name := range []string{"memory.db", "memory.db-wal"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err == nil {
			mb += float64(info.Size()) / (1 << 20)
		} else if !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
	}
	return mb
}
