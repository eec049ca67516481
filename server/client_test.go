package server

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/research"
	"github.com/research-mcp/research-mcp/tools"
)

// world is what the tools stand on in a test; a nil function answers at once.
type world struct {
	research func(ctx context.Context, r research.Request, observe func(research.Event)) (evidence.Answer, error)
	recall   func(ctx context.Context, q evidence.RecallQuery) (evidence.RecallResult, error)
	sources  []string
}

func (w world) Research(ctx context.Context, r research.Request, observe func(research.Event)) (evidence.Answer, error) {
	if w.research == nil {
		return answerTo(r, observe), nil
	}
	return w.research(ctx, r, observe)
}

func (w world) FetchSources(_ context.Context, r tools.FetchRequest, _ func(research.Event)) (tools.FetchResult, error) {
	return tools.FetchResult{Documents: []evidence.Document{{ID: "d_1", Source: "wikipedia", Title: "Go", Text: "About " + r.Query, Untrusted: true}}}, nil
}

func (w world) Recall(ctx context.Context, q evidence.RecallQuery) (evidence.RecallResult, error) {
	if w.recall == nil {
		return evidence.RecallResult{Index: evidence.IndexReady}, nil
	}
	return w.recall(ctx, q)
}

func answerTo(r research.Request, observe func(research.Event)) evidence.Answer {
	report := evidence.SourceReport{Name: "hackernews", Status: evidence.StatusOK, Documents: 4, LatencyMS: 512}
	observe(research.Event{Kind: research.EventPlanned, Total: 1})
	observe(research.Event{Kind: research.EventSource, Source: &report, Done: 1, Total: 1})
	for _, stage := range []string{"rank", "synthesis", "verify"} {
		observe(research.Event{Kind: research.EventStage, Stage: stage})
	}
	observe(research.Event{Kind: research.EventText, Text: "It is so."})
	observe(research.Event{Kind: research.EventDone})
	return evidence.Answer{Question: r.Question, Session: "s_1", RunID: "r_1", Status: evidence.Answered, Answer: "It is so.",
		Sources: []evidence.SourceReport{report}, Analysis: evidence.Analysis{Status: "skipped"}}
}

// reports is how many progress notifications answerTo makes.
const reports = 5

func testServer(w world, log io.Writer) *Server {
	return New(Options{
		Name: "research-mcp", Title: "Research", Version: "1.2.3", Instructions: "Ask.",
		Tools:     tools.All(tools.Deps{Research: w, Fetch: w, Recall: w, Sources: w.sources, Boundary: func() string { return "b0b0b0" }}),
		Logger:    slog.New(slog.NewTextHandler(log, nil)),
		SlowLimit: 4,
	})
}

// client is the other end of a stdio connection.
type client struct {
	t      *testing.T
	in     *io.PipeWriter
	out    *io.PipeReader
	log    *lockedBuffer
	lines  chan string // what the server wrote; closed when its output ends
	served chan error  // what ServeStdio returned
}

// connect starts a server for w on a pipe pair, until ctx ends.
func connect(ctx context.Context, t *testing.T, w world) *client {
	t.Helper()
	inR, inW := io.Pipe()
	outR, outW := io.Pipe()
	c := &client{t: t, in: inW, out: outR, log: &lockedBuffer{}, lines: make(chan string, 1<<16), served: make(chan error, 1)}
	s := testServer(w, c.log)
	go func() {
		err := s.ServeStdio(ctx, inR, outW)
		outW.Close()
		c.served <- err
	}()
	go func() {
		defer close(c.lines)
		for r := bufio.NewReader(outR); ; {
			line, err := r.ReadString('\n')
			if err != nil {
				return
			}
			c.lines <- line
		}
	}()
	return c
}

func (c *client) send(format string, args ...any) {
	c.t.Helper()
	if _, err := fmt.Fprintf(c.in, format+"\n", args...); err != nil {
		c.t.Fatalf("writing to the server: %v", err)
	}
}

// patience is how long a test waits for what must come; far longer than it
// takes on any machine.
const patience = time.Minute

func (c *client) next() message {
	c.t.Helper()
	select {
	case line, ok := <-c.lines:
		if !ok {
			c.t.Fatal("the server's output has ended")
		}
		return parse(c.t, line)
	case <-time.After(patience):
		c.t.Fatal("the server is silent")
	}
	return message{}
}

// end closes the input and returns what else the server wrote, and ServeStdio's
// error.
func (c *client) end() ([]message, error) {
	c.t.Helper()
	c.in.Close()
	return c.rest()
}

func (c *client) rest() ([]message, error) {
	c.t.Helper()
	var rest []message
	for line := range c.lines {
		rest = append(rest, parse(c.t, line))
	}
	return rest, <-c.served
}

// message is any JSON-RPC message of the server's.
type message struct {
	JSONRPC string          `json:"jsonrpc"`
	ID      json.RawMessage `json:"id"`
	Method  string          `json:"method"`
	Error   *struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	} `json:"error"`
	Params struct {
		Token    any     `json:"progressToken"`
		Progress float64 `json:"progress"`
		Total    float64 `json:"total"`
		Message  string  `json:"message"`
	} `json:"params"`
	Result struct {
		IsError    bool            `json:"isError"`
		Structured json.RawMessage `json:"structuredContent"`
		Content    []struct {
			Text string `json:"text"`
		} `json:"content"`
	} `json:"result"`
}

func (m message) text() string {
	var parts []string
	for _, c := range m.Result.Content {
		parts = append(parts, c.Text)
	}
	return strings.Join(parts, "\n")
}

func parse(t *testing.T, line string) message {
	t.Helper()
	var m message
	if err := json.Unmarshal([]byte(line), &m); err != nil || m.JSONRPC != "2.0" {
		t.Fatalf("the server wrote %q: %v", line, err)
	}
	return m
}

func callTool(id int, name, args string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":%q,"arguments":%s,"_meta":{"progressToken":"p%d"}}}`, id, name, args, id)
}

func cancelCall(id string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":%s,"reason":"enough"}}`, id)
}

const ping = `{"jsonrpc":"2.0","id":"ping","method":"ping"}`

// lockedBuffer is a log that a test reads while it is written.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

var errBroken = errors.New("the client does not read")
