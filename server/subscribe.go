package server

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/mark3labs/mcp-go/mcp"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/tools"
)

// Subscriptions tell a client that a resource has changed: by resources/subscribe up to the
// revision 2025-11-25, and by subscriptions/listen since 2026-07-28, where they end with the
// request. What was changed, and by which process, is not known: a session looks, every two
// seconds, and at once when it is told that something was.
const (
	// MaxSubscriptions is how many one session may have.
	MaxSubscriptions = 100
	// mostSubscriptions is how many all sessions of a handler may have.
	mostSubscriptions = 2000
	lookEvery         = 2 * time.Second
	// wakePause is the shortest time from one call to look to the next.
	wakePause  = 300 * time.Millisecond
	lookWithin = time.Second // at all of one turn
	// looksAtOnce bounds what a session reads at once; with more subscriptions each has its turn.
	looksAtOnce = 25
	maxURI      = 2048
)

// subscription is one address that a client wants to hear of.
type subscription struct {
	uri   string
	by    string      // the id of the request that it ends with, as the client wrote it; "": the session
	watch tools.Watch // nil: it never changes
	seen  bool        // it has been looked at since it was made: its acknowledgement is on its way
	due   bool        // the client is to be told
}

// subscriptions are those of a session. Its methods are safe for concurrent use.
type subscriptions struct {
	handler *Handler
	to      chan<- mcp.JSONRPCNotification

	mu      sync.Mutex // taken for a look, too
	all     []*subscription
	next    int // where the next look begins
	life    context.Context
	stop    context.CancelFunc
	begun   bool // lookAlways
	looking sync.WaitGroup
	closed  bool
}

func newSubscriptions(h *Handler, to chan<- mcp.JSONRPCNotification) *subscriptions {
	s := &subscriptions{handler: h, to: to}
	s.life, s.stop = context.WithCancel(context.Background())
	return s
}

// add subscribes to an address. One that is not ours is accepted and never changes: it may
// be another server's behind the same connection.
func (s *subscriptions) add(by, uri string) error {
	if len(uri) > maxURI {
		return evidence.BadInput(fmt.Sprintf("the address of a resource has %d bytes", len(uri)), fmt.Sprintf("%d are the most", maxURI))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, have := range s.all {
		if have.by == by && have.uri == uri {
			return nil
		}
	}
	switch {
	case s.closed:
		return evidence.BadInput("the session has ended", "begin a new one")
	case len(s.all) >= MaxSubscriptions:
		return evidence.BadInput(fmt.Sprintf("this session has %d subscriptions", MaxSubscriptions), "end one with resources/unsubscribe, or by cancelling its subscriptions/listen")
	case s.handler.subscribed.Add(1) > mostSubscriptions:
		s.handler.subscribed.Add(-1)
		return evidence.BadInput(fmt.Sprintf("the server has %d subscriptions", mostSubscriptions), "try again later")
	}
	one := &subscription{uri: uri, by: by, watch: s.handler.watchOf(uri)}
	within, cancel := context.WithTimeout(s.life, lookWithin)
	defer cancel()
	s.look(within, one)
	s.all = append(s.all, one)
	if !s.begun {
		s.begun = true
		s.looking.Go(s.lookAlways)
	}
	return nil
}

func (s *subscriptions) remove(by, uri string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, one := range s.all {
		if one.by == by && one.uri == uri {
			s.all = append(s.all[:i], s.all[i+1:]...)
			s.handler.subscribed.Add(-1)
			return
		}
	}
}

// close ends all of them, and waits until nothing is looked at.
func (s *subscriptions) close() {
	s.stop() // what is being looked at
	s.mu.Lock()
	s.closed = true
	s.handler.subscribed.Add(-int64(len(s.all)))
	s.all = nil
	s.mu.Unlock()
	s.looking.Wait()
}

func (s *subscriptions) lookAlways() {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	var rested <-chan time.Time // when calls to look are heard again; nil: they are
	next := s.handler.changed()
	for {
		wake, woken := next, false
		if rested != nil {
			wake = nil
		}
		select {
		case <-s.life.Done():
			return
		case <-rested:
			rested = nil
			continue
		case <-wake:
			woken, rested = true, time.After(wakePause)
			next = s.handler.changed() // before the look: what changes during it is seen again
		case <-tick.C:
		}
		s.lookAtSome(woken)
	}
}

// lookAtSome looks at the next ones, and tells the client what has changed. What finds no
// room is told later: the client may not read, or, over HTTP, have no stream open. So is
// what has changed just after the subscription, if the look was not at its own time.
func (s *subscriptions) lookAtSome(woken bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ctx, cancel := context.WithTimeout(s.life, lookWithin)
	defer cancel()
	for range min(looksAtOnce, len(s.all)) {
		s.next = (s.next + 1) % len(s.all)
		one := s.all[s.next]
		s.look(ctx, one)
		one.seen = one.seen || !woken
	}
	for _, one := range s.all {
		if !one.due || !one.seen {
			continue
		}
		select {
		case s.to <- one.updated():
			one.due = false
		default:
			return
		}
	}
}

func (s *subscriptions) look(ctx context.Context, one *subscription) {
	if one.watch == nil {
		return
	}
	changed, err := one.watch(ctx) // after an error it is looked at again
	one.due = one.due || err == nil && changed
}

// updated is what tells the client.
func (one *subscription) updated() mcp.JSONRPCNotification {
	params := mcp.NotificationParams{AdditionalFields: map[string]any{"uri": one.uri}}
	if one.by != "" {
		params.Meta = map[string]any{mcp.MetaKeySubscriptionID: json.RawMessage(one.by)}
	}
	return mcp.JSONRPCNotification{JSONRPC: mcp.JSONRPC_VERSION, Notification: mcp.Notification{Method: mcp.MethodNotificationResourceUpdated, Params: params}}
}

// watchOf returns the watch of an address, or nil if nothing changes there.
func (h *Handler) watchOf(uri string) tools.Watch {
	for _, r := range h.watched {
		before, after, template := strings.Cut(r.Address, "{id}")
		if !template {
			continue
		}
		rest, begins := strings.CutPrefix(uri, before)
		raw, ends := strings.CutSuffix(rest, after)
		if id, err := url.PathUnescape(raw); begins && ends && err == nil && id != "" && !strings.Contains(raw, "/") {
			return r.Watch(id)
		}
	}
	return nil
}

// SubscribeToResourceErr implements mcpserver.SessionWithResourceSubscriptionsErr.
func (c requestClient) SubscribeToResourceErr(uri string) error {
	return c.subscriptions.add(c.by, uri)
}

// SubscribeToResource implements mcpserver.SessionWithResourceSubscriptions.
func (c requestClient) SubscribeToResource(uri string) { _ = c.SubscribeToResourceErr(uri) } // mcp-go calls the other one

// UnsubscribeFromResource implements mcpserver.SessionWithResourceSubscriptions.
func (c requestClient) UnsubscribeFromResource(uri string) { c.subscriptions.remove(c.by, uri) }

// SubscribedResources implements mcpserver.SessionWithResourceSubscriptions.
func (c requestClient) SubscribedResources() []string {
	c.subscriptions.mu.Lock()
	defer c.subscriptions.mu.Unlock()
	out := []string{}
	for _, one := range c.subscriptions.all {
		if one.by == c.by {
			out = append(out, one.uri)
		}
	}
	return out
}

// IsSubscribedToResource implements mcpserver.SessionWithResourceSubscriptions.
func (c requestClient) IsSubscribedToResource(uri string) bool {
	for _, have := range c.SubscribedResources() {
		if have == uri {
			return true
		}
	}
	return false
}
