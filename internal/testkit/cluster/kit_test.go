package cluster

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// binaryVariable names the built program.
const binaryVariable = "CLUSTER_BINARY"

// patience is the longest that a call may take: a write waits for a new primary.
const patience = 100 * time.Second

// needed returns the values of variables, and skips the test if one is not set.
func needed(t *testing.T, names ...string) []string {
	t.Helper()
	var out []string
	for _, name := range names {
		value := os.Getenv(name)
		if value == "" {
			t.Skipf("not run: %s is not set; internal/testkit/scripts/cluster.sh sets it", name)
		}
		out = append(out, value)
	}
	return out
}

const hits = `{"hits":[{"objectID":"1","author":"ann","created_at":"2026-01-02T03:04:05Z","created_at_i":1767323045,"points":5,"num_comments":2,"url":null,` +
	`"title":"How tides work","story_id":1,"story_text":"Tides are made by the gravity of the moon and of the sun, which pull at the water of the sea.",` +
	`"_tags":["story","author_ann","story_1"]}],"nbHits":1,"page":0,"nbPages":1,"hitsPerPage":20,"exhaustiveNbHits":true,"query":"","params":""}`

// answered is what an answer from that source says.
const answered = "gravity of the moon"

// newSource answers as the API of Hacker News does; while hold is not nil, when it is closed.
func newSource(t *testing.T, hold *atomic.Pointer[chan struct{}]) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if hold != nil {
			if wait := hold.Load(); wait != nil {
				select {
				case <-*wait:
				case <-r.Context().Done():
					return
				}
			}
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, hits) // the caller may have left
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// server is a process of the program that serves over HTTP.
type server struct {
	cmd   *exec.Cmd
	url   string
	log   syncBuffer
	ended chan struct{}
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) add(line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.b.WriteString(line)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

var servingAt = regexp.MustCompile(`serving MCP at (https?://[^;]+/mcp)`)

// start starts a server on a data folder of its own, unless settings name one.
func start(t *testing.T, source string, settings ...string) *server {
	t.Helper()
	s := &server{ended: make(chan struct{})}
	args := []string{"serve", "--http", "127.0.0.1:0", "--data-dir", t.TempDir(), "--set", "ollama.enabled=false", "--set", "models.builtin=off", "--set", "sources.hackernews.url=" + source}
	for _, one := range settings {
		args = append(args, "--set", one)
	}
	s.cmd = exec.Command(os.Getenv(binaryVariable), args...)
	s.cmd.Env = append(os.Environ(), "HOME="+t.TempDir())
	out, err := s.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.kill)
	serving := make(chan string, 1)
	go func() {
		lines := bufio.NewReader(out)
		for {
			line, err := lines.ReadString('\n')
			s.log.add(line)
			if at := servingAt.FindStringSubmatch(line); at != nil {
				serving <- at[1]
			}
			if err != nil {
				_ = s.cmd.Wait() // a test may kill it
				close(s.ended)
				return
			}
		}
	}()
	select {
	case s.url = <-serving:
	case <-s.ended:
		t.Fatalf("the server ended:\n%s", s.log.String())
	case <-time.After(patience):
		t.Fatalf("the server does not start:\n%s", s.log.String())
	}
	return s
}

// kill ends a server as the loss of its machine would.
func (s *server) kill() {
	_ = s.cmd.Process.Kill() // it may have ended
	<-s.ended
}

// call calls a tool, with a token if one is needed. refused is the tool's own error.
func (s *server) call(ctx context.Context, token, tool string, args any) (text string, refused bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	body, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": map[string]any{"name": tool, "arguments": args}})
	if err != nil {
		return "", false, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, bytes.NewReader(body))
	if err != nil {
		return "", false, err
	}
	for name, value := range map[string]string{"Content-Type": "application/json", "Accept": "application/json, text/event-stream", "Mcp-Protocol-Version": "2025-11-25"} {
		req.Header.Set(name, value)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", false, err
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		return "", false, err
	}
	return result(raw)
}

// result takes the answer to the call out of JSON or of a stream of events.
func result(raw []byte) (text string, refused bool, err error) {
	for line := range bytes.Lines(raw) {
		line = bytes.TrimSpace(bytes.TrimPrefix(line, []byte("data:")))
		var m struct {
			ID     *int
			Error  json.RawMessage
			Result *struct {
				Content []struct{ Text string }
				IsError bool
			}
		}
		if json.Unmarshal(line, &m) != nil || m.ID == nil {
			continue
		}
		if m.Result == nil {
			return "", false, fmt.Errorf("the protocol: %s", m.Error)
		}
		var all []string
		for _, c := range m.Result.Content {
			all = append(all, c.Text)
		}
		return strings.Join(all, "\n"), m.Result.IsError, nil
	}
	return "", false, fmt.Errorf("no answer: %.300s", raw)
}

var documentID = regexp.MustCompile(`\bd_[a-z2-7]{26}\b`)

// note is the text that a writer remembers as its number n: of several chunks.
func note(writer string, n int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Entry %s-%d of the ledger.\n\n", writer, n)
	for p := range 4 {
		fmt.Fprintf(&b, "%s\n\n", strings.Repeat(fmt.Sprintf("Paragraph %d of entry %s-%d says that harbour %d has a crane of granite and a lamp. ", p, writer, n, n*7+p), 10))
	}
	return b.String()
}

// acked are the documents that servers said they keep.
type acked struct {
	mu   sync.Mutex
	ids  map[string]string // document to what it was
	at   []time.Time       // of each
	errs map[string]int
}

func newAcked() *acked { return &acked{ids: map[string]string{}, errs: map[string]int{}} }

func (a *acked) add(id, what string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ids[id] = what
	a.at = append(a.at, time.Now())
}

func (a *acked) failed(text string, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err != nil {
		text = err.Error()
	}
	a.errs[fmt.Sprintf("%.160s", text)]++
}

func (a *acked) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.ids)
}

// write remembers one note after the other until ctx ends; one that is not acknowledged is
// repeated, as a client would.
func (a *acked) write(ctx context.Context, s *server, token, writer string) {
	for n := 0; ctx.Err() == nil; n++ {
		for ctx.Err() == nil {
			text, refused, err := s.call(ctx, token, "remember", map[string]any{"title": fmt.Sprintf("Entry %s-%d", writer, n), "text": note(writer, n)})
			if id := documentID.FindString(text); err == nil && !refused && id != "" {
				a.add(id, fmt.Sprintf("%s-%d", writer, n))
				break
			}
			if ctx.Err() == nil {
				a.failed(text, err)
				pause(ctx, 50*time.Millisecond)
			}
		}
		pause(ctx, 10*time.Millisecond)
	}
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// moments are when something succeeded.
type moments struct {
	mu      sync.Mutex
	at      []time.Time
	slowest time.Duration
	failed  []string
}

func (m *moments) add(began time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.at = append(m.at, time.Now())
	m.slowest = max(m.slowest, time.Since(began))
}

func (m *moments) fail(text string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.failed = append(m.failed, fmt.Sprintf("%.300s", text))
}

// longest is the longest pause between two of them, or until now.
func longest(at []time.Time, since time.Time) time.Duration {
	most, last := time.Duration(0), since
	for _, t := range at {
		if t.After(since) {
			most, last = max(most, t.Sub(last)), t
		}
	}
	return max(most, time.Since(last))
}

func (m *moments) pause(since time.Time) time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	return longest(m.at, since)
}

func (a *acked) pause(since time.Time) time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	return longest(a.at, since)
}
