package ollamakit

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Call is a request to the stand-in: the fields that tests check.
type Call struct {
	Path      string          `json:"-"`
	Model     string          `json:"model"`
	Messages  []Message       `json:"messages"`
	Input     []string        `json:"input"`
	Stream    *bool           `json:"stream"`
	Format    json.RawMessage `json:"format"`
	KeepAlive json.RawMessage `json:"keep_alive"`
	Truncate  *bool           `json:"truncate"`
	Think     json.RawMessage `json:"think"`
	Options   map[string]any  `json:"options"`
}

// Message is one of a chat.
type Message struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

// Option returns a number from the options, or 0 if it is absent.
func (c Call) Option(name string) int {
	n, _ := c.Options[name].(float64)
	return int(n)
}

// Prompt returns the text of all messages.
func (c Call) Prompt() string {
	parts := make([]string, 0, len(c.Messages))
	for _, m := range c.Messages {
		parts = append(parts, m.Content)
	}
	return strings.Join(parts, "\n")
}

// begin records the call and runs its script. It reports false when that has
// answered the call.
func (s *Server) begin(w http.ResponseWriter, r *http.Request) (Call, Reply, bool) {
	c := Call{Path: r.URL.Path}
	if r.Method == http.MethodPost {
		if err := json.NewDecoder(r.Body).Decode(&c); err != nil {
			fail(w, http.StatusBadRequest, err.Error())
			return c, Reply{}, false
		}
	}
	s.mu.Lock()
	s.calls = append(s.calls, c)
	script := s.reply[c.Path]
	s.mu.Unlock()
	var reply Reply
	if script != nil {
		reply = script(c)
	}
	switch {
	case reply.Hang:
		s.hang(r)
		return c, reply, false
	case reply.Status != 0:
		fail(w, reply.Status, reply.Error)
		return c, reply, false
	case reply.Garbage != "":
		_, _ = w.Write([]byte(reply.Garbage))
		return c, reply, false
	}
	return c, reply, true
}

func (s *Server) hang(r *http.Request) {
	select {
	case <-r.Context().Done():
	case <-s.stopped:
	}
}

func (s *Server) version(w http.ResponseWriter, r *http.Request) {
	if _, _, ok := s.begin(w, r); ok {
		send(w, map[string]any{"version": "0.17.4"})
	}
}

func (s *Server) tags(w http.ResponseWriter, r *http.Request) {
	if _, _, ok := s.begin(w, r); !ok {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	list := []map[string]any{}
	for _, m := range s.models {
		list = append(list, map[string]any{
			"name": m.fullName(), "model": m.fullName(), "modified_at": time.Unix(1e9, 0).UTC(), "size": 1 << 20,
			"digest": m.digest(), "remote_host": m.RemoteHost,
			"details": map[string]any{"format": "gguf", "family": m.Family, "families": []string{m.Family}},
		})
	}
	send(w, map[string]any{"models": list})
}

func (s *Server) show(w http.ResponseWriter, r *http.Request) {
	c, _, ok := s.begin(w, r)
	if !ok {
		return
	}
	m, found := s.model(c.Model)
	if !found {
		fail(w, http.StatusNotFound, fmt.Sprintf("model '%s' not found", c.Model))
		return
	}
	out := map[string]any{
		"details": map[string]any{"format": "gguf", "family": m.Family, "families": []string{m.Family}},
		"model_info": map[string]any{
			"general.architecture": m.Family, m.Family + ".context_length": m.Context, m.Family + ".embedding_length": m.Dims,
		},
	}
	if m.Capabilities != nil {
		out["capabilities"] = m.Capabilities
	}
	send(w, out)
}

func (s *Server) embed(w http.ResponseWriter, r *http.Request) {
	c, reply, ok := s.begin(w, r)
	if !ok {
		return
	}
	m, found := s.model(c.Model)
	switch {
	case !found:
		fail(w, http.StatusNotFound, fmt.Sprintf("model %q not found, try pulling it first", c.Model))
		return
	case m.Capabilities != nil && !slices.Contains(m.Capabilities, "embedding"):
		fail(w, http.StatusNotImplemented, "this model does not support embeddings")
		return
	}
	vectors := reply.Vectors
	for _, in := range c.Input {
		if c.Truncate != nil && !*c.Truncate && count(in) > m.Context {
			fail(w, http.StatusBadRequest, "the input length exceeds the context length")
			return
		}
		if reply.Vectors == nil {
			vectors = append(vectors, vector(in, m))
		}
	}
	send(w, map[string]any{"model": c.Model, "embeddings": slices.Concat([][]float32{}, vectors)})
}

func (s *Server) chat(w http.ResponseWriter, r *http.Request) {
	c, reply, ok := s.begin(w, r)
	if !ok {
		return
	}
	m, found := s.model(c.Model)
	prompt := count(c.Prompt())
	window := c.Option("num_ctx")
	if window == 0 {
		window = 4096
	}
	window = min(window, m.Context)
	switch {
	case !found:
		fail(w, http.StatusNotFound, fmt.Sprintf("model '%s' not found", c.Model))
		return
	case m.Capabilities != nil && !slices.Contains(m.Capabilities, "completion"):
		fail(w, http.StatusBadRequest, fmt.Sprintf("%q does not support chat", c.Model))
		return
	case string(c.Think) == "true" && !slices.Contains(m.Capabilities, "thinking"):
		fail(w, http.StatusBadRequest, fmt.Sprintf("%q does not support thinking", c.Model))
		return
	case prompt > window && c.Truncate != nil && !*c.Truncate:
		fail(w, http.StatusBadRequest, "the input length exceeds the context length")
		return
	case len(c.Messages) == 0:
		send(w, map[string]any{"model": c.Model, "message": Message{Role: "assistant"}, "done": true, "done_reason": "load"})
		return
	}
	if reply.Prompt == 0 {
		reply.Prompt = min(prompt, window)
	}
	s.stream(w, r, c, reply)
}

func (s *Server) stream(w http.ResponseWriter, r *http.Request, c Call, reply Reply) {
	w.Header().Set("Content-Type", "application/x-ndjson")
	out := json.NewEncoder(w)
	line := func(v map[string]any) {
		v["model"], v["created_at"] = c.Model, time.Unix(1e9, 0).UTC()
		_ = out.Encode(v) // the caller may have disconnected
		if f, ok := w.(http.Flusher); ok {
			f.Flush()
		}
	}
	reason := "stop"
	if reply.DoneReason != "" {
		reason = reply.DoneReason
	}
	sent := 0
	for i, token := range reply.Tokens {
		if most := c.Option("num_predict"); most > 0 && i >= most {
			reason = "length"
			break
		}
		if reply.HangAfter > 0 && i >= reply.HangAfter {
			s.hang(r)
			return
		}
		if reply.Step != nil {
			reply.Step(i)
		}
		line(map[string]any{"message": Message{Role: "assistant", Content: token}, "done": false})
		sent++
	}
	switch {
	case reply.Error != "":
		line(map[string]any{"error": reply.Error})
	case !reply.BreakOff:
		line(map[string]any{
			"message": Message{Role: "assistant"}, "done": true, "done_reason": reason,
			"prompt_eval_count": reply.Prompt, "eval_count": sent, "total_duration": 1,
		})
	}
}

func send(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	_ = json.NewEncoder(w).Encode(v) // the caller may have disconnected
}

func fail(w http.ResponseWriter, status int, message string) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": message}) // the caller may have disconnected
}

// count is a rough number of tokens.
func count(s string) int { return len(strings.Fields(s))*5/4 + 1 }

// vector is the sum of one pseudo-random direction for each word that fits into
// the context, at unit length.
func vector(s string, m Model) []float32 {
	words := append([]string{"[CLS]"}, strings.Fields(strings.ToLower(s))...)
	v := make([]float32, m.Dims)
	for _, w := range words[:min(len(words), m.Context)] {
		x := hash(w)
		for i := range v {
			x = x*6364136223846793005 + 1442695040888963407
			v[i] += float32(int32(x>>32)) / math.MaxInt32
		}
	}
	sum := 0.0
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	for i := range v {
		v[i] /= float32(math.Sqrt(sum))
	}
	return v
}

func hash(s string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(s)) // never fails
	return h.Sum64()
}
