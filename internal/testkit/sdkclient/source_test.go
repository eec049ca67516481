package sdkclient

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
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

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// source answers as the API of Hacker News does, as soon as released is closed.
type source struct {
	url         string
	begun, left chan struct{} // a value for each search, and for each caller that hung up
	searches    atomic.Int32
}

const hits = `{"hits":[{"objectID":"1","author":"ann","created_at":"2026-01-02T03:04:05Z","created_at_i":1767323045,"points":5,"num_comments":2,"url":null,` +
	`"title":"How tides work","story_id":1,"story_text":"Tides are made by the gravity of the moon and of the sun, which pull at the water of the sea.",` +
	`"_tags":["story","author_ann","story_1"]}],"nbHits":1,"page":0,"nbPages":1,"hitsPerPage":20,"exhaustiveNbHits":true,"query":"","params":""}`

func newSource(t *testing.T, released <-chan struct{}) *source {
	t.Helper()
	s := &source{begun: make(chan struct{}, 100), left: make(chan struct{}, 100)}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.searches.Add(1)
		select {
		case s.begun <- struct{}{}:
		default: // nobody waits for that many
		}
		select {
		case <-released:
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, hits)
		case <-r.Context().Done():
			s.left <- struct{}{}
		}
	}))
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

// connect starts a server whose only useful source is s, and logs its messages to wire.
func (s *source) connect(t *testing.T, version string, wire io.Writer) *mcp.ClientSession {
	t.Helper()
	session, _ := s.connectIn(t, t.TempDir(), version, wire)
	return session
}

// connectIn is connect with a data folder.
func (s *source) connectIn(t *testing.T, data, version string, wire io.Writer) (*mcp.ClientSession, *os.Process) {
	t.Helper()
	cmd := exec.Command(binary, "serve", "--data-dir", data, "--set", "ollama.enabled=false",
		"--set", "sources.hackernews.url="+s.url, "--set", "sources.hackernews.timeout=100s")
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir())
	transport := &mcp.LoggingTransport{Transport: &mcp.CommandTransport{Command: cmd}, Writer: wire}
	session, err := mcp.NewClient(&mcp.Implementation{Name: "sdkclient", Version: "1"}, nil).
		Connect(t.Context(), transport, &mcp.ClientSessionOptions{ProtocolVersion: version})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = session.Close() }) // the tests of client check how it ends
	return session, cmd.Process
}

// log is a buffer that the SDK's reader may still write to while it is read.
type log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

var tides = map[string]any{"question": "How do tides work?", "sources": []string{"hackernews"}, "depth": "quick"}

// TestProgressIsExact: on the wire, none of a call's reports is missing and none comes
// after its result.
func TestProgressIsExact(t *testing.T) {
	t.Parallel()
	const calls, atOnce = 300, 8
	for _, era := range eras[:2] {
		t.Run(era, func(t *testing.T) {
			t.Parallel()
			released := make(chan struct{})
			close(released)
			var wire log
			session := newSource(t, released).connect(t, era, &wire)
			numbers := make(chan int)
			var callers sync.WaitGroup
			for range atOnce {
				callers.Go(func() {
					for n := range numbers {
						params := &mcp.CallToolParams{Name: "fetch-sources", Arguments: map[string]any{"query": "tides", "sources": []string{"hackernews"}}}
						params.SetProgressToken(fmt.Sprint("call", n))
						if res, err := session.CallTool(t.Context(), params); err != nil || res.IsError {
							t.Errorf("call %d: %v, %+v", n, err, res)
						}
					}
				})
			}
			for n := range calls {
				numbers <- n
			}
			close(numbers)
			callers.Wait()
			checkProgress(t, wire.String(), calls)
		})
	}
}

// message is what a line of the log may have.
type message struct {
	ID     json.RawMessage
	Method string
	Result json.RawMessage
	Params struct {
		Token    string `json:"progressToken"`
		Progress int
		Meta     struct {
			Token string `json:"progressToken"`
		} `json:"_meta"`
	}
}

func checkProgress(t *testing.T, wire string, calls int) {
	t.Helper()
	reports, tokens, answered := map[string][]int{}, map[string]string{}, map[string]bool{}
	// A response may be logged before its request was: first the requests.
	for _, direction := range []string{"write: ", "read: "} {
		for line := range strings.Lines(wire) {
			text, found := strings.CutPrefix(line, direction)
			var m message
			if !found || json.Unmarshal([]byte(text), &m) != nil {
				continue // of the other direction, or the end
			}
			switch {
			case m.Params.Meta.Token != "" && direction == "write: ":
				tokens[string(m.ID)] = m.Params.Meta.Token
			case m.Method == "notifications/progress" && answered[m.Params.Token]:
				t.Errorf("%s: report %d is late", m.Params.Token, m.Params.Progress)
			case m.Method == "notifications/progress":
				reports[m.Params.Token] = append(reports[m.Params.Token], m.Params.Progress)
			case m.Result != nil:
				answered[tokens[string(m.ID)]] = true
			}
		}
	}
	if len(reports) != calls || len(tokens) != calls {
		t.Errorf("%d calls, %d with reports; want %d of both", len(tokens), len(reports), calls)
	}
	const least = 2 // the search begins, and the source has answered; a slow one is told of in between
	for token, seen := range reports {
		if len(seen) < least {
			t.Errorf("%s: reports %v, want %d at least", token, seen, least)
		}
		for i, n := range seen {
			if n != i+1 {
				t.Errorf("%s: reports %v, want 1, 2, 3, …", token, seen)
				break
			}
		}
	}
}

func TestCancelClosesTheSourcesConnection(t *testing.T) {
	t.Parallel()
	for _, era := range eras[:2] {
		t.Run(era, func(t *testing.T) {
			t.Parallel()
			s := newSource(t, nil)
			session := s.connect(t, era, io.Discard)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			ended := make(chan error, 1)
			go func() {
				_, err := session.CallTool(ctx, &mcp.CallToolParams{Name: "research", Arguments: tides})
				ended <- err
			}()
			<-s.begun
			cancel()
			if err := <-ended; !errors.Is(err, context.Canceled) {
				t.Errorf("error = %v, want %v", err, context.Canceled)
			}
			<-s.left
		})
	}
}

// timeOut is a context that times out when done is closed, and no sooner.
type timeOut struct {
	context.Context
	done chan struct{}
}

func (c timeOut) Done() <-chan struct{} { return c.done }

func (c timeOut) Err() error {
	select {
	case <-c.done:
		return context.DeadlineExceeded
	default:
		return c.Context.Err()
	}
}

// TestTimeOutAsksNothingAgain: the same question, and the run's id, get the answer of a
// run whose caller gave up, from the one request that it had sent.
func TestTimeOutAsksNothingAgain(t *testing.T) {
	t.Parallel()
	for _, era := range eras[:2] {
		t.Run(era, func(t *testing.T) {
			t.Parallel()
			released := make(chan struct{})
			s := newSource(t, released)
			session := s.connect(t, era, io.Discard)
			ctx := timeOut{t.Context(), make(chan struct{})}
			ended := make(chan error, 1)
			go func() {
				_, err := session.CallTool(ctx, &mcp.CallToolParams{Name: "research", Arguments: tides})
				ended <- err
			}()
			<-s.begun
			close(ctx.done)
			if err := <-ended; !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("error = %v, want %v", err, context.DeadlineExceeded)
			}
			close(released)
			var texts []string
			runs := regexp.MustCompile(`\br_[a-z2-7]{16}\b`)
			for _, args := range []map[string]any{tides, {"run_id": ""}} {
				if _, byID := args["run_id"]; byID {
					args["run_id"] = runs.FindString(texts[0])
				}
				res, err := session.CallTool(t.Context(), &mcp.CallToolParams{Name: "research", Arguments: args})
				if err != nil || res.IsError {
					t.Fatalf("research %v: %v, %+v", args, err, res)
				}
				texts = append(texts, textOf(res))
			}
			if first, second := runs.FindString(texts[0]), runs.FindString(texts[1]); first == "" || first != second || !strings.Contains(texts[0], "gravity of the moon") {
				t.Errorf("runs %q and %q:\n%s", first, second, texts[0])
			}
			if n := s.searches.Load(); n != 1 || len(s.left) > 0 {
				t.Errorf("the source was asked %d times, want once; %d were cut off", n, len(s.left))
			}
		})
	}
}
