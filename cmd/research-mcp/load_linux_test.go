package main

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/research-mcp/research-mcp/internal/config"
)

const (
	loadClients = 32
	loadFew     = 8                      // of them without LOAD_SECONDS
	loadTick    = 250 * time.Millisecond // between two samples
	// loadGrowth is the share that resident memory may grow by in loadJudged or longer, and
	// loadGrowthShort in less, where the collector's swing is a larger part of the slope.
	loadGrowth      = 0.10
	loadGrowthShort = 0.25
	loadJudged      = time.Minute
	loadHandles     = 8  // descriptors that may be added
	idleMost        = 20 // MiB that idleClients connections without requests may cost
	idleClients     = 200
)

// loaded is a server under load, and what its clients saw.
type loaded struct {
	server *webServer
	pages  string
	judged bool // its memory; this program may have the race detector, which takes several times as much

	mu     sync.Mutex
	took   map[string][]time.Duration // by tool or method
	failed []error
}

// startLoaded starts the program that LOAD_BINARY names, or this one, on a memory of its
// own, with sources on loopback that answer at once.
func startLoaded(t *testing.T) *loaded {
	t.Helper()
	pages := httptest.NewServer(http.HandlerFunc(soakPage))
	t.Cleanup(pages.Close)
	in := worldly(t, filepath.Join(t.TempDir(), "data"))
	in.env = append(in.env, config.EnvName("fetch.allow")+"="+pages.Listener.Addr().String(), "HOME="+t.TempDir())
	program, judged := os.Args[0], false
	if b := os.Getenv("LOAD_BINARY"); b != "" {
		program, judged = b, true
	}
	return &loaded{server: startWeb(t, program, in.env), pages: pages.URL, judged: judged, took: map[string][]time.Duration{}}
}

// loadClient is one of the clients, which asks at random.
type loadClient struct {
	*webPeer
	to    *loaded
	name  int
	rand  *rand.Rand
	notes []string // ids of what it remembered and has not forgotten
	count int
}

func (l *loaded) client(t *testing.T, n int) *loadClient {
	t.Helper()
	p, err := newWebPeer(l.server.url, n%2 == 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.close)
	return &loadClient{webPeer: p, to: l, name: n, rand: rand.New(rand.NewPCG(uint64(n), 13))} //nolint:gosec // a seed
}

// do calls a tool, and notes how long it took and how it ended.
func (c *loadClient) do(tool string, arguments map[string]any) string {
	return c.timed(tool, "tools/call", map[string]any{"name": tool, "arguments": arguments})
}

func (c *loadClient) timed(name, method string, params map[string]any) string {
	begun := time.Now()
	text, err := c.ask(method, params)
	took := time.Since(begun)
	c.to.mu.Lock()
	defer c.to.mu.Unlock()
	if err != nil {
		c.to.failed = append(c.to.failed, err)
	}
	c.to.took[name] = append(c.to.took[name], took)
	return text
}

// step asks for one thing at random.
func (c *loadClient) step() {
	c.count++
	question := soakQuestions[c.rand.IntN(len(soakQuestions)-1)] // the last one is empty
	switch n := c.rand.IntN(100); {
	case n < 30 && c.asks():
		c.research(question)
	case n < 5:
		c.do("fetch-sources", map[string]any{"query": "goroutine channel", "limit": 1 + c.rand.IntN(5)})
	case n < 7:
		c.timed("fetch-sources, a page", "tools/call", map[string]any{"name": "fetch-sources", "arguments": map[string]any{"urls": []string{fmt.Sprintf("%s/p%d", c.to.pages, c.rand.IntN(20))}}})
	case n < 70:
		c.do("recall", map[string]any{"query": question + " lighthouse", "k": 1 + c.rand.IntN(20)})
	case n < 80:
		i := c.rand.IntN(10)
		text := c.do("remember", map[string]any{"title": fmt.Sprintf("Note %d of %d", i, c.name), "text": strings.Repeat(fmt.Sprintf("Note %d of client %d says that harbour %d has a crane. ", i, c.name, i*7), 1+c.rand.IntN(20))})
		c.notes = append(c.notes, documentID.FindAllString(text, 1)...)
	case n < 84:
		slices.Sort(c.notes)
		if ids := slices.Compact(c.notes); len(ids) > 0 {
			c.do("forget", map[string]any{"ids": ids, "confirm": true})
		}
		c.notes = nil
	case n < 90:
		c.timed("resources/list", "resources/list", map[string]any{})
	case n < 95:
		c.timed("resources/read", "resources/read", map[string]any{"uri": "research://sources"})
	default:
		c.timed("tools/list", "tools/list", map[string]any{})
	}
}

// asks reports whether it asks questions among other things: eight clients do, of either era.
// They take seconds of the processors, so that if all did, all would wait for them.
func (c *loadClient) asks() bool { return c.name%8 < 2 }

// research asks something that no other client asks at the same time.
func (c *loadClient) research(question string) {
	c.do("research", map[string]any{"question": fmt.Sprintf("%s (%d of %d)", question, c.count, c.name), "depth": "quick", "max_tokens": 300 + c.rand.IntN(3000)})
}

// loadSeconds is how long LOAD_SECONDS wants the load to last; 0: some calls are enough.
func loadSeconds() time.Duration { return time.Duration(soakNumber("LOAD_SECONDS", 0)) * time.Second }

// TestLoad has many clients of both eras ask one server over HTTP for many things at once:
// each call is answered without an error, and after a warm-up of half the time resident
// memory and descriptors do not grow. LOAD_SECONDS sets for how long, LOAD_BINARY the
// program; without both it is a test of the calls alone.
//
// Growth is the slope of all samples after the warm-up, by least squares, times the time
// between the first and the last: single samples swing with the garbage collector.
func TestLoad(t *testing.T) {
	t.Parallel()
	lasts := loadSeconds()
	l := startLoaded(t)
	clients := make([]*loadClient, loadClients)
	if lasts == 0 {
		clients = clients[:loadFew]
	}
	for i := range clients {
		clients[i] = l.client(t, i)
	}
	warm := time.Now().Add(lasts / 2)
	end := warm.Add(lasts)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		l.run(clients, end)
	}()
	var series []soakSample
	if lasts > 0 {
		series = l.watch(t, warm, end)
	}
	<-ended
	t.Logf("%d clients, %d errors, by tool and method:%s", len(clients), len(l.failed), l.table())
	l.check(t)
	if lasts > 0 && l.judged {
		judgeLoad(t, series)
	}
	if err := l.server.end(); err != nil {
		t.Errorf("the server ended with %v\n%s", err, l.server.log.Bytes())
	}
}

// run has all clients ask until a time, and at least a little.
func (l *loaded) run(clients []*loadClient, end time.Time) {
	var running sync.WaitGroup
	for _, c := range clients {
		running.Go(func() {
			for i := 0; i < 3 || time.Now().Before(end); i++ {
				c.step()
			}
		})
	}
	running.Wait()
}

// watch samples the server from one time to another.
func (l *loaded) watch(t *testing.T, from, to time.Time) []soakSample {
	t.Helper()
	time.Sleep(time.Until(from))
	tick := time.NewTicker(loadTick)
	defer tick.Stop()
	var series []soakSample
	for time.Now().Before(to) {
		series = append(series, held(t, l.server.cmd.Process.Pid, len(series)))
		<-tick.C
	}
	return series
}

// check reports errors of calls.
func (l *loaded) check(t *testing.T) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, err := range l.failed[:min(len(l.failed), 5)] {
		t.Error(err)
	}
	if n := len(l.failed); n > 5 {
		t.Errorf("%d errors in all", n)
	}
}

// judgeLoad checks that a server under load does not grow.
func judgeLoad(t *testing.T, series []soakSample) {
	t.Helper()
	if len(series) < 10 {
		t.Fatalf("%d samples are too few", len(series))
	}
	fifth := len(series) / 5
	first, last := medianOf(series[:fifth]), medianOf(series[len(series)-fifth:])
	growth := soakSlope(series) * float64(len(series)-1)
	most := loadGrowth
	if loadSeconds() < loadJudged {
		most = loadGrowthShort
	}
	t.Logf("after the warm-up, %d samples: resident %d MiB (median of the first fifth), at the end %d MiB (of the last), %+.1f MiB by slope; descriptors %d and %d",
		len(series), first.resident, last.resident, growth, first.handles, last.handles)
	if growth > most*float64(first.resident) {
		t.Errorf("resident memory grew by %.1f MiB, which is more than %.0f %% of %d: %v", growth, 100*most, first.resident, series)
	}
	if last.handles > first.handles+loadHandles {
		t.Errorf("descriptors grew from %d to %d: %v", first.handles, last.handles, series)
	}
}

func medianOf(series []soakSample) soakSample {
	resident, handles := make([]int, len(series)), make([]int, len(series))
	for i, s := range series {
		resident[i], handles[i] = s.resident, s.handles
	}
	slices.Sort(resident)
	slices.Sort(handles)
	return soakSample{resident: resident[len(series)/2], handles: handles[len(series)/2]}
}

// table has the calls and how long they took.
func (l *loaded) table() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var b strings.Builder
	names := make([]string, 0, len(l.took))
	for name := range l.took {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		fmt.Fprintf(&b, "\n%-22s %6d calls, p50 %7.1f ms, p95 %7.1f ms", name, len(l.took[name]), percentile(l.took[name], 50), percentile(l.took[name], 95))
	}
	return b.String()
}

// percentile is in milliseconds.
func percentile(took []time.Duration, p int) float64 {
	sorted := slices.Sorted(slices.Values(took))
	if len(sorted) == 0 {
		return 0
	}
	return float64(sorted[min(len(sorted)-1, len(sorted)*p/100)].Microseconds()) / 1000
}

// TestLoadRecall measures recall beside questions, and checks that both are answered.
func TestLoadRecall(t *testing.T) {
	t.Parallel()
	questions := 8
	if loadSeconds() == 0 {
		questions = 1
	}
	l := startLoaded(t)
	asks := l.client(t, questions)
	for i := range 20 {
		asks.do("remember", map[string]any{"title": fmt.Sprint("Harbour ", i), "text": strings.Repeat(fmt.Sprintf("Harbour %d has a crane and a lighthouse. ", i), 20)})
	}
	recalls := func(lasts time.Duration) string {
		l.mu.Lock()
		l.took["recall"] = nil
		l.mu.Unlock()
		for end, i := time.Now().Add(lasts), 0; i < 3 || time.Now().Before(end); i++ {
			asks.do("recall", map[string]any{"query": fmt.Sprintf("%s lighthouse %d", soakQuestions[i%(len(soakQuestions)-1)], i), "k": 10})
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		return fmt.Sprintf("p50 %.1f ms, p95 %.1f ms of %d", percentile(l.took["recall"], 50), percentile(l.took["recall"], 95), len(l.took["recall"]))
	}
	alone := recalls(loadSeconds() / 4)
	done := make(chan struct{})
	var running sync.WaitGroup
	for i := range questions {
		c := l.client(t, i)
		running.Go(func() {
			for more := true; more; {
				c.count++
				c.research(soakQuestions[c.rand.IntN(len(soakQuestions)-1)])
				select {
				case <-done:
					more = false
				default:
				}
			}
		})
	}
	beside := recalls(loadSeconds())
	close(done)
	running.Wait()
	t.Logf("recall alone: %s; beside %d questions at a time: %s; research p50 %.0f ms of %d", alone, questions, beside, percentile(l.took["research"], 50), len(l.took["research"]))
	l.check(t)
}

// TestLoadIdle: connections without requests cost little memory, also those of sessions with an
// open stream.
func TestLoadIdle(t *testing.T) {
	t.Parallel()
	for _, streams := range []bool{false, true} {
		t.Run(fmt.Sprintf("streams=%v", streams), func(t *testing.T) {
			t.Parallel()
			l := startLoaded(t)
			first := l.client(t, 0)
			for range 20 {
				first.do("recall", map[string]any{"query": "lighthouse"})
			}
			before := held(t, l.server.cmd.Process.Pid, 0)
			for i := range idleClients {
				if !streams {
					l.client(t, i).timed("tools/list", "tools/list", map[string]any{})
				} else if err := l.client(t, 2*i+1).listen(t.Context()); err != nil { // one with a session
					t.Fatal(err)
				}
			}
			l.check(t)
			after := held(t, l.server.cmd.Process.Pid, 0)
			t.Logf("%d idle connections, streams %v: resident %d MiB before, %d MiB after; descriptors %d and %d", idleClients, streams, before.resident, after.resident, before.handles, after.handles)
			if l.judged && after.resident-before.resident > idleMost {
				t.Errorf("they cost %d MiB, and the most is %d", after.resident-before.resident, idleMost)
			}
			// Some of those before may have been of what is over.
			if after.handles < before.handles+idleClients*9/10 {
				t.Errorf("%d descriptors after %d: not all connections are open", after.handles, before.handles)
			}
		})
	}
}
