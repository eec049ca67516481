package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/research-mcp/research-mcp/internal/config"
)

const (
	soakFlight    = 8   // calls at once
	soakRound     = 40  // calls between two samples
	soakJudged    = 600 // from so many calls on, resident memory is judged
	soakGrowth    = 128 // MiB that the memory may grow by after the warm-up
	soakHandles   = 24  // descriptors that may be added after the warm-up
	soakDocuments = 60  // different texts that are remembered
)

// soakSample is what a server holds when nothing is asked of it.
type soakSample struct{ calls, resident, handles int }

// TestSoak asks one server many things at random, cancels some and kills isolated
// children: each call that is not cancelled is answered, and resident memory and
// descriptors do not grow. SOAK_CALLS sets how many calls there are, SOAK_SEED which,
// SOAK_BINARY the program.
func TestSoak(t *testing.T) {
	t.Parallel()
	calls, seed := soakNumber("SOAK_CALLS", 80), soakNumber("SOAK_SEED", 12)
	pages := httptest.NewServer(http.HandlerFunc(soakPage))
	t.Cleanup(pages.Close)
	in := worldly(t, filepath.Join(t.TempDir(), "data"))
	in.env = append(in.env, config.EnvName("fetch.allow")+"="+pages.Listener.Addr().String(), "HOME="+t.TempDir())
	program := os.Args[0]
	if b := os.Getenv("SOAK_BINARY"); b != "" {
		program = b
	}
	s := &soak{peer: startPeer(t, program, in.env), rand: rand.New(rand.NewPCG(uint64(seed), 12)), pages: pages.URL} //nolint:gosec // a seed
	var samples []soakSample
	for s.sent < calls {
		s.round(t, min(soakRound, calls-s.sent))
		samples = append(samples, s.sample(t))
	}
	s.peer.end(t)
	samples = samples[len(samples)/3:] // after the warm-up
	first, last := samples[0], samples[len(samples)-1]
	growth := int(soakSlope(samples) * float64(last.calls-first.calls))
	t.Logf("soak, seed %d: %d calls, %d cancelled, %d errors, %d children killed: 0 unanswered; resident %d MiB at call %d, %d MiB at call %d (%+d by slope); descriptors %d to %d",
		seed, s.sent, s.cancelled, s.peer.failed, s.killed, first.resident, first.calls, last.resident, last.calls, growth, first.handles, last.handles)
	if last.handles > first.handles+soakHandles {
		t.Errorf("descriptors grew from %d to %d", first.handles, last.handles)
	}
	if calls >= soakJudged && growth > max(soakGrowth, first.resident/2) {
		t.Errorf("resident memory grew by %d MiB: %v", growth, samples)
	}
	if s.peer.failed > s.sent/3 {
		t.Errorf("%d of %d calls were answered by an error", s.peer.failed, s.sent)
	}
}

func soakNumber(name string, otherwise int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil && n > 0 {
		return n
	}
	return otherwise
}

// soakPage is a page whose words depend on its address.
func soakPage(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/robots.txt" {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	fmt.Fprintf(w, "<!doctype html><title>Lighthouse %[1]s</title><article><h1>Lighthouse %[1]s</h1>%[2]s</article>", r.URL.Path[1:],
		strings.Repeat("<p>The lighthouse of "+r.URL.Path[1:]+" was built of granite, and its lamp is seen from twenty miles.</p>", 30))
}

// soak is a client that asks at random.
type soak struct {
	peer                    *peer
	rand                    *rand.Rand
	pages                   string
	sent, cancelled, killed int
}

// round sends n calls, at most soakFlight at once, and waits for their answers.
func (s *soak) round(t *testing.T, n int) {
	t.Helper()
	for i := range n {
		for len(s.peer.pending) >= soakFlight {
			s.peer.await(t)
		}
		method, params := s.call()
		id := s.peer.send(t, method, params)
		s.sent++
		if s.rand.IntN(12) == 0 {
			if s.rand.IntN(2) == 0 { // it is at work by then
				s.peer.await(t)
			}
			if s.peer.cancel(t, id) {
				s.cancelled++
			}
		}
		if i == n/2 {
			s.killChild()
		}
	}
	s.peer.awaitAll(t)
}

var soakQuestions = []string{
	"What is a goroutine?", "What is the transformer architecture?", "How does attention work?", "What is a channel in Go, and how does select work?",
	"What is a word embedding?", "Who is it?", "What is errgroup for?", "When was the lighthouse of p3 built?", "zzqx?", "",
}

// call returns a random request.
func (s *soak) call() (method string, params any) {
	tool := func(name string, arguments map[string]any) (string, any) {
		return "tools/call", map[string]any{"name": name, "arguments": arguments}
	}
	question := soakQuestions[s.rand.IntN(len(soakQuestions))]
	page := fmt.Sprintf("%s/p%d", s.pages, s.rand.IntN(20))
	switch n := s.rand.IntN(100); {
	case n < 12:
		depth := []string{"quick", "standard", "deep"}[s.rand.IntN(3)]
		return tool("research", map[string]any{"question": question, "depth": depth, "budget_seconds": 20, "max_tokens": 300 + s.rand.IntN(4000)})
	case n < 20:
		return tool("fetch-sources", map[string]any{"query": "goroutine channel", "full_text": s.rand.IntN(2) == 0, "budget_seconds": 20})
	case n < 28:
		return tool("fetch-sources", map[string]any{"urls": []string{page}, "budget_seconds": 20})
	case n < 50:
		return tool("recall", map[string]any{"query": question + " lighthouse", "k": 1 + s.rand.IntN(20), "max_tokens": 200 + s.rand.IntN(3000)})
	case n < 65:
		i := s.rand.IntN(soakDocuments)
		return tool("remember", map[string]any{"title": fmt.Sprint("Note ", i), "text": strings.Repeat(fmt.Sprintf("Note %d says that harbour %d has a crane. ", i, i*7), 1+s.rand.IntN(80))})
	case n < 70:
		return tool("forget", map[string]any{"ids": s.peer.takeIDs(), "confirm": true})
	case n < 74:
		return tool("forget", map[string]any{"source": "note", "dry_run": true})
	case n < 80:
		return tool("recal", map[string]any{"qery": 1})
	case n < 86:
		return "resources/list", map[string]any{}
	case n < 90:
		return "resources/read", map[string]any{"uri": "research://sources"}
	case n < 94:
		return "tools/list", map[string]any{}
	}
	return "ping", nil
}

// killChild kills one of the server's isolated children, if there is one.
func (s *soak) killChild() {
	children := childrenOf(s.peer.cmd.Process.Pid)
	if len(children) == 0 {
		return
	}
	if syscall.Kill(children[s.rand.IntN(len(children))], syscall.SIGKILL) == nil {
		s.killed++
	}
}

// childrenOf lists the processes that a process has started.
func childrenOf(pid int) []int {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	var out []int
	for _, name := range stats {
		b, err := os.ReadFile(name) //nolint:gosec // of /proc
		if err != nil {
			continue // it has ended
		}
		fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
		if child, err := strconv.Atoi(filepath.Base(filepath.Dir(name))); err == nil && len(fields) > 1 && fields[1] == strconv.Itoa(pid) {
			out = append(out, child)
		}
	}
	slices.Sort(out)
	return out
}

// sample is taken when all calls are answered.
func (s *soak) sample(t *testing.T) soakSample {
	t.Helper()
	return held(t, s.peer.cmd.Process.Pid, s.sent)
}

// held is what a process holds after so many calls.
func held(t *testing.T, pid, calls int) soakSample {
	t.Helper()
	proc := fmt.Sprintf("/proc/%d", pid)
	handles, err := os.ReadDir(proc + "/fd")
	if err != nil {
		t.Fatal(err)
	}
	status, err := os.ReadFile(proc + "/status") //nolint:gosec // of /proc
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(status), "VmRSS:")
	kib, err := strconv.Atoi(strings.Fields(after + " x")[0])
	if err != nil {
		t.Fatalf("the resident memory of the server: %v", err)
	}
	return soakSample{calls: calls, resident: kib >> 10, handles: len(handles)}
}

// soakSlope is the MiB that a call adds, by least squares.
func soakSlope(samples []soakSample) float64 {
	var x, y, xx, xy float64
	for _, s := range samples {
		a, b := float64(s.calls), float64(s.resident)
		x, y, xx, xy = x+a, y+b, xx+a*a, xy+a*b
	}
	n := float64(len(samples))
	if d := n*xx - x*x; d != 0 {
		return (n*xy - x*y) / d
	}
	return 0
}
