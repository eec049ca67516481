package stdio

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

	"github.com/research-mcp/research-mcp/internal/research"
	"github.com/research-mcp/research-mcp/server"
	"github.com/research-mcp/research-mcp/tools"
)

// researchFunc is the tool "research" in a test.
type researchFunc func(ctx context.Context, question string, observe tools.Observe) (tools.Result, error)

// atOnce answers after a fixed number of reports.
func atOnce(_ context.Context, _ string, observe tools.Observe) (tools.Result, error) {
	for range reports {
		observe(tools.Event{Kind: research.EventStage, Stage: "rank"})
	}
	return tools.Result{Text: "It is so.", Structured: json.RawMessage(`{}`)}, nil
}

// reports is the number of progress notifications that atOnce causes.
const reports = 5

// testHandler has the slow tool research and the quick tool recall.
func testHandler(f researchFunc) *server.Handler {
	return server.NewHandler(server.Options{Name: "research-mcp", Version: "1.2.3", SlowLimit: 4, Tools: []tools.Definition{
		{Name: "research", Slow: true, InputSchema: json.RawMessage(`{"type":"object"}`),
			Call: func(ctx context.Context, args json.RawMessage, observe tools.Observe) (tools.Result, error) {
				var in struct{ Question string }
				if err := json.Unmarshal(args, &in); err != nil {
					return tools.Result{}, err
				}
				return f(ctx, in.Question, observe)
			}},
		{Name: "recall", InputSchema: json.RawMessage(`{"type":"object"}`),
			Call: func(context.Context, json.RawMessage, tools.Observe) (tools.Result, error) {
				return tools.Result{Text: "Nothing.", Structured: json.RawMessage(`{}`)}, nil
			}},
	}})
}

// client is the other end of a stdio connection.
type client struct {
	t      *testing.T
	in     *io.PipeWriter
	out    *io.PipeReader
	log    *lockedBuffer
	lines  chan string // what the server wrote; closed when its output ends
	served chan error  // what Serve returned
}

// connect serves a handler of f on a pipe pair, until ctx ends.
func connect(ctx context.Context, t *testing.T, f researchFunc) *client {
	t.Helper()
	inR, inW := io.Pipe()
	outR, outW := io.Pipe()
	c := &client{t: t, in: inW, out: outR, log: &lockedBuffer{}, lines: make(chan string, 1<<16), served: make(chan error, 1)}
	h := testHandler(f)
	go func() {
		err := Serve(ctx, h, inR, outW, slog.New(slog.NewTextHandler(c.log, nil)))
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

func (c *client) next() message {
	c.t.Helper()
	line, ok := <-c.lines
	if !ok {
		c.t.Fatal("the server's output has ended")
	}
	return parse(c.t, line)
}

// end closes the input and returns what else the server wrote, and Serve's error.
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

// message is any JSON-RPC message of the server.
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
