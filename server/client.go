package server

import (
	"encoding/json"
	"sync"
	"sync/atomic"

	"github.com/mark3labs/mcp-go/mcp"
)

// client is a session as mcp-go sees it.
type client struct {
	id      string
	channel chan mcp.JSONRPCNotification // for notifications that mcp-go sends itself
	ready   atomic.Bool

	subscriptions *subscriptions

	mu           sync.Mutex
	info         mcp.Implementation
	capabilities mcp.ClientCapabilities
	version      string
	logLevel     mcp.LoggingLevel                // of the messages that it wants; "": none
	expected     map[string]chan json.RawMessage // responses to requests of ours, by id
}

func newClient(id string) *client {
	return &client{id: id, channel: make(chan mcp.JSONRPCNotification, 64), expected: map[string]chan json.RawMessage{}}
}

func (c *client) SessionID() string                                   { return c.id }
func (c *client) NotificationChannel() chan<- mcp.JSONRPCNotification { return c.channel }
func (c *client) Initialize()                                         { c.ready.Store(true) }
func (c *client) Initialized() bool                                   { return c.ready.Load() }

func (c *client) GetClientInfo() mcp.Implementation {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.info
}

func (c *client) SetClientInfo(info mcp.Implementation) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.info = info
}

func (c *client) GetClientCapabilities() mcp.ClientCapabilities {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.capabilities
}

func (c *client) SetClientCapabilities(cc mcp.ClientCapabilities) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.capabilities = cc
}

func (c *client) ProtocolVersion() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.version
}

func (c *client) SetProtocolVersion(v string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.version = v
}

// SetLogLevel implements mcpserver.SessionWithLogging.
func (c *client) SetLogLevel(level mcp.LoggingLevel) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.logLevel = level
}

// GetLogLevel implements mcpserver.SessionWithLogging.
func (c *client) GetLogLevel() mcp.LoggingLevel {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.logLevel
}

// requestClient is the client during one request. Notifications of the request
// go through send, as its response does: mcp-go's own channel drops
// notifications when it is full, and lets responses overtake them.
type requestClient struct {
	*client
	send    func(message []byte)
	failure *failure
	by      string // the id of a subscriptions/listen, whose subscriptions end with it
}

// notify implements notifier.
func (c requestClient) notify(method string, params map[string]any) {
	if message, err := Encode(map[string]any{"jsonrpc": mcp.JSONRPC_VERSION, "method": method, "params": params}); err == nil {
		c.send(message)
	}
}
