// Package ollamakit is a scripted Ollama server for tests. It speaks as the real
// one was seen to: paths, status codes, error texts, the shape of a stream. The
// tests that use it through Each run against a real server too when there is
// one, so that the two cannot drift apart unseen.
package ollamakit

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
)

// The models that the stand-in has at first, and the real server of
// internal/testkit/scripts/ollama.sh too.
const (
	ChatModel  = "gemma3-270m"
	EmbedModel = "all-minilm-l6-v2"
)

// Model is an installed model.
type Model struct {
	Name         string // with or without a tag
	Family       string
	Capabilities []string // nil: a server too old to tell
	Context      int
	Dims         int
	RemoteHost   string
}

// DefaultModels are the two that a fresh stand-in has.
func DefaultModels() []Model {
	return []Model{
		{Name: EmbedModel, Family: "bert", Capabilities: []string{"embedding"}, Context: 512, Dims: 384},
		{Name: ChatModel, Family: "gemma3", Capabilities: []string{"completion"}, Context: 32768, Dims: 640},
	}
}

// Reply is how the stand-in answers a call. The zero Reply of a chat is an empty
// answer, of another call the usual one.
type Reply struct {
	Tokens     []string        // of a chat, in order
	Step       func(token int) // called before each token is sent, to hold it back
	Hang       bool            // say nothing until the caller goes away
	HangAfter  int             // of a chat: the same, after so many tokens
	Status     int             // an error with this status...
	Error      string          // ...and this text; without a status: an error within the stream
	Garbage    string          // send this instead of an answer
	BreakOff   bool            // of a chat: end the stream without its last line
	DoneReason string          // of a chat: "stop" when empty
	Prompt     int             // of a chat: prompt_eval_count; 0: counted
	Vectors    [][]float32     // of an embed: instead of the usual ones
}

// Server is a stand-in. Its Set methods may be called while it serves.
type Server struct {
	t    testing.TB
	http *httptest.Server
	gone chan struct{} // closed when the test ends, so that nothing hangs
	once sync.Once

	mu     sync.Mutex
	models []Model
	reply  map[string]func(Call) Reply // by path
	calls  []Call
}

// Start runs a stand-in with the default models until the test ends. It answers
// each chat with one fixed sentence.
func Start(t testing.TB) *Server {
	t.Helper()
	s := &Server{t: t, gone: make(chan struct{}), models: DefaultModels(), reply: map[string]func(Call) Reply{}}
	s.OnChat(func(Call) Reply { return Reply{Tokens: []string{"Attention ", "weighs ", "tokens ", "[1]."}} })
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/version", s.version)
	mux.HandleFunc("GET /api/tags", s.tags)
	mux.HandleFunc("POST /api/show", s.show)
	mux.HandleFunc("POST /api/embed", s.embed)
	mux.HandleFunc("POST /api/chat", s.chat)
	s.http = httptest.NewServer(mux)
	t.Cleanup(s.Stop)
	return s
}

// Host is the server's address as it would stand in OLLAMA_HOST.
func (s *Server) Host() string { return strings.TrimPrefix(s.http.URL, "http://") }

// Stop makes the server disappear. It may be called more than once.
func (s *Server) Stop() {
	s.once.Do(func() {
		close(s.gone)
		s.http.CloseClientConnections()
		s.http.Close() // waits for the handlers
	})
}

// SetModels replaces the installed models.
func (s *Server) SetModels(models ...Model) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.models = slices.Clone(models)
}

// On scripts the answers of a path such as "/api/tags"; nil takes the script
// away. OnChat and OnEmbed are the usual ones.
func (s *Server) On(path string, reply func(Call) Reply) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reply[path] = reply
}

// OnChat scripts /api/chat.
func (s *Server) OnChat(reply func(Call) Reply) { s.On("/api/chat", reply) }

// OnEmbed scripts /api/embed.
func (s *Server) OnEmbed(reply func(Call) Reply) { s.On("/api/embed", reply) }

// Calls are those that were made to a path so far, in order.
func (s *Server) Calls(path string) []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Call
	for _, c := range s.calls {
		if c.Path == path {
			out = append(out, c)
		}
	}
	return out
}

// Target is a server to test against.
type Target struct {
	Host string
	Real bool
	Kit  *Server // nil for the real one
}

// Each runs a test against the stand-in and, when OLLAMA_TEST_HOST names one,
// against a real Ollama that has ChatModel and EmbedModel. It prints which.
func Each(t *testing.T, test func(t *testing.T, target Target)) {
	t.Helper()
	t.Run("stand-in", func(t *testing.T) {
		t.Parallel()
		s := Start(t)
		test(t, Target{Host: s.Host(), Kit: s})
	})
	host := os.Getenv("OLLAMA_TEST_HOST")
	if host == "" {
		t.Log(`not run against a real Ollama: for that, eval "$(internal/testkit/scripts/ollama.sh start)"`)
		return
	}
	t.Run("real", func(t *testing.T) {
		t.Logf("against the real Ollama at %s", host)
		test(t, Target{Host: host, Real: true})
	})
}

func (m Model) fullName() string {
	if strings.Contains(m.Name, ":") {
		return m.Name
	}
	return m.Name + ":latest"
}

// digest changes with anything that makes it another model.
func (m Model) digest() string { return fmt.Sprintf("%064x", hash(fmt.Sprintf("%+v", m))) }

func (s *Server) model(name string) (Model, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.models {
		if m.fullName() == (Model{Name: name}).fullName() {
			return m, true
		}
	}
	return Model{}, false
}
