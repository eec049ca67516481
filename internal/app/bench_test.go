package app_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/research-mcp/research-mcp/internal/app"
	"github.com/research-mcp/research-mcp/internal/demo"
	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/extract"
	"github.com/research-mcp/research-mcp/internal/fetch"
	"github.com/research-mcp/research-mcp/internal/library"
	"github.com/research-mcp/research-mcp/internal/models/all"
	"github.com/research-mcp/research-mcp/internal/models/builtin"
	"github.com/research-mcp/research-mcp/internal/research"
	"github.com/research-mcp/research-mcp/memory/contract"
)

// The benchmarks report ratios and shares taken within one run, on whatever
// machine this is. `make bench` writes them to docs/BENCHMARKS.md.

// slowServer answers after its latency, or misbehaves as bad says.
type slowServer struct {
	latency time.Duration
	bad     string // "", "500", "hang", "reset" or "garbage"
	body    []byte
}

func (s slowServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	wait := time.NewTimer(s.latency)
	defer wait.Stop()
	select {
	case <-wait.C:
	case <-r.Context().Done():
		return
	}
	switch s.bad {
	case "500":
		http.Error(w, "no", http.StatusInternalServerError)
	case "hang":
		<-r.Context().Done()
	case "reset":
		panic(http.ErrAbortHandler)
	case "garbage":
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"text": [`)
	default:
		w.Header().Set("Content-Type", "application/json")
		w.Write(s.body)
	}
}

// benchSource is a source over real HTTP with one document.
type benchSource struct {
	name    string
	url     string
	door    *fetch.Client
	timeout time.Duration
}

func (s benchSource) Name() string { return s.name }

func (s benchSource) Search(ctx context.Context, _ evidence.Query) ([]evidence.Document, error) {
	var got struct{ Text string }
	if _, err := s.door.GetJSON(ctx, fetch.Request{URL: s.url, Budget: fetch.NewBudget(s.timeout)}, &got); err != nil {
		return nil, err
	}
	return []evidence.Document{{ID: evidence.DocumentID(s.name, s.url, ""), Source: s.name, URL: s.url, Title: s.name, Text: got.Text}}, nil
}

// startSources starts n servers with latencies from 50 to 500 ms.
func startSources(b *testing.B, n, badPercent int, client *fetch.Network) []research.Source {
	b.Helper()
	faults := []string{"500", "hang", "reset", "garbage"}
	var all []slowServer
	for i := range n {
		s := slowServer{latency: time.Duration(50+450*i/max(1, n-1)) * time.Millisecond}
		if badPercent > 0 && i%(100/badPercent) == 1 {
			s.bad = faults[i/(100/badPercent)%len(faults)]
		}
		all = append(all, s)
	}
	return startServers(b, client, 2*time.Second, all...)
}

// startServers makes each a source on loopback, with its own port as
// real sources have their own hosts.
func startServers(b *testing.B, client *fetch.Network, timeout time.Duration, servers ...slowServer) []research.Source {
	b.Helper()
	text := strings.Repeat("Latency hides behind latency when everything is asked at once. ", 100) // 6 kB
	body, err := json.Marshal(map[string]string{"text": text})
	if err != nil {
		b.Fatal(err)
	}
	var out []research.Source
	for i, s := range servers {
		s.body = body
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			b.Fatal(err)
		}
		server := &http.Server{Handler: s, ReadHeaderTimeout: 5 * time.Second}
		go server.Serve(l)
		b.Cleanup(func() { server.Close() })
		url := "http://" + l.Addr().String()
		door, err := client.ForHost(url, fetch.Rate{})
		if err != nil {
			b.Fatal(err)
		}
		out = append(out, benchSource{name: fmt.Sprintf("s%04d", i), url: url + "/", door: door, timeout: timeout})
	}
	return out
}

// benchEngine reads from sources and keeps nothing.
func benchEngine(sources []research.Source) *research.Engine {
	models := all.Of(builtin.Models(nil))
	none := library.New(library.Deps{Memory: nowhere{}, Models: models, Chunk: func(string) []evidence.Chunk { return nil }})
	return research.New(research.DefaultConfig(), research.Deps{Sources: sources, Library: none, Models: models, Now: time.Now, NewID: app.NewID})
}

// BenchmarkHangAmongFour is one source in four that never answers and has 8 s to
// do so: "s-gather" is when the three others' documents are there, "lost" how many
// of those do not.
func BenchmarkHangAmongFour(b *testing.B) {
	client := fetch.New(fetch.Config{Version: app.ProgramVersion})
	defer client.Close()
	ms := time.Millisecond
	e := benchEngine(startServers(b, client, 8*time.Second, slowServer{latency: 10 * ms}, slowServer{latency: 25 * ms}, slowServer{bad: "hang"}, slowServer{latency: 50 * ms}))
	defer e.Close()
	took, lost := 0.0, 0
	for b.Loop() {
		begun := time.Now()
		got, err := e.Read(b.Context(), research.ReadRequest{Query: "latency", Budget: time.Minute}, nil)
		if err != nil {
			b.Fatal(err)
		}
		took += time.Since(begun).Seconds()
		lost += 3 - len(got.Documents)
	}
	b.ReportMetric(took/float64(b.N), "s-gather")
	b.ReportMetric(float64(lost), "lost")
}

// nowhere is a memory that keeps nothing: here the fan-out is measured.
type nowhere struct{ contract.Memory }

func (nowhere) Put(ctx context.Context, d evidence.Document, _ evidence.Chunks) (evidence.Receipt, error) {
	return evidence.Receipt{DocumentID: d.ID}, ctx.Err()
}
func (nowhere) Recall(ctx context.Context, _ evidence.RecallQuery) (evidence.RecallResult, error) {
	return evidence.RecallResult{Hits: []evidence.Hit{}}, ctx.Err()
}
func (nowhere) Document(context.Context, string) (evidence.Document, bool, error) {
	return evidence.Document{}, false, nil
}

// BenchmarkFanOut asks n sources at once over real HTTP. "x-slowest" is the
// whole gathering over the slowest healthy latency, 500 ms; "lost" is how many
// healthy answers were lost.
func BenchmarkFanOut(b *testing.B) {
	for _, bad := range []int{0, 10} {
		for _, n := range []int{3, 50, 200, 1000} {
			b.Run(fmt.Sprintf("sources=%d/bad=%d%%", n, bad), func(b *testing.B) {
				client := fetch.New(fetch.Config{Version: app.ProgramVersion})
				defer client.Close()
				e := benchEngine(startSources(b, n, bad, client))
				defer e.Close()
				gathered, lost := 0.0, 0
				for b.Loop() {
					begun := time.Now()
					got, err := e.Read(b.Context(), research.ReadRequest{Query: "latency", Limit: 50, Budget: time.Minute}, nil)
					if err != nil {
						b.Fatal(err)
					}
					gathered += time.Since(begun).Seconds()
					lost += healthy(n, bad) - okay(got.Sources)
				}
				b.ReportMetric(gathered/float64(b.N)/0.5, "x-slowest")
				b.ReportMetric(float64(lost), "lost")
			})
		}
	}
}

func healthy(n, bad int) int {
	if bad == 0 {
		return n
	}
	broken := 0
	for i := range n {
		if i%(100/bad) == 1 {
			broken++
		}
	}
	return n - broken
}

func okay(reports []evidence.SourceReport) int {
	n := 0
	for _, r := range reports {
		if r.Status == evidence.StatusOK {
			n++
		}
	}
	return n
}

// BenchmarkAnswer asks the demo's questions of the true program with its real
// memory and child process. "ms-beside-network" is the whole answer less the
// slowest source.
func BenchmarkAnswer(b *testing.B) { benchmarkAnswer(b, nil) }

// BenchmarkAnswerWithoutEncoder is BenchmarkAnswer with models.builtin=off.
func BenchmarkAnswerWithoutEncoder(b *testing.B) {
	benchmarkAnswer(b, map[string]string{"models.builtin": "off"})
}

func benchmarkAnswer(b *testing.B, settings map[string]string) {
	d, err := demo.Start(b.Context(), demo.Options{Settings: settings})
	if err != nil {
		b.Fatal(err)
	}
	defer d.Close()
	beside, total, slowest := int64(0), int64(0), int64(0)
	for b.Loop() {
		a, err := d.App.Engine().Research(b.Context(), research.Request{Question: demo.Questions()[0]}, nil)
		if err != nil || a.Status != evidence.Answered {
			b.Fatalf("%s, %v", a.Status, err)
		}
		beside += a.Timing.TotalMS - a.Timing.SlowestSourceMS
		total += a.Timing.TotalMS
		slowest += a.Timing.SlowestSourceMS
	}
	b.ReportMetric(float64(beside)/float64(b.N), "ms-beside-network")
	b.ReportMetric(float64(total)/float64(slowest), "x-slowest")
}

// BenchmarkHang is one source in three that never answers: "s-gather" is when
// the others' answer is complete.
func BenchmarkHang(b *testing.B) {
	d, err := demo.Start(b.Context(), demo.Options{Faults: map[string]string{"wikipedia": "hang"}})
	if err != nil {
		b.Fatal(err)
	}
	defer d.Close()
	gather := int64(0)
	for b.Loop() {
		a, err := d.App.Engine().Research(b.Context(), research.Request{Question: demo.Questions()[0]}, nil)
		if err != nil || a.Status != evidence.Answered {
			b.Fatalf("%s, %v", a.Status, err)
		}
		gather += a.Timing.GatherMS
	}
	b.ReportMetric(float64(gather)/float64(b.N)/1000, "s-gather")
}

// BenchmarkIsolated is one analysis in a child process, start and end included.
func BenchmarkIsolated(b *testing.B) {
	d, err := demo.Start(b.Context(), demo.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer d.Close()
	in := evidence.AnalysisInput{Question: "test", Documents: []evidence.Document{{Source: "bench", Text: "test"}}}
	for b.Loop() {
		if got := d.App.Analyst().Analyse(b.Context(), in); got.Status != "ok" {
			b.Fatal(got.Err)
		}
	}
}

// BenchmarkStart is the time from starting the process to its answer to
// initialize, with an empty memory.
func BenchmarkStart(b *testing.B) {
	exe := binary(b)
	dir := b.TempDir()
	var took []float64
	for b.Loop() {
		d, err := handshake(b.Context(), exe, dir)
		if err != nil {
			b.Fatal(err)
		}
		took = append(took, float64(d.Microseconds())/1000)
	}
	slices.Sort(took)
	b.ReportMetric(took[len(took)/2], "ms-initialize-p50")
	b.ReportMetric(took[0], "ms-initialize-min")
}

const hello = `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"bench","version":"1"}}}` + "\n"

// handshake starts the server and returns how long its first answer took. The
// process ends with its input.
func handshake(ctx context.Context, exe, dir string) (time.Duration, error) {
	cmd := exec.CommandContext(ctx, exe, "serve", "--data-dir", dir)
	in, err := cmd.StdinPipe()
	if err != nil {
		return 0, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return 0, err
	}
	begun := time.Now()
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	if _, err := in.Write([]byte(hello)); err != nil {
		return 0, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	took := time.Since(begun)
	if err == nil && !strings.Contains(line, `"serverInfo"`) {
		err = fmt.Errorf("the first answer is %q", line)
	}
	return took, errors.Join(err, in.Close(), cmd.Wait())
}

// binary is the program itself: BENCH_BINARY's, or built now.
func binary(tb testing.TB) string {
	tb.Helper()
	if exe := os.Getenv("BENCH_BINARY"); exe != "" {
		return exe
	}
	exe := filepath.Join(tb.TempDir(), "research-mcp")
	build := exec.Command("go", "build", "-o", exe, "../../cmd/research-mcp")
	if out, err := build.CombinedOutput(); err != nil {
		tb.Fatalf("building: %v\n%s", err, out)
	}
	return exe
}

// BenchmarkChunk cuts 100 kB of prose.
func BenchmarkChunk(b *testing.B) {
	text := strings.Repeat("Latency hides behind latency when everything is asked at once. ", 1600)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if len(extract.Chunks(text, extract.ChunkOptions{})) == 0 {
			b.Fatal("no chunks")
		}
	}
}
