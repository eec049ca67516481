package http

import (
	"context"
	"encoding/json"
	"time"

	"github.com/mark3labs/mcp-go/mcp"

	"github.com/research-mcp/research-mcp/server"
)

// passWithin is how long a client waits at most until its message is passed on: where that
// is a database, another server may have to take its place.
const passWithin = 30 * time.Second

// Address is a session as other replicas find it.
type Address struct{ Tenant, Caller, Session string }

// Relay passes messages of sessions between replicas: with a balancer before them, the
// cancellation of a call, or the answer to a question of ours, arrives at any of them. It
// is safe for concurrent use.
type Relay interface {
	// Put leaves a message for the replica that is concerned; what nobody takes is gone
	// after a minute. What the bounds of the relay do not allow is an error.
	Put(ctx context.Context, to Address, message []byte) error
	// Follow calls accept with the messages for a session, those that came first before
	// others, until stop is called. accept reports whether the message was for a call or
	// stream of this replica; others stay, and are offered again. Streams may wait for what
	// never comes, and are told somewhat later than calls.
	Follow(of Address, stream bool, accept func(message []byte) bool) (stop func())
	// Sweep removes what nobody took.
	Sweep(ctx context.Context) error
}

// subject is what a message is about that another replica may have to get: the id of the
// call that it cancels, or of the question that it answers.
func subject(env envelope) (cancels, answers json.RawMessage) {
	switch {
	case env.Method == mcp.MethodNotificationCancelled:
		var p struct {
			RequestID json.RawMessage `json:"requestId"`
		}
		_ = json.Unmarshal(env.Params, &p)
		return p.RequestID, nil
	case env.Method == "" && len(env.ID) > 0:
		return nil, env.ID
	}
	return nil, nil
}

// concerns reports whether a message is about a call that to runs.
func concerns(to *server.Session, message []byte) bool {
	var env envelope
	if json.Unmarshal(message, &env) != nil {
		return false
	}
	cancels, answers := subject(env)
	return cancels != nil && to.Runs(cancels) || answers != nil && to.Expects(answers)
}

// pass hands on a message about a call that this replica does not run.
func (s *Server) pass(ctx context.Context, one *session, env envelope, message []byte) {
	cancels, answers := subject(env)
	if cancels == nil && answers == nil || concerns(one.Session, message) {
		return
	}
	s.put(ctx, one.key, message)
}

func (s *Server) put(ctx context.Context, to sessionKey, message []byte) {
	if s.o.Relay == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), passWithin) // the client may not wait
	defer cancel()
	if err := s.o.Relay.Put(ctx, to.address(), message); err != nil {
		s.log.Warn("a message could not be passed on to another replica", "method", methodOf(message), "err", err)
	}
}

// methodOf names a message in the log; "" is an answer.
func methodOf(message []byte) string {
	var env envelope
	_ = json.Unmarshal(message, &env) // it was read before
	return string(env.Method)
}

// subscribes reports whether a message begins or ends the subscription of a session, whose
// updates go to its stream.
func subscribes(env envelope) bool {
	return env.Method == mcp.MethodResourcesSubscribe || env.Method == mcp.MethodResourcesUnsubscribe
}

// passToStream hands on a subscription if the stream of its session is at another replica.
func (s *Server) passToStream(ctx context.Context, one *session, env envelope, message []byte) {
	if subscribes(env) && one.streams.Load() == 0 {
		s.put(ctx, one.key, message)
	}
}

// followStream takes the subscriptions that other replicas got, until stop is called.
func (s *Server) followStream(one *session) (stop func()) {
	return s.taking(one, true, func(message []byte) bool {
		var env envelope
		if json.Unmarshal(message, &env) != nil || !subscribes(env) {
			return false
		}
		if _, request := one.Accept(one.ended, message); request != nil {
			request.Run(one.ended, func([]byte) {}) // the other replica has answered
		}
		return true
	})
}

// follow takes what other replicas got for the calls of a session, until stop is called.
func (s *Server) follow(one *session) (stop func()) {
	return s.taking(one, false, func(message []byte) bool {
		if !concerns(one.Session, message) {
			return false
		}
		one.Accept(one.ended, message)
		return true
	})
}

// taking takes messages of a session until stop is called.
func (s *Server) taking(one *session, stream bool, accept func(message []byte) bool) (stop func()) {
	if s.o.Relay == nil {
		return func() {}
	}
	return s.o.Relay.Follow(one.key.address(), stream, accept)
}
