package http_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/research-mcp/research-mcp/internal/research"
	"github.com/research-mcp/research-mcp/server"
	mcphttp "github.com/research-mcp/research-mcp/server/http"
	"github.com/research-mcp/research-mcp/tools"
)

// steps is how many notifications a call of the tool steps causes.
const steps = 60

// held tells what happens to the calls of the tool hold.
type held struct {
	began chan struct{}
	ended chan error // why their contexts ended
}

func newHeld() *held { return &held{began: make(chan struct{}, 100), ended: make(chan error, 100)} }

// testHandler has a tool that answers, one that reports its steps, one that waits for
// its cancellation, and one that asks its person.
func testHandler(h *held) *server.Handler {
	define := func(name string, call func(ctx context.Context, observe tools.Observe) (string, error)) tools.Definition {
		return tools.Definition{Name: name, Title: name, About: name, InputSchema: json.RawMessage(`{"type":"object"}`),
			Call: func(ctx context.Context, _ json.RawMessage, observe tools.Observe) (tools.Result, error) {
				text, err := call(ctx, observe)
				return tools.Result{Text: text}, err
			}}
	}
	return server.NewHandler(server.Options{Name: "test", Version: "1", Tools: []tools.Definition{
		define("echo", func(ctx context.Context, _ tools.Observe) (string, error) { return "for " + tools.ClientOf(ctx), nil }),
		define("steps", func(_ context.Context, observe tools.Observe) (string, error) {
			for i := range steps {
				observe(research.Event{Kind: research.EventStage, Stage: fmt.Sprint("step ", i)})
			}
			return "done", nil
		}),
		define("hold", func(ctx context.Context, _ tools.Observe) (string, error) {
			h.began <- struct{}{}
			<-ctx.Done()
			h.ended <- context.Cause(ctx)
			return "", ctx.Err()
		}),
		define("consent", func(ctx context.Context, _ tools.Observe) (string, error) {
			ask := tools.AskOf(ctx)
			if ask == nil {
				return "cannot ask", nil
			}
			yes, err := ask(ctx, "really?")
			return fmt.Sprint("consent ", yes), err
		}),
	}})
}

// start serves o at a port of its own until the test ends, and returns its address. A nil
// handler in o is that of testHandler.
func start(t *testing.T, o mcphttp.Options) (url string, stop func() error) {
	t.Helper()
	if o.Handler == nil {
		h := testHandler(newHeld())
		o.Handler = func(context.Context) (*server.Handler, error) { return h, nil }
	}
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- mcphttp.New(o).Serve(ctx, l) }()
	var err2 error
	done := false
	stop = func() error {
		if !done {
			cancel()
			err2, done = <-ended, true
		}
		return err2
	}
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
	return "http://" + l.Addr().String(), stop
}

func handlerOf(h *server.Handler) func(context.Context) (*server.Handler, error) {
	return func(context.Context) (*server.Handler, error) { return h, nil }
}

// reply is what came back for a message.
type reply struct {
	status   int
	header   http.Header
	messages []message
	body     string
}

type message struct {
	ID     json.RawMessage `json:"id"`
	Method string          `json:"method"`
	Params struct {
		Message  string  `json:"message"`
		Progress float64 `json:"progress"`
	} `json:"params"`
	Result struct {
		Content []struct {
			Text string `json:"text"`
		} `json:"content"`
		IsError bool `json:"isError"`
	} `json:"result"`
	Error struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	} `json:"error"`
}

// text is the text of the last message, a result.
func (r reply) text() string {
	if len(r.messages) == 0 {
		return ""
	}
	last := r.messages[len(r.messages)-1].Result
	if len(last.Content) == 0 {
		return ""
	}
	return last.Content[0].Text
}

func (r reply) code() int {
	if len(r.messages) == 0 {
		return 0
	}
	return r.messages[len(r.messages)-1].Error.Code
}

func request(ctx context.Context, t *testing.T, method, url, body string, header map[string]string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json, text/event-stream")
	for k, v := range header {
		switch {
		case k == "Host":
			req.Host = v
		case v == "":
			req.Header.Del(k)
		default:
			req.Header.Set(k, v)
		}
	}
	return req
}

func post(t *testing.T, url, body string, header map[string]string) reply {
	t.Helper()
	res, err := http.DefaultClient.Do(request(t.Context(), t, http.MethodPost, url+mcphttp.Path, body, header))
	if err != nil {
		t.Fatal(err)
	}
	return read(t, res)
}

func read(t *testing.T, res *http.Response) reply {
	t.Helper()
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	r := reply{status: res.StatusCode, header: res.Header, body: string(body)}
	switch {
	case strings.HasPrefix(res.Header.Get("Content-Type"), "text/event-stream"):
		lines := bufio.NewScanner(bytes.NewReader(body))
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				r.messages = append(r.messages, decode(t, data))
			}
		}
	case strings.HasPrefix(res.Header.Get("Content-Type"), "application/json"):
		r.messages = append(r.messages, decode(t, string(body)))
	}
	return r
}

func decode(t *testing.T, s string) message {
	t.Helper()
	var m message
	if err := json.Unmarshal([]byte(s), &m); err != nil {
		t.Fatalf("the server sent %.200q: %v", s, err)
	}
	return m
}

func call(id int, tool string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":%q,"arguments":{},"_meta":{"progressToken":"p"}}}`, id, tool)
}

const helloMessage = `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","clientInfo":{"name":"tester","version":"9"},"capabilities":{"elicitation":{}}}}`

// begin does the handshake and returns the header of the session.
func begin(t *testing.T, url string) map[string]string {
	t.Helper()
	r := post(t, url, helloMessage, nil)
	id := r.header.Get("Mcp-Session-Id")
	if r.status != http.StatusOK || id == "" {
		t.Fatalf("initialize: %d %s", r.status, r.body)
	}
	return map[string]string{"Mcp-Session-Id": id, "Mcp-Protocol-Version": "2025-11-25"}
}

const modernVersion = "2026-07-28"

func modern(id int, method, name, params string) (body string, header map[string]string) {
	meta := `"_meta":{"io.modelcontextprotocol/protocolVersion":"` + modernVersion + `","io.modelcontextprotocol/clientCapabilities":{},"progressToken":"p"}`
	if params != "" {
		meta = params + "," + meta
	}
	header = map[string]string{"Mcp-Protocol-Version": modernVersion, "Mcp-Method": method}
	if name != "" {
		header["Mcp-Name"] = name
	}
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":%q,"params":{%s}}`, id, method, meta), header
}

func modernCall(id int, tool string) (body string, header map[string]string) {
	return modern(id, "tools/call", tool, fmt.Sprintf(`"name":%q,"arguments":{}`, tool))
}
