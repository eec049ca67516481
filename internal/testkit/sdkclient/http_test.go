package sdkclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// replica is a process that serves over HTTP.
type replica struct {
	cmd    *exec.Cmd
	url    string
	stderr *lines
	ended  chan struct{}
}

// serve starts a server over HTTP on a data folder, whose only useful source is s.
func (s *source) serve(t *testing.T, data string, flags ...string) *replica {
	t.Helper()
	r := &replica{stderr: newLines(), ended: make(chan struct{})}
	r.cmd = exec.Command(binary, append([]string{"serve", "--http", "127.0.0.1:0", "--data-dir", data, "--set", "ollama.enabled=false",
		"--set", "sources.hackernews.url=" + s.url, "--set", "sources.hackernews.timeout=100s"}, flags...)...)
	r.cmd.Env = append(os.Environ(), "HOME="+t.TempDir())
	r.cmd.Stderr = r.stderr
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = r.cmd.Wait() // a test may kill it
		close(r.ended)
	}()
	t.Cleanup(r.kill)
	r.url = regexp.MustCompile(`https?://[^;]+/mcp`).FindString(r.stderr.await(t, "serving MCP at "))
	return r
}

func (r *replica) kill() {
	_ = r.cmd.Process.Kill() // it may have ended
	<-r.ended
}

// connectHTTP returns a session with the server at url, whose messages wire logs.
func connectHTTP(t *testing.T, url, version string, wire io.Writer, client *http.Client) *mcp.ClientSession {
	t.Helper()
	transport := &mcp.LoggingTransport{Transport: &mcp.StreamableClientTransport{Endpoint: url, HTTPClient: client}, Writer: wire}
	session, err := mcp.NewClient(&mcp.Implementation{Name: "sdkclient", Version: "1"}, nil).
		Connect(t.Context(), transport, &mcp.ClientSessionOptions{ProtocolVersion: version})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = session.Close() }) // the server may have been killed
	if got := session.InitializeResult().ProtocolVersion; got != version {
		t.Errorf("the server speaks %s, want %s", got, version)
	}
	return session
}

func released() <-chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}

func TestHTTPTools(t *testing.T) {
	t.Parallel()
	server := newSource(t, released()).serve(t, t.TempDir())
	for _, era := range eras[:2] {
		t.Run(era, func(t *testing.T) {
			t.Parallel()
			session := connectHTTP(t, server.url, era, io.Discard, nil)
			list, err := session.ListTools(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, tool := range list.Tools {
				names = append(names, tool.Name)
			}
			slices.Sort(names)
			if want := []string{"fetch-sources", "forget", "recall", "remember", "research"}; !slices.Equal(names, want) {
				t.Errorf("tools %q, want %q", names, want)
			}
			note := struct{ text, id string }{text: "The ferry " + era + " leaves at noon."}
			for _, call := range []struct {
				tool, want string
				args       map[string]any
			}{
				{"research", "gravity of the moon", tides},
				{"fetch-sources", "How tides work", map[string]any{"query": "tides", "sources": []string{"hackernews"}}},
				{"remember", "d_", map[string]any{"text": note.text, "title": "Ferry " + era}},
				{"recall", note.text, map[string]any{"query": "ferry " + era}},
				{"forget", "Forgot 1 document (1 chunk)", map[string]any{"ids": []string{""}}},
				{"forget", "Forgot 0 documents", map[string]any{"ids": []string{""}}},
			} {
				if call.tool == "forget" {
					call.args["ids"] = []string{note.id}
				}
				res, err := session.CallTool(t.Context(), &mcp.CallToolParams{Name: call.tool, Arguments: call.args})
				if err != nil || res.IsError || !strings.Contains(textOf(res), call.want) {
					t.Errorf("%s: %v, %s", call.tool, err, textOf(res))
				}
				if call.tool == "remember" {
					note.id = regexp.MustCompile(`\bd_[0-9a-z]+\b`).FindString(textOf(res))
				}
			}
		})
	}
}

func TestHTTPProgressIsExact(t *testing.T) {
	t.Parallel()
	server := newSource(t, released()).serve(t, t.TempDir())
	for _, era := range eras[:2] {
		t.Run(era, func(t *testing.T) {
			t.Parallel()
			callWithProgress(t, server.url, era, 100)
		})
	}
}

// callWithProgress makes calls, some at once, and checks their progress on the wire.
func callWithProgress(t *testing.T, url, era string, calls int) {
	t.Helper()
	const atOnce = 4
	var wire log
	session := connectHTTP(t, url, era, &wire, nil)
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
}

func TestHTTPCancelClosesTheSourcesConnection(t *testing.T) {
	t.Parallel()
	s := newSource(t, nil)
	server := s.serve(t, t.TempDir())
	for _, era := range eras[:2] { // one after the other: both would be one run
		session := connectHTTP(t, server.url, era, io.Discard, nil)
		s.cancelOne(t, era, session)
	}
}

// cancelOne cancels a call as a person does, and waits until the source is told.
func (s *source) cancelOne(t *testing.T, era string, session *mcp.ClientSession) {
	t.Helper()
	for _, token := range []string{"", "wanted"} { // with progress the answer is a stream
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		params := &mcp.CallToolParams{Name: "research", Arguments: tides}
		if token != "" {
			params.SetProgressToken(token)
		}
		go func() {
			_, err := session.CallTool(ctx, params)
			ended <- err
		}()
		receive(t, s.begun, era+" the search")
		cancel()
		if err := receive(t, ended, era+" the end of the call"); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: error = %v, want %v", era, err, context.Canceled)
		}
		receive(t, s.left, fmt.Sprintf("%s, progress %q: the end of the source's connection", era, token))
	}
}

func receive[T any](t *testing.T, from <-chan T, what string) T {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	select {
	case v := <-from:
		return v
	case <-ctx.Done():
		t.Fatalf("%s did not come", what)
		panic("unreachable")
	}
}

// A run that its caller did not wait for is answered to who asks again. In the newer era
// the end of a connection is a cancellation: the source may be asked a second time.
func TestHTTPRunIsPickedUp(t *testing.T) {
	t.Parallel()
	for i, era := range eras[:2] {
		t.Run(era, func(t *testing.T) {
			t.Parallel()
			release := make(chan struct{})
			s := newSource(t, release)
			server := s.serve(t, t.TempDir())
			s.pickUp(t, connectHTTP(t, server.url, era, io.Discard, nil), 5*time.Second, func() { close(release) })
			if n, most := s.searches.Load(), int32(2-i); n > most {
				t.Errorf("the source was asked %d times, want %d at most", n, most)
			}
		})
	}
}

// pickUp gives a call up some time after its search began, lets the source answer, and asks again.
func (s *source) pickUp(t *testing.T, session *mcp.ClientSession, after time.Duration, release func()) {
	t.Helper()
	ask := func(ctx context.Context, token string) (string, error) {
		params := &mcp.CallToolParams{Name: "research", Arguments: tides}
		params.SetProgressToken(token)
		res, err := session.CallTool(ctx, params)
		if err != nil {
			return "", err
		}
		return textOf(res), nil
	}
	ctx := timeOut{t.Context(), make(chan struct{})}
	cut := make(chan error, 1)
	go func() {
		_, err := ask(ctx, "cut")
		cut <- err
	}()
	receive(t, s.begun, "the search")
	<-time.After(after)
	close(ctx.done)
	if err := receive(t, cut, "the end of the cut call"); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("a call that is cut: %v", err)
	}
	release()
	if text, err := ask(t.Context(), "again"); err != nil || !strings.Contains(text, "gravity of the moon") {
		t.Errorf("asked again: %s, %v", text, err)
	}
}
