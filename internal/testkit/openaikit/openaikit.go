// Package openaikit is a scripted server with OpenAI's API for tests. Its paths, status
// codes, error texts and event streams are those of llama.cpp, vLLM and OpenAI, as
// their documentation and sources have them.
package openaikit

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/research-mcp/research-mcp/internal/testkit/inprocess"
)

// The models of a new stand-in.
const (
	ChatModel  = "qwen2.5-7b-instruct"
	EmbedModel = "nomic-embed-text-v1.5"
	Dims       = 96
)

// Call is a request to the stand-in.
type Call struct {
	Path          string         `json:"-"`
	Authorization string         `json:"-"`
	Model         string         `json:"model"`
	Messages      []Message      `json:"messages"`
	Input         []string       `json:"input"`
	Fields        map[string]any `json:"-"` // all of them
}

// Message is one of a chat.
type Message struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

// Prompt returns the text of all messages.
func (c Call) Prompt() string {
	var parts []string
	for _, m := range c.Messages {
		parts = append(parts, m.Content)
	}
	return strings.Join(parts, "\n")
}

// Reply scripts the answer to a call. The zero Reply is an empty answer to a chat and
// the usual answer to any other call.
type Reply struct {
	Tokens    []string // of a chat, in order
	Thoughts  []string // of a chat, before the tokens
	Finish    string   // of a chat: "stop" when empty
	Hang      bool     // send nothing until the caller gives up
	HangAfter int      // of a chat: the same, after so many tokens
	BreakOff  bool     // of a chat: end the stream without a reason and without [DONE]
	NoChoices bool     // of a chat: events without choices
	Status    int      // an error with this status...
	Error     string   // ...and this message; without a status: an error within the stream
	Code      string   // of the error
	Raw       string   // send this, as HTML, instead of an answer
	Vectors   [][]float32
}

// Server is a stand-in. Its methods are safe for concurrent use.
type Server struct {
	handler http.Handler
	http    *httptest.Server
	stopped chan struct{}

	mu     sync.Mutex
	key    string
	models []string
	chat   func(Call) Reply
	embed  func(Call) Reply
	list   func(Call) Reply
	calls  []Call
}

// Start runs a stand-in on a loopback port until the test ends. It answers each chat
// with one fixed sentence.
func Start(t testing.TB) *Server {
	t.Helper()
	s := New()
	s.http = httptest.NewServer(s.handler)
	t.Cleanup(func() {
		s.Stop()
		s.http.CloseClientConnections()
		s.http.Close()
	})
	return s
}

// New returns a stand-in like that of Start that is reached through Transport alone. It
// uses no network, so it works inside a testing/synctest bubble. Stop it.
func New() *Server {
	s := &Server{stopped: make(chan struct{}), models: []string{ChatModel, EmbedModel}}
	s.OnChat(func(Call) Reply { return Reply{Tokens: []string{"Attention ", "weighs ", "tokens ", "[1]."}} })
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/models", func(w http.ResponseWriter, r *http.Request) { s.answer(w, r, s.list, s.sendModels) })
	mux.HandleFunc("POST /v1/chat/completions", func(w http.ResponseWriter, r *http.Request) { s.answer(w, r, s.chat, s.stream) })
	mux.HandleFunc("POST /v1/embeddings", func(w http.ResponseWriter, r *http.Request) { s.answer(w, r, s.embed, s.sendVectors) })
	s.handler = mux
	return s
}

// Stop ends replies that hang.
func (s *Server) Stop() { close(s.stopped) }

// Transport returns a transport that calls the server's handler directly, whatever host
// a request names.
func (s *Server) Transport() http.RoundTripper { return inprocess.Transport{Handler: s.handler} }

// URL is the start of the API.
func (s *Server) URL() string { return s.http.URL + "/v1" }

// SetKey makes the server refuse requests without this key.
func (s *Server) SetKey(key string) { s.set(func() { s.key = key }) }

// SetModels replaces the list of models.
func (s *Server) SetModels(names ...string) { s.set(func() { s.models = names }) }

// OnChat scripts chats.
func (s *Server) OnChat(reply func(Call) Reply) { s.set(func() { s.chat = reply }) }

// OnEmbed scripts embeddings.
func (s *Server) OnEmbed(reply func(Call) Reply) { s.set(func() { s.embed = reply }) }

// OnList scripts the list of models.
func (s *Server) OnList(reply func(Call) Reply) { s.set(func() { s.list = reply }) }

func (s *Server) set(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

// Calls returns the calls whose path ends so, in order.
func (s *Server) Calls(path string) []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(s.calls), func(c Call) bool { return !strings.HasSuffix(c.Path, path) })
}

// answer records a call, and answers it by its script.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, script func(Call) Reply, usual func(http.ResponseWriter, *http.Request, Call, Reply)) {
	c := Call{Path: r.URL.Path, Authorization: r.Header.Get("Authorization")}
	if r.Method == http.MethodPost {
		var raw json.RawMessage
		if err := json.NewDecoder(r.Body).Decode(&raw); err != nil || json.Unmarshal(raw, &c) != nil || json.Unmarshal(raw, &c.Fields) != nil {
			fail(w, http.StatusBadRequest, "We could not parse the JSON body of your request.", "")
			return
		}
	}
	s.mu.Lock()
	s.calls = append(s.calls, c)
	key, known := s.key, slices.Contains(s.models, c.Model) || c.Model == ""
	s.mu.Unlock()
	var reply Reply
	if script != nil {
		reply = script(c)
	}
	switch {
	case key != "" && c.Authorization != "Bearer "+key:
		fail(w, http.StatusUnauthorized, "Incorrect API key provided: "+strings.TrimPrefix(c.Authorization, "Bearer ")+".", "invalid_api_key")
	case !known:
		fail(w, http.StatusNotFound, fmt.Sprintf("The model `%s` does not exist.", c.Model), "model_not_found")
	case reply.Hang:
		s.hang(r)
	case reply.Status != 0:
		fail(w, reply.Status, reply.Error, reply.Code)
	case reply.Raw != "":
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte(reply.Raw))
	default:
		usual(w, r, c, reply)
	}
}

func (s *Server) hang(r *http.Request) {
	select {
	case <-r.Context().Done():
	case <-s.stopped:
	}
}

func (s *Server) sendModels(w http.ResponseWriter, _ *http.Request, _ Call, _ Reply) {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := []map[string]any{}
	for _, m := range s.models {
		list = append(list, map[string]any{"id": m, "object": "model", "created": 1700000000, "owned_by": "local"})
	}
	send(w, map[string]any{"object": "list", "data": list})
}

func (s *Server) sendVectors(w http.ResponseWriter, _ *http.Request, c Call, reply Reply) {
	data := []map[string]any{}
	for i, in := range c.Input {
		v := vector(in)
		if reply.Vectors != nil {
			if i >= len(reply.Vectors) {
				break
			}
			v = reply.Vectors[i]
		}
		// In reverse: the index counts, not the order.
		data = slices.Insert(data, 0, map[string]any{"object": "embedding", "index": i, "embedding": v})
	}
	send(w, map[string]any{"object": "list", "data": data, "model": c.Model, "usage": map[string]int{"prompt_tokens": 1, "total_tokens": 1}})
}

// stream sends a chat's answer as server-sent events.
func (s *Server) stream(w http.ResponseWriter, r *http.Request, c Call, reply Reply) {
	w.Header().Set("Content-Type", "text/event-stream")
	event := func(v any) {
		raw, err := json.Marshal(v)
		if err != nil {
			panic(err)
		}
		_, _ = fmt.Fprintf(w, "data: %s\n\n", raw)
		if f, ok := w.(http.Flusher); ok {
			f.Flush()
		}
	}
	part := func(delta map[string]any, finish any) {
		choices := []any{map[string]any{"index": 0, "delta": delta, "finish_reason": finish}}
		if reply.NoChoices {
			choices = []any{}
		}
		event(map[string]any{"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1700000000, "model": c.Model, "choices": choices})
	}
	part(map[string]any{"role": "assistant", "content": ""}, nil)
	for _, thought := range reply.Thoughts {
		part(map[string]any{"reasoning_content": thought}, nil)
	}
	for i, token := range reply.Tokens {
		if reply.HangAfter > 0 && i >= reply.HangAfter {
			s.hang(r)
			return
		}
		part(map[string]any{"content": token}, nil)
	}
	switch finish := reply.Finish; {
	case reply.Error != "":
		event(map[string]any{"error": map[string]any{"message": reply.Error, "type": "server_error", "code": 500}})
	case !reply.BreakOff:
		if finish == "" {
			finish = "stop"
		}
		part(map[string]any{}, finish)
		if c.Fields["stream_options"] != nil {
			event(map[string]any{"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1700000000, "model": c.Model, "choices": []any{},
				"usage": map[string]int{"prompt_tokens": len(c.Prompt()) / 4, "completion_tokens": len(reply.Tokens), "total_tokens": 1}})
		}
		_, _ = fmt.Fprint(w, "data: [DONE]\n\n")
	}
}

func send(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // the caller may have disconnected
}

func fail(w http.ResponseWriter, status int, message, code string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"error": map[string]any{"message": message, "type": "invalid_request_error", "param": nil, "code": code}})
}

// vector is the sum of one pseudo-random direction for each word.
func vector(s string) []float32 {
	v := make([]float32, Dims)
	for _, word := range append([]string{"[CLS]"}, strings.Fields(strings.ToLower(s))...) {
		h := fnv.New64a()
		_, _ = h.Write([]byte(word)) // never fails
		x := h.Sum64()
		for i := range v {
			x = x*6364136223846793005 + 1442695040888963407
			v[i] += float32(int32(x>>32)) / (1 << 31)
		}
	}
	return v
}
