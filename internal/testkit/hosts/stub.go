package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
)

// toolsCalled are the tools that the stub calls, in this order.
var toolsCalled = []string{"research", "fetch-sources", "recall", "forget"}

// question is what the stub asks research; the demo's library has its answer.
const question = "How do goroutines work?"

var documentID = regexp.MustCompile(`\bd_[a-z2-7]{26}\b`)

// callFor is the step'th call of the stub: its tool and arguments. What recall showed the
// model decides which document is forgotten. There is no call after the last one.
func callFor(step int, results []string) (tool string, args map[string]any) {
	switch step {
	case 0:
		args = map[string]any{"question": question}
	case 1:
		args = map[string]any{"query": "goroutine", "limit": 2}
	case 2:
		args = map[string]any{"query": "goroutine", "k": 2}
	case 3:
		args = map[string]any{"ids": []string{documentID.FindString(results[2])}}
	default:
		return "", nil
	}
	return toolsCalled[step], args
}

// stub plays a model behind the APIs of OpenAI, Anthropic and Google. It calls the tools
// one after the other, and then says that it is done.
type stub struct {
	server *httptest.Server

	mu      sync.Mutex
	offered bool     // a request offered tools
	missing string   // a tool that no request offered, with those that were
	results []string // the results of the longest conversation
	done    bool     // the last result has arrived
	log     bytes.Buffer
}

func newStub() *stub {
	s := &stub{}
	s.server = httptest.NewServer(s)
	return s
}

func (s *stub) url() string { return s.server.URL }

func (s *stub) close() { s.server.Close() }

// ServeHTTP answers a model's API. What is no conversation gets an empty object or a
// list of the only model, which is all that the hosts want before they begin.
func (s *stub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		return // the host went away
	}
	var body map[string]any
	_ = json.Unmarshal(raw, &body) // a body that is no object is no conversation
	s.record(r, raw)
	spoken := dialectOf(r.URL.Path)
	switch {
	case spoken == nil && strings.HasSuffix(r.URL.Path, "/models"):
		reply(w, object{"object": "list", "data": []object{{"id": "stub", "object": "model", "type": "model", "display_name": "stub"}}})
	case spoken == nil && strings.HasSuffix(r.URL.Path, "ount_tokens"), spoken == nil && strings.HasSuffix(r.URL.Path, ":countTokens"):
		reply(w, object{"input_tokens": 10, "totalTokens": 10})
	case spoken == nil || body == nil:
		reply(w, object{})
	default:
		said := spoken.read(body)
		streamed := said.stream || strings.Contains(r.URL.Path, ":stream")
		spoken.write(w, s.next(said), streamed)
	}
}

func (s *stub) record(r *http.Request, raw []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Fprintf(&s.log, "%s %s\n%s\n", r.Method, r.URL, raw)
}

// next decides what the model says to a conversation. A conversation without tools is
// one of those that hosts have beside the user's, such as for a title.
func (s *stub) next(said conversation) move {
	s.mu.Lock()
	defer s.mu.Unlock()
	last := move{text: "Done."}
	if len(said.tools) == 0 {
		return last
	}
	s.offered = true
	if len(said.results) > len(s.results) {
		s.results = said.results
	}
	tool, args := callFor(len(said.results), said.results)
	if tool == "" {
		s.done = true
		return last
	}
	for _, t := range said.tools {
		if named(t.name, tool) {
			s.missing = ""
			return move{tool: t, args: args, id: fmt.Sprintf("call_%d", len(said.results))}
		}
	}
	s.missing = fmt.Sprintf("%s is not among the tools %v", tool, said.tools)
	return last
}

// named reports whether a host's name of a tool means ours: hosts put the server's name
// before it, and write some characters otherwise.
func named(hosts, ours string) bool {
	return strings.HasSuffix(letters(hosts), letters(ours))
}

func letters(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' {
			return r
		}
		return -1
	}, strings.ToLower(s))
}
