package sdkclient

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// binary is the product, built once for all tests.
var binary = os.Getenv("SDKCLIENT_BINARY")

func TestMain(m *testing.M) {
	if binary != "" {
		os.Exit(m.Run())
	}
	dir, err := os.MkdirTemp("", "research-mcp")
	if err != nil {
		panic(err)
	}
	binary = filepath.Join(dir, "research-mcp")
	build := exec.Command("go", "build", "-o", binary, "./cmd/research-mcp")
	build.Dir = filepath.Join("..", "..", "..")
	build.Stderr = os.Stderr
	code := 1
	if err := build.Run(); err == nil {
		code = m.Run()
	}
	os.RemoveAll(dir)
	os.Exit(code)
}

// eras are the protocol revisions that the tests speak: the first is the one
// without a handshake.
var eras = []string{"2026-07-28", "2025-11-25", "2025-06-18", "2024-11-05"}

// patience is how long a test waits for what must come; far longer than it
// takes on any machine.
const patience = time.Minute

// client is an SDK client of a server process of its own.
type client struct {
	*mcp.ClientSession
	cmd      *exec.Cmd
	stderr   *lines
	progress *lines // what the progress notifications said
	calls    int    // numbers the progress tokens
}

// start starts a server that sends results as JSON, too.
func start(t *testing.T, version string) *client {
	t.Helper()
	return startWith(t, version, "--structured")
}

func startWith(t *testing.T, version string, flags ...string) *client {
	t.Helper()
	return startAs(t, version, &mcp.ClientOptions{}, flags...)
}

// startAs starts a server for a client that has the handlers of options.
func startAs(t *testing.T, version string, options *mcp.ClientOptions, flags ...string) *client {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	c := &client{cmd: exec.Command(binary, append([]string{"serve", "--demo"}, flags...)...), stderr: newLines(), progress: newLines()}
	c.cmd.Env = append(os.Environ(), "HOME="+t.TempDir(), "RESEARCH_MCP_DATA_DIR="+t.TempDir())
	c.cmd.Stderr = c.stderr
	var mu sync.Mutex
	seen := map[any]float64{}
	options.ProgressNotificationHandler = func(_ context.Context, r *mcp.ProgressNotificationClientRequest) {
		mu.Lock()
		defer mu.Unlock()
		if r.Params.Progress <= seen[r.Params.ProgressToken] {
			t.Errorf("progress %v after %v", r.Params.Progress, seen[r.Params.ProgressToken])
		}
		seen[r.Params.ProgressToken] = r.Params.Progress
		fmt.Fprintln(c.progress, r.Params.Message)
	}
	sdk := mcp.NewClient(&mcp.Implementation{Name: "sdkclient", Version: "1"}, options)
	session, err := sdk.Connect(ctx, &mcp.CommandTransport{Command: c.cmd}, &mcp.ClientSessionOptions{ProtocolVersion: version})
	if err != nil {
		t.Fatalf("connecting: %v\n%s", err, c.stderr)
	}
	c.ClientSession = session
	t.Cleanup(func() { c.end(t) })
	if got := session.InitializeResult().ProtocolVersion; got != version {
		t.Errorf("the server speaks %s, want %s", got, version)
	}
	return c
}

// end closes the server's input, and expects it to end by that alone.
func (c *client) end(t *testing.T) {
	t.Helper()
	if err := c.Close(); err != nil {
		t.Errorf("closing: %v\n%s", err, c.stderr)
	}
	if state := c.cmd.ProcessState; state == nil || state.ExitCode() != 0 {
		t.Errorf("the server ended with %v\n%s", state, c.stderr)
	}
}

// call expects a result without an error, whose structured content is valid
// against the schema that the server published, and decodes it into out.
func (c *client) call(t *testing.T, tool string, args map[string]any, out any) string {
	t.Helper()
	params := &mcp.CallToolParams{Name: tool, Arguments: args}
	c.calls++
	params.SetProgressToken(fmt.Sprint("call", c.calls))
	res, err := c.CallTool(t.Context(), params)
	if err != nil {
		t.Fatalf("%s: %v\n%s", tool, err, c.stderr)
	}
	if res.IsError {
		t.Fatalf("%s: %s\n%s", tool, textOf(res), c.stderr)
	}
	raw := c.validate(t, tool, res)
	if err := json.Unmarshal(raw, out); err != nil {
		t.Fatal(err)
	}
	return textOf(res)
}

func (c *client) validate(t *testing.T, tool string, res *mcp.CallToolResult) []byte {
	t.Helper()
	list, err := c.ListTools(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(res.StructuredContent)
	if err != nil {
		t.Fatal(err)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	for _, published := range list.Tools {
		if published.Name != tool {
			continue
		}
		if err := compile(t, published.OutputSchema).Validate(value); err != nil {
			t.Errorf("%s: structured content does not fit its schema: %v\n%s", tool, err, raw)
		}
		return raw
	}
	t.Fatalf("%s is not in the list", tool)
	return nil
}

// compile also asserts formats, which the schemas use for times.
func compile(t *testing.T, schema any) *jsonschema.Schema {
	t.Helper()
	raw, err := json.Marshal(schema)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	if err := compiler.AddResource("mem://schema.json", doc); err != nil {
		t.Fatal(err)
	}
	compiled, err := compiler.Compile("mem://schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return compiled
}

func textOf(res *mcp.CallToolResult) string {
	var parts []string
	for _, c := range res.Content {
		if text, ok := c.(*mcp.TextContent); ok {
			parts = append(parts, text.Text)
		}
	}
	return strings.Join(parts, "\n")
}

// lines collects what is written to it, and tells of each line.
type lines struct {
	mu   sync.Mutex
	all  bytes.Buffer
	pipe *io.PipeWriter
	C    chan string
}

func newLines() *lines {
	r, w := io.Pipe()
	l := &lines{pipe: w, C: make(chan string, 10_000)}
	go func() {
		for s := bufio.NewScanner(r); s.Scan(); {
			l.C <- s.Text()
		}
	}()
	return l
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	l.all.Write(p)
	l.mu.Unlock()
	return l.pipe.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.String()
}

// await waits for a line that holds all of parts.
func (l *lines) await(t *testing.T, parts ...string) string {
	t.Helper()
	timeout := time.After(patience)
next:
	for {
		select {
		case line := <-l.C:
			for _, p := range parts {
				if !strings.Contains(line, p) {
					continue next
				}
			}
			return line
		case <-timeout:
			t.Fatalf("no line holds all of %q:\n%s", parts, l)
		}
	}
}
