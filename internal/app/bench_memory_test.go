package app_test

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/library"
	"github.com/research-mcp/research-mcp/internal/models/all"
	"github.com/research-mcp/research-mcp/internal/models/builtin"
	"github.com/research-mcp/research-mcp/internal/models/minilm"
	"github.com/research-mcp/research-mcp/memory"
)

// BenchmarkServeLarge is the server beside a memory of 100k chunks x 384 made by
// the built-in embedder (MEMORY_BENCH=100k; else 10k): from starting the process
// to the answers to initialize and to a recall asked right after it, recalls
// after that, and the process's resident memory after them.
func BenchmarkServeLarge(b *testing.B) {
	exe, dir, chunks := binary(b), b.TempDir(), 10_000
	if os.Getenv("MEMORY_BENCH") == "100k" {
		chunks = 100_000
	}
	fillLarge(b, dir, chunks, true)
	b.Run(strconv.Itoa(chunks), func(b *testing.B) { measureServer(b, exe, dir, chunks, false) })
}

// BenchmarkServeGrowth is the same with the memory that BenchmarkGrowth has left in the folder
// GROWTH_KEPT, which is named after its chunks. Its vectors pass for the encoder's: otherwise
// the server would make a million of its own.
func BenchmarkServeGrowth(b *testing.B) {
	dir := os.Getenv("GROWTH_KEPT")
	if dir == "" {
		b.Skip("GROWTH_KEPT names no memory of BenchmarkGrowth")
	}
	chunks, err := strconv.Atoi(filepath.Base(dir))
	if err != nil {
		b.Fatalf("GROWTH_KEPT is %s, which is not named after its number of chunks", dir)
	}
	db, err := sql.Open("sqlite", filepath.Join(dir, "memory.db"))
	if err != nil {
		b.Fatal(err)
	}
	m := minilm.New(0).Model()
	_, err = db.ExecContext(b.Context(), "UPDATE model SET name=?, revision=?, dims=?, kind=?", m.Name, m.Revision, m.Dims, m.Kind)
	if err := errors.Join(err, db.Close()); err != nil {
		b.Fatal(err)
	}
	exe := binary(b)
	b.Run(strconv.Itoa(chunks), func(b *testing.B) { measureServer(b, exe, dir, chunks, true) })
}

// measureServer measures servers beside the memory in dir, one after the other. numbered says
// what words are in it; see prose.
func measureServer(b *testing.B, exe, dir string, chunks int, numbered bool) {
	b.Helper()
	// It passes for the backup of the day, which would be made beside the recalls.
	today := filepath.Join(dir, "backups", "memory-daily-"+time.Now().Add(-time.Minute).UTC().Format("20060102T150405Z")+".db")
	if err := errors.Join(os.MkdirAll(filepath.Dir(today), 0o700), os.WriteFile(today, nil, 0o600)); err != nil {
		b.Fatal(err)
	}
	var hello, first, later []float64
	resident := 0.0
	for i := 0; b.Loop(); i++ {
		s := serveLarge(b, exe, dir)
		s.numbered = numbered
		hello = append(hello, s.hello)
		first = append(first, s.ask(b, 2*i))
		s.settle(b)
		for j := range 20 {
			later = append(later, s.ask(b, 31*i+j))
		}
		resident = max(resident, s.settle(b))
		s.close(b)
	}
	for _, m := range []struct {
		took []float64
		name string
	}{{hello, "ms-initialize-p50"}, {first, "ms-first-recall-p50"}, {later, "ms-recall-p50"}} {
		slices.Sort(m.took)
		b.ReportMetric(m.took[len(m.took)/2], m.name)
	}
	b.ReportMetric(hello[0], "ms-initialize-min")
	b.ReportMetric(later[len(later)*95/100], "ms-recall-p95")
	b.ReportMetric(resident, "MB-resident")
	b.ReportMetric(resident*1024/float64(chunks), "KB/chunk")
}

// BenchmarkRecallEncoder is a recall with the built-in encoder: of chunks that have
// their vectors, and of chunks whose candidates it has to embed first, which is bounded
// by library.CandidatePatience.
func BenchmarkRecallEncoder(b *testing.B) {
	encoder := minilm.New(128)
	set := builtin.Models(encoder)
	for _, filled := range []bool{true, false} {
		b.Run(map[bool]string{true: "vectors", false: "without"}[filled], func(b *testing.B) {
			var m memory.Memory
			var l *library.Library
			start := func() {
				dir := b.TempDir()
				fillLarge(b, dir, 1000, filled)
				var err error
				if m, err = memory.Open(b.Context(), memory.Config{Backend: "local", Dir: dir}); err != nil {
					b.Fatal(err)
				}
				l = library.New(library.Deps{Memory: m, Models: all.Of(set)})
			}
			w := newProse(7)
			for i := 0; b.Loop(); i++ {
				if i == 0 || !filled {
					b.StopTimer()
					if m != nil {
						_ = m.Close() // the next one is another memory
					}
					start()
					b.StartTimer()
				}
				if _, err := l.Recall(b.Context(), library.RecallRequest{Query: w.words(6)}); err != nil {
					b.Fatal(err)
				}
			}
			if err := m.Close(); err != nil {
				b.Fatal(err)
			}
		})
	}
}

// randomVectors stands in for the encoder, whose vectors take too long to make.
func randomVectors(_ context.Context, texts []string) ([][]float32, error) {
	r := rand.New(rand.NewPCG(uint64(len(texts)), 5))
	out := make([][]float32, len(texts))
	for i := range out {
		out[i] = make([]float32, minilm.Dims)
		for j := range out[i] {
			out[i][j] = float32(r.NormFloat64())
		}
	}
	return out, nil
}

// prose makes words of syllables, few of them common and most rare.
type prose struct {
	r        *rand.Rand
	zipf     *rand.Zipf
	numbered bool // the words are those of memorytest.Corpus
}

func newProse(seed uint64) *prose {
	r := rand.New(rand.NewPCG(seed, 3))
	return &prose{r: r, zipf: rand.NewZipf(r, 1.1, 4, 50_000)}
}

func (p *prose) words(n int) string {
	const syllables = "ra ne ti lo mu ke sa do vi pe"
	var out strings.Builder
	for range n {
		if p.numbered {
			fmt.Fprintf(&out, "w%d ", p.zipf.Uint64())
			continue
		}
		for k := p.zipf.Uint64() + 10; k > 0; k /= 10 {
			out.WriteString(syllables[3*(k%10) : 3*(k%10)+2])
		}
		out.WriteByte(' ')
	}
	return out.String()
}

// fillLarge makes a memory; with its vectors of the encoder if filled is set.
func fillLarge(b *testing.B, dir string, chunks int, filled bool) {
	b.Helper()
	const each = 20
	e := builtin.NewEmbedder()
	m, err := memory.Open(b.Context(), memory.Config{Backend: "local", Dir: dir, ActiveModel: e.Model()})
	if err != nil {
		b.Fatal(err)
	}
	w := newProse(1)
	for i := range chunks / each {
		c := evidence.Chunks{Model: e.Model()}
		var text strings.Builder
		var parts []string
		for range each {
			start := text.Len()
			text.WriteString(w.words(60))
			c.Items = append(c.Items, evidence.Chunk{Start: start, End: text.Len()})
			parts = append(parts, text.String()[start:])
		}
		vectors, err := e.Embed(b.Context(), parts)
		if err != nil {
			b.Fatal(err)
		}
		for j := range vectors {
			c.Items[j].Vector = vectors[j]
		}
		d := evidence.Document{ID: fmt.Sprint("d", i), Source: "bench", URL: fmt.Sprint("https://x.test/", i), Title: w.words(4), Text: text.String()}
		if _, err := m.Put(b.Context(), d, c); err != nil {
			b.Fatal(err)
		}
	}
	if filled {
		if _, err := m.(memory.VectorFiller).FillVectors(b.Context(), minilm.New(0).Model(), randomVectors, nil); err != nil {
			b.Fatal(err)
		}
	}
	if err := m.Close(); err != nil {
		b.Fatal(err)
	}
}

// served is a server under way.
type served struct {
	cmd   *exec.Cmd
	in    io.WriteCloser
	out   *bufio.Reader
	begun time.Time
	hello float64 // ms
	asked bool

	numbered bool // see prose
}

func serveLarge(b *testing.B, exe, dir string) *served {
	b.Helper()
	s := &served{cmd: exec.CommandContext(context.WithoutCancel(b.Context()), exe, "serve", "--data-dir", dir)}
	s.cmd.Env = append(os.Environ(), "RESEARCH_MCP_OLLAMA_ENABLED=false")
	in, err := s.cmd.StdinPipe()
	out, err2 := s.cmd.StdoutPipe()
	if err := errors.Join(err, err2); err != nil {
		b.Fatal(err)
	}
	s.in, s.out, s.begun = in, bufio.NewReader(out), time.Now()
	if err := s.cmd.Start(); err != nil {
		b.Fatal(err)
	}
	s.say(b, hello)
	s.hello = float64(time.Since(s.begun).Microseconds()) / 1000
	if _, err := io.WriteString(s.in, `{"jsonrpc":"2.0","method":"notifications/initialized"}`+"\n"); err != nil {
		b.Fatal(err)
	}
	return s
}

func (s *served) say(b *testing.B, line string) string {
	b.Helper()
	if _, err := io.WriteString(s.in, line); err != nil {
		b.Fatal(err)
	}
	got, err := s.out.ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	return got
}

// ask recalls with a new question and returns the milliseconds: the first
// time since the process was started.
func (s *served) ask(b *testing.B, seed int) float64 {
	b.Helper()
	from := time.Now()
	if !s.asked {
		from, s.asked = s.begun, true
	}
	w := newProse(uint64(1000 + seed))
	w.numbered = s.numbered
	q, _ := json.Marshal("What is the " + w.words(3) + "of the " + w.words(2) + "?")
	got := s.say(b, `{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"recall","arguments":{"query":`+string(q)+`}}}`+"\n")
	if !strings.Contains(got, `"text":"1. `) { // the first hit
		b.Fatalf("a recall gave %.300s", got)
	}
	return float64(time.Since(from).Microseconds()) / 1000
}

// settle waits until the resident memory no longer grows, and gives it in MB;
// 0 where the platform does not report it.
func (s *served) settle(b *testing.B) float64 {
	b.Helper()
	last, same := 0.0, 0
	for tick := time.NewTicker(100 * time.Millisecond); same < 10; <-tick.C {
		raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
		if err != nil {
			return 0
		}
		_, rest, _ := strings.Cut(string(raw), "VmRSS:")
		kb, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
		if err != nil {
			b.Fatal(err)
		}
		if now := kb / 1024; now > last*1.01 {
			last, same = now, 0
		} else {
			same++
		}
	}
	return last
}

func (s *served) close(b *testing.B) {
	b.Helper()
	if err := errors.Join(s.in.Close(), s.cmd.Wait()); err != nil {
		b.Fatal(err)
	}
}
