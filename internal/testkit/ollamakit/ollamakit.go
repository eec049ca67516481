// Package ollamakit is a scripted Ollama server for tests. Its paths, status
// codes, error texts and streams are those observed from a real server. Tests
// that use Each also run against a real server when there is one, which shows
// when the two differ.
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

	"github.com/research-mcp/research-mcp/internal/testkit/inprocess"
)

// The models of a new stand-in, and of the real server that
// internal/testkit/scripts/ollama.sh starts.
const (
	ChatModel  = "gemma3-270m"
	EmbedModel = "all-minilm-l6-v2"
)

// Model is an installed model.
type Model struct {
	Name         string // with or without a tag
	Family       string
	Capabilities []string // nil: a server too old to report them
	Context      int
	Dims         int
	RemoteHost   string
}

// DefaultModels returns the two models of a new stand-in.
func DefaultModels() []Model {
	return []Model{
		{Name: EmbedModel, Family: "bert", Capabilities: []string{"embedding"}, Context: 512, Dims: 384},
		{Name: ChatModel, Family: "gemma3", Capabilities: []string{"completion"}, Context: 32768, Dims: 640},
	}
}

// Reply scripts the answer to a call. The zero Reply is an empty answer to a chat
// and the usual answer to any other call.
type Reply struct {
	Tokens     []string        // of a chat, in order
	Step       func(token int) // called before each token is sent, to hold it back
	Hang       bool            // send nothing until the caller gives up
	HangAfter  int             // of a chat: the same, after so many tokens
	Status     int             // an error with this status...
	Error      string          // ...and this text; without a status: an error within the stream
	Garbage    string          // send this instead of an answer
	BreakOff   bool            // of a chat: end the stream without its last line
	DoneReason string          // of a chat: "stop" when empty
	Prompt     int             // of a chat: prompt_eval_count; 0: counted
	Vectors    [][]float32     // of an embed: instead of the usual ones
}

// Server is a stand-in. Its methods are safe for concurrent use.
type Server struct {
	handler http.Handler
	http    *httptest.Server // nil: in memory
	stopped chan struct{}    // closed by Stop, which ends replies that hang
	once    sync.Once

	mu     sync.Mutex
	models []Model
	reply  map[string]func(Call) Reply // by path
	calls  []Call
}

// Start runs a stand-in with the default models on a loopback port until the test
// ends. It answers each chat with one fixed sentence.
func Start(t testing.TB) *Server {
	t.Helper()
	s := New()
	s.http = httptest.NewServer(s.handler)
	t.Cleanup(s.Stop)
	return s
}

// New returns a stand-in like that of Start that is reached through Transport
// alone. It uses no network, so it works inside a testing/synctest bubble.
func New() *Server {
	s := &Server{stopped: make(chan struct{}), models: DefaultModels(), reply: map[string]func(Call) Reply{}}
	s.OnChat(func(Call) Reply { return Reply{Tokens: []string{"Attention ", "weighs ", "tokens ", "[1]."}} })
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/version", s.version)
	mux.HandleFunc("GET /api/tags", s.tags)
	mux.HandleFunc("POST /api/show", s.show)
	mux.HandleFunc("POST /api/embed", s.embed)
	mux.HandleFunc("POST /api/chat", s.chat)
	s.handler = mux
	return s
}

// Host returns the address of a started server in the form of OLLAMA_HOST.
func (s *Server) Host() string { return strings.TrimPrefix(s.http.URL, "http://") }

// Transport returns a transport that calls the server's handler directly,
// whatever host a request names.
func (s *Server) Transport() http.RoundTripper { return inprocess.Transport{Handler: s.handler} }

// Stop ends the server: connections to a started one are refused. It may be called
// more than once.
func (s *Server) Stop() {
	s.once.Do(func() {
		close(s.stopped)
		if s.http == nil {
			return
		}
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

// On scripts the answers to a path such as "/api/tags"; nil removes the script.
func (s *Server) On(path string, reply func(Call) Reply) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reply[path] = reply
}

// OnChat scripts /api/chat.
func (s *Server) OnChat(reply func(Call) Reply) { s.On("/api/chat", reply) }

// OnEmbed scripts /api/embed.
func (s *Server) OnEmbed(reply func(Call) Reply) { s.On("/api/embed", reply) }

// Calls returns the calls to a path so far, in order.
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

// Each runs a test against a stand-in and, when OLLAMA_TEST_HOST names one,
// against a real Ollama that has ChatModel and EmbedModel. The test log names it.
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

// digest differs for models that differ in any field.
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
