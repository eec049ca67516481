package http

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/research-mcp/research-mcp/server"
)

const (
	sweepEvery = time.Minute
	// sessionIdle is how long a session without requests is kept. A client that comes
	// back later gets one that behaves the same.
	sessionIdle = 30 * time.Minute
	// maxSessions of one caller; the one that was idle for longest makes room.
	maxSessions = 1000
	// endedKept is how many ids of ended sessions are remembered, to refuse them.
	endedKept = 10_000
	maxID     = 1024
)

// session is a client of the revisions with a handshake.
type session struct {
	*server.Session
	handler *server.Handler
	key     sessionKey
	streams atomic.Int32    // that are open here
	ended   context.Context // when the client ends it, or it is swept
	end     context.CancelFunc

	// Guarded by sessions.mu.
	used time.Time
	busy int // requests and streams
}

// sessionKey has the caller, so that the id of somebody else's session finds nothing.
type sessionKey struct{ tenant, caller, id string }

func (k sessionKey) address() Address { return Address{k.tenant, k.caller, k.id} }

type sessions struct {
	mu       sync.Mutex
	all      map[sessionKey]*session
	byCaller map[string]int
	gone     map[sessionKey]bool
	goneList []sessionKey // oldest first
}

func newSessions() *sessions {
	return &sessions{all: map[sessionKey]*session{}, byCaller: map[string]int{}, gone: map[sessionKey]bool{}}
}

// seed is what another replica has to know of a client to serve its session: the id of
// the session carries it.
type seed struct {
	Name     string `json:"n,omitempty"`
	Version  string `json:"v,omitempty"`
	Protocol string `json:"p,omitempty"`
	Asks     bool   `json:"e,omitempty"` // it shows forms to its person
}

const maxSeedField = 100

// newID returns an id for a client, by the parameters of its initialize.
func newID(params json.RawMessage) string {
	var p struct {
		ProtocolVersion string `json:"protocolVersion"`
		ClientInfo      struct {
			Name    string `json:"name"`
			Version string `json:"version"`
		} `json:"clientInfo"`
		Capabilities struct {
			Elicitation *struct{} `json:"elicitation"`
		} `json:"capabilities"`
	}
	_ = json.Unmarshal(params, &p) // the handshake itself reports what is wrong
	s := seed{Name: p.ClientInfo.Name, Version: p.ClientInfo.Version, Protocol: p.ProtocolVersion, Asks: p.Capabilities.Elicitation != nil}
	if len(s.Name) > maxSeedField || len(s.Version) > maxSeedField || len(s.Protocol) > maxSeedField {
		s = seed{}
	}
	raw, _ := json.Marshal(s) // strings always marshal
	return rand.Text() + "." + base64.RawURLEncoding.EncodeToString(raw)
}

// hello is the initialize that a client sent when it got id, as far as the id says so.
func hello(id string) []byte {
	var s seed
	_, after, _ := strings.Cut(id, ".")
	if raw, err := base64.RawURLEncoding.DecodeString(after); err != nil || json.Unmarshal(raw, &s) != nil {
		s = seed{}
	}
	capabilities := map[string]any{}
	if s.Asks {
		capabilities["elicitation"] = map[string]any{}
	}
	message, _ := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": map[string]any{
		"protocolVersion": s.Protocol, "clientInfo": map[string]any{"name": s.Name, "version": s.Version}, "capabilities": capabilities,
	}})
	return message
}

// validID reports whether an id can be one of ours or of another server before us: it is
// printable ASCII, as the protocol demands.
func validID(id string) bool {
	if id == "" || len(id) > maxID {
		return false
	}
	for i := range len(id) {
		if id[i] < 0x21 || id[i] > 0x7e {
			return false
		}
	}
	return true
}

// errEnded is the session that its client ended.
var errEnded = fmt.Errorf("the session was ended")

// find returns the session of a key, and a new one in its place if this replica has none.
// The caller calls release.
func (s *sessions) find(key sessionKey, h *server.Handler) (*session, error) {
	s.mu.Lock()
	if s.gone[key] {
		s.mu.Unlock()
		return nil, errEnded
	}
	if have := s.all[key]; have != nil && have.handler == h {
		have.busy++
		s.mu.Unlock()
		return have, nil
	}
	s.mu.Unlock()
	fresh, err := open(h, key)
	if err != nil {
		return nil, err
	}
	if _, request := fresh.Accept(context.Background(), hello(key.id)); request != nil {
		request.Run(context.Background(), func([]byte) {})
	}
	return s.add(fresh), nil
}

// start returns a new session.
func (s *sessions) start(key sessionKey, h *server.Handler) (*session, error) {
	fresh, err := open(h, key)
	if err != nil {
		return nil, err
	}
	return s.add(fresh), nil
}

func open(h *server.Handler, key sessionKey) (*session, error) {
	inner, err := h.Open(context.Background(), "http")
	if err != nil {
		return nil, err
	}
	n := &session{Session: inner, handler: h, key: key, used: time.Now(), busy: 1}
	n.ended, n.end = context.WithCancel(context.Background())
	return n, nil
}

// add keeps a session, unless another request has just made it.
func (s *sessions) add(fresh *session) *session {
	s.mu.Lock()
	have := s.all[fresh.key]
	if have != nil && have.handler == fresh.handler {
		have.busy++
		s.mu.Unlock()
		fresh.close()
		return have
	}
	var out []*session
	if have != nil {
		out = append(out, s.drop(have))
	}
	if s.byCaller[fresh.key.caller] >= maxSessions {
		out = append(out, s.drop(s.oldest(fresh.key.caller)))
	}
	s.all[fresh.key] = fresh
	s.byCaller[fresh.key.caller]++
	s.mu.Unlock()
	for _, o := range out {
		o.close()
	}
	return fresh
}

// oldest returns the session of a caller that has been idle for longest, and a busy one
// only if all are. s.mu is held.
func (s *sessions) oldest(caller string) (found *session) {
	for key, one := range s.all {
		if key.caller != caller {
			continue
		}
		if found == nil || (one.busy == 0) != (found.busy == 0) && one.busy == 0 || (one.busy == 0) == (found.busy == 0) && one.used.Before(found.used) {
			found = one
		}
	}
	return found
}

// drop takes a session out; s.mu is held, and the caller closes it.
func (s *sessions) drop(one *session) *session {
	delete(s.all, one.key)
	if s.byCaller[one.key.caller]--; s.byCaller[one.key.caller] == 0 {
		delete(s.byCaller, one.key.caller)
	}
	return one
}

func (n *session) close() {
	n.end()
	n.Close(context.Background())
}

// release ends the use of a session that find or start gave.
func (s *sessions) release(one *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	one.busy--
	one.used = time.Now()
}

// remove ends a session for good, and reports whether this replica knew it.
func (s *sessions) remove(key sessionKey) bool {
	s.mu.Lock()
	one := s.all[key]
	if one != nil {
		s.drop(one)
	}
	if !s.gone[key] {
		s.gone[key] = true
		s.goneList = append(s.goneList, key)
		if len(s.goneList) > endedKept {
			delete(s.gone, s.goneList[0])
			s.goneList = s.goneList[1:]
		}
	}
	s.mu.Unlock()
	if one != nil {
		one.close()
	}
	return one != nil
}

// sweep closes the sessions that have been idle for too long.
func (s *sessions) sweep(now time.Time) {
	var idle []*session
	s.mu.Lock()
	for _, one := range s.all {
		if one.busy == 0 && now.Sub(one.used) >= sessionIdle {
			idle = append(idle, s.drop(one))
		}
	}
	s.mu.Unlock()
	for _, one := range idle {
		one.close()
	}
}

func (s *sessions) closeAll() {
	s.mu.Lock()
	all := make([]*session, 0, len(s.all))
	for _, one := range s.all {
		all = append(all, s.drop(one))
	}
	s.mu.Unlock()
	for _, one := range all {
		one.close()
	}
}
