package server

import (
	"encoding/json"
	"sync"
	"sync/atomic"

	"github.com/mark3labs/mcp-go/mcp"
)

// session is what mcp-go knows of a stdio client. It carries notifications
// straight to the connection's outbox: mcp-go's own channel drops what is too
// much and lets results overtake progress.
type session struct {
	id      string
	out     *outbox
	channel chan mcp.JSONRPCNotification // for what mcp-go itself sends
	ready   atomic.Bool

	mu           sync.Mutex
	client       mcp.Implementation
	capabilities mcp.ClientCapabilities
	version      string
}

func newSession(id string, out *outbox) *session {
	return &session{id: id, out: out, channel: make(chan mcp.JSONRPCNotification, 64)}
}

func (s *session) SessionID() string                                   { return s.id }
func (s *session) NotificationChannel() chan<- mcp.JSONRPCNotification { return s.channel }
func (s *session) Initialize()                                         { s.ready.Store(true) }
func (s *session) Initialized() bool                                   { return s.ready.Load() }

func (s *session) GetClientInfo() mcp.Implementation {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.client
}

func (s *session) SetClientInfo(c mcp.Implementation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.client = c
}

func (s *session) GetClientCapabilities() mcp.ClientCapabilities {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.capabilities
}

func (s *session) SetClientCapabilities(c mcp.ClientCapabilities) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.capabilities = c
}

func (s *session) ProtocolVersion() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.version
}

func (s *session) SetProtocolVersion(v string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.version = v
}

// notify implements notifier.
func (s *session) notify(method string, params map[string]any) {
	if line, err := encode(map[string]any{"jsonrpc": mcp.JSONRPC_VERSION, "method": method, "params": params}); err == nil {
		s.out.put(line)
	}
}

// encode makes a line of a message.
func encode(message any) ([]byte, error) {
	b, err := json.Marshal(message)
	return append(b, '\n'), err
}
