package bridge

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/mark3labs/mcp-go/mcp"
	mcpserver "github.com/mark3labs/mcp-go/server"

	"github.com/research-mcp/research-mcp/server"
	mcphttp "github.com/research-mcp/research-mcp/server/http"
	"github.com/research-mcp/research-mcp/tools"
)

// asking is our server with a tool that asks its person.
func asking() http.Handler {
	h := server.NewHandler(server.Options{Name: "asking", Version: "1", Tools: []tools.Definition{{
		Name: "consent", Title: "consent", About: "asks", InputSchema: json.RawMessage(`{"type":"object"}`),
		Call: func(ctx context.Context, _ json.RawMessage, _ tools.Observe) (tools.Result, error) {
			ask := tools.AskOf(ctx)
			if ask == nil {
				return tools.Result{Text: "cannot ask"}, nil
			}
			yes, err := ask(ctx, "really?")
			return tools.Result{Text: fmt.Sprint("consent ", yes)}, err
		},
	}}})
	return mcphttp.New(mcphttp.Options{Handler: func(context.Context) (*server.Handler, error) { return h, nil }}).Handler()
}

// askingPeer is a server of mcp-go with such a tool.
func askingPeer() http.Handler {
	s := mcpserver.NewMCPServer("peer", "1", mcpserver.WithToolCapabilities(true), mcpserver.WithElicitation())
	s.AddTool(mcp.NewTool("consent"), func(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		answer, err := s.RequestElicitation(ctx, mcp.ElicitationRequest{Params: mcp.ElicitationParams{Message: "really?",
			RequestedSchema: map[string]any{"type": "object", "properties": map[string]any{}}}})
		if err != nil {
			return nil, err
		}
		return mcp.NewToolResultText(fmt.Sprint("consent ", answer.Action == mcp.ElicitationResponseActionAccept)), nil
	})
	return mcpserver.NewStreamableHTTPServer(s)
}

// received is a message of the server.
type received struct {
	ID     json.RawMessage
	Method string
	Result struct {
		RequestState string                                              `json:"requestState"`
		Requests     map[string]struct{ Method, Params json.RawMessage } `json:"inputRequests"`
	}
}

func (c *client) receiveMessage() (m received, line string) {
	c.t.Helper()
	line = c.receive()
	if err := json.Unmarshal([]byte(line), &m); err != nil {
		c.t.Fatalf("%v: %s", err, line)
	}
	return m, line
}

const asksHello = `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{"elicitation":{}},"clientInfo":{"name":"t","version":"1"}}}`

// TestElicitation: the question of a server reaches the person, and the answer the server,
// up to the revision 2025-11-25.
func TestElicitation(t *testing.T) {
	t.Parallel()
	for name, h := range map[string]http.Handler{"ours": asking(), "of mcp-go": askingPeer()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := httptest.NewServer(h)
			defer s.Close()
			c := connect(t, s.URL, nil)
			c.send(asksHello)
			wants(t, c.receive(), `"serverInfo"`)
			c.send(ready)
			for i, action := range []string{"accept", "decline"} {
				c.send(fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"consent"}}`, 10+i))
				question, line := c.receiveMessage()
				if question.Method != "elicitation/create" || len(question.ID) == 0 {
					t.Fatalf("got %s, want a question", line)
				}
				wants(t, line, "really?")
				c.send(fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":{"action":%q,"content":{}}}`, question.ID, action))
				wants(t, c.receive(), fmt.Sprintf(`"id":%d`, 10+i), fmt.Sprint("consent ", action == "accept"))
			}
			if rest := c.end(); rest != "" {
				t.Errorf("more was written: %s", rest)
			}
		})
	}
}

// TestElicitationOfTheEraWithoutSessions: there the question is a result, and the answer is
// in the arguments of the call that is made again.
func TestElicitationOfTheEraWithoutSessions(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(asking())
	defer s.Close()
	c := connect(t, s.URL, nil)
	call := func(id int, more string) string {
		return fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"consent","arguments":{},%s"_meta":{`+
			`"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{"elicitation":{}}}}}`, id, more)
	}
	c.send(call(1, ""))
	question, line := c.receiveMessage()
	if question.Result.RequestState == "" || len(question.Result.Requests) != 1 {
		t.Fatalf("got %s, want a question with its state", line)
	}
	wants(t, line, "elicitation/create", "really?")
	for key := range question.Result.Requests {
		c.send(call(2, fmt.Sprintf(`"requestState":%q,"inputResponses":{%q:{"action":"accept","content":{}}},`, question.Result.RequestState, key)))
	}
	wants(t, c.receive(), `"id":2`, "consent true")
	c.end()
}

// speaking is a server whose streams outside of calls are scripted: one function for each.
type speaking struct {
	t       *testing.T
	streams []func(say func(message string), r *http.Request) (status int)
	opened  int // streams; one at a time
	hellos  int // handshakes, each with a session of its own
	heard   chan string
	ended   chan string // sessions
}

func (s *speaking) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	session := r.Header.Get(mcp.HeaderSessionID)
	switch r.Method {
	case http.MethodDelete:
		s.ended <- session
	case http.MethodPost:
		body, _ := io.ReadAll(r.Body)
		if strings.Contains(string(body), `"initialize"`) {
			s.hellos++
			w.Header().Set(mcp.HeaderSessionID, fmt.Sprint("session-", s.hellos))
			w.Header().Set("Content-Type", "application/json")
			var m received
			_ = json.Unmarshal(body, &m)
			fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":{"protocolVersion":"2025-06-18","capabilities":{},"serverInfo":{"name":"s","version":"1"}}}`, m.ID)
			return
		}
		w.WriteHeader(http.StatusAccepted)
		if !strings.Contains(string(body), "notifications/initialized") {
			s.heard <- session + " " + string(body)
		}
	case http.MethodGet:
		if r.Header.Get(mcp.HeaderProtocolVersion) != "2025-06-18" || r.Header.Get("Accept") != "text/event-stream" || r.Header.Get("Authorization") != "Bearer "+secret {
			s.t.Errorf("the stream is asked for with %v", r.Header)
		}
		n := s.opened
		s.opened++
		begun := false
		status := s.streams[n](func(message string) {
			if !begun {
				w.Header().Set("Content-Type", "text/event-stream")
				begun = true
			}
			fmt.Fprintf(w, "event: message\ndata: %s\n\n", message)
			w.(http.Flusher).Flush()
		}, r)
		if !begun {
			w.WriteHeader(status)
		}
	}
}

// TestServerMessages: what a server says outside of calls reaches the client, also after its
// stream was cut and after it has forgotten the session, and the client's answer reaches it.
func TestServerMessages(t *testing.T) {
	t.Parallel()
	notice := func(n int) string {
		return fmt.Sprintf(`{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"memory://%d"}}`, n)
	}
	left := make(chan struct{})
	s := &speaking{t: t, heard: make(chan string, 1), ended: make(chan string, 10)}
	s.streams = []func(func(string), *http.Request) int{
		func(say func(string), _ *http.Request) int { say(notice(1)); say(notice(2)); return 0 }, // and the stream ends
		func(func(string), *http.Request) int { return http.StatusServiceUnavailable },
		func(func(string), *http.Request) int { return http.StatusNotFound }, // the session is forgotten
		func(say func(string), r *http.Request) int {
			if got := r.Header.Get(mcp.HeaderSessionID); got != "session-2" {
				t.Errorf("the stream of %q, want that of the new session", got)
			}
			say(`{"jsonrpc":"2.0","id":"ask-1","method":"ping"}`)
			<-r.Context().Done()
			close(left)
			return 0
		},
	}
	h := httptest.NewServer(s)
	defer h.Close()
	c := connect(t, h.URL, func(o *Options) { o.Token = func() (string, error) { return secret, nil } })
	c.send(hello)
	wants(t, c.receive(), `"serverInfo"`)
	c.send(ready)
	wants(t, c.receive(), "memory://1")
	wants(t, c.receive(), "memory://2")
	wants(t, c.receive(), `"id":"ask-1"`)
	const answer = `{"jsonrpc":"2.0","id":"ask-1","result":{}}`
	c.send(answer)
	if got := <-s.heard; got != "session-2 "+answer {
		t.Errorf("the server heard %s", got)
	}
	if rest := c.end(); rest != "" {
		t.Errorf("more was written: %s", rest)
	}
	<-left
	if got := <-s.ended; got != "session-2" {
		t.Errorf("the session %q was ended", got)
	}
}

// TestSubscriptionIsCutOff: in the era without sessions a subscription is a call that does
// not end. When its stream is cut, it is asked for again, and it ends with the client.
func TestSubscriptionIsCutOff(t *testing.T) {
	t.Parallel()
	left := make(chan struct{})
	times := 0
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get(mcp.HeaderMethod) != "subscriptions/listen" {
			t.Errorf("asked for %q", r.Header.Get(mcp.HeaderMethod))
		}
		times++
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprintf(w, "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/resources/updated\",\"params\":{\"uri\":\"memory://%d\"}}\n\n", times)
		w.(http.Flusher).Flush()
		if times == 1 {
			panic(http.ErrAbortHandler)
		}
		<-r.Context().Done()
		close(left)
	}))
	defer h.Close()
	c := connect(t, h.URL, nil)
	c.send(`{"jsonrpc":"2.0","id":5,"method":"subscriptions/listen","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"},"notifications":{}}}`)
	wants(t, c.receive(), "memory://1")
	wants(t, c.receive(), "memory://2")
	if rest := c.end(); rest != "" {
		t.Errorf("more was written: %s", rest)
	}
	<-left
}
