package http

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/mark3labs/mcp-go/mcp"

	"github.com/research-mcp/research-mcp/server"
)

const (
	relayEvery = 100 * time.Millisecond
	// streamEvery is how often a stream looks: there may be many, and they are idle.
	streamEvery = time.Second
	// relayKept is how long a message waits for the replica that it is for. One for a call
	// that has ended is never taken.
	relayKept = time.Minute
	// relayMost bounds the messages that wait for one session, relayOfCaller these sessions of
	// one caller, so that it leaves room for the others, relaySessions all of them, and
	// relayLongest a message in bytes: cancellations and answers to forms are short.
	relayMost     = 100
	relayOfCaller = 100
	relaySessions = 1000
	relayLongest  = 4 << 10
)

// relay passes messages of a session between the replicas that share a folder: with a
// balancer before them, the cancellation of a call, or the answer to a question of ours,
// arrives at any of them. A nil relay passes nothing.
type relay struct {
	dir                string
	ofCaller, sessions int // that messages may wait for
}

func newRelay(dir string) *relay {
	if dir == "" {
		return nil
	}
	return &relay{dir, relayOfCaller, relaySessions}
}

func (r *relay) folder(key sessionKey) string {
	return filepath.Join(r.dir, prefixOf(key.caller)+hashed(key.id))
}

// prefixOf begins the names of the folders of a caller's sessions.
func prefixOf(caller string) string { return hashed(caller) + "-" }

func hashed(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:16])
}

// put leaves a message for the replica that runs the call. What the bounds of a relay do
// not allow is an error.
func (r *relay) put(key sessionKey, message []byte) error {
	if len(message) > relayLongest {
		return fmt.Errorf("passing a message to another replica: it has %d bytes, and the most is %d", len(message), relayLongest)
	}
	err := r.write(key, message)
	if errors.Is(err, fs.ErrNotExist) { // a sweep has just removed the empty folder
		err = r.write(key, message)
	}
	if err != nil {
		return fmt.Errorf("passing a message to another replica: %w", err)
	}
	return nil
}

func (r *relay) write(key sessionKey, message []byte) error {
	dir := r.folder(key)
	if err := r.makeFolder(dir, prefixOf(key.caller)); err != nil {
		return err
	}
	waiting, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	if len(waiting) >= relayMost {
		return nil // nobody takes them
	}
	// It gets its name when it is complete.
	name := filepath.Join(dir, fmt.Sprintf("%020d-%s", time.Now().UnixNano(), rand.Text()[:8]))
	if err := os.WriteFile(name+".part", message, 0o600); err != nil {
		return err
	}
	return os.Rename(name+".part", name+".json")
}

// makeFolder makes the folder of a session, unless there are too many, or too many that have
// the prefix of its caller.
func (r *relay) makeFolder(dir, prefix string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	all, err := os.ReadDir(r.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	own := 0
	for _, d := range all {
		if strings.HasPrefix(d.Name(), prefix) {
			own++
		}
	}
	if own >= r.ofCaller || len(all) >= r.sessions {
		return fmt.Errorf("messages for %d sessions wait already, %d of this caller", len(all), own)
	}
	return os.MkdirAll(dir, 0o700)
}

// take calls accept with the messages for a session, the oldest first, until ctx ends.
// accept reports whether the message was for a call or stream of this replica; others stay.
func (r *relay) take(ctx context.Context, key sessionKey, every time.Duration, accept func(message []byte) bool) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	dir := r.folder(key)
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		names, _ := filepath.Glob(filepath.Join(dir, "*.json"))
		slices.Sort(names)
		for _, name := range names {
			message, err := os.ReadFile(name)
			if err == nil && accept(message) {
				os.Remove(name) // if that fails, it is not accepted a second time
			}
		}
	}
}

// sweep removes what nobody took.
func (r *relay) sweep(now time.Time) error {
	if r == nil {
		return nil
	}
	dirs, err := os.ReadDir(r.dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	for _, d := range dirs {
		dir := filepath.Join(r.dir, d.Name())
		files, _ := os.ReadDir(dir)
		for _, f := range files {
			if info, err := f.Info(); err == nil && now.Sub(info.ModTime()) > relayKept {
				os.Remove(filepath.Join(dir, f.Name())) // another replica may have
			}
		}
		os.Remove(dir) // fails unless it is empty
	}
	return err
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
func (s *Server) pass(one *session, env envelope, message []byte) {
	cancels, answers := subject(env)
	if s.relay == nil || cancels == nil && answers == nil || concerns(one.Session, message) {
		return
	}
	if err := s.relay.put(one.key, message); err != nil {
		s.log.Warn("a message could not be passed on", "err", err)
	}
}

// subscribes reports whether a message begins or ends the subscription of a session, whose
// updates go to its stream.
func subscribes(env envelope) bool {
	return env.Method == mcp.MethodResourcesSubscribe || env.Method == mcp.MethodResourcesUnsubscribe
}

// passToStream hands on a subscription if the stream of its session is at another replica.
func (s *Server) passToStream(one *session, env envelope, message []byte) {
	if s.relay == nil || !subscribes(env) || one.streams.Load() > 0 {
		return
	}
	if err := s.relay.put(one.key, message); err != nil {
		s.log.Warn("a subscription could not be passed on", "err", err)
	}
}

// followStream takes the subscriptions that other replicas got, until stop is called.
func (s *Server) followStream(one *session) (stop func()) {
	if s.relay == nil {
		return func() {}
	}
	return s.taking(one, streamEvery, func(ctx context.Context, message []byte) bool {
		var env envelope
		if json.Unmarshal(message, &env) != nil || !subscribes(env) {
			return false
		}
		if _, request := one.Accept(ctx, message); request != nil {
			request.Run(ctx, func([]byte) {}) // the other replica has answered
		}
		return true
	})
}

// follow takes what other replicas got for the calls of a session, until stop is called.
func (s *Server) follow(one *session) (stop func()) {
	if s.relay == nil {
		return func() {}
	}
	return s.taking(one, relayEvery, func(ctx context.Context, message []byte) bool {
		if !concerns(one.Session, message) {
			return false
		}
		one.Accept(ctx, message)
		return true
	})
}

// taking takes messages of a session until stop is called.
func (s *Server) taking(one *session, every time.Duration, accept func(ctx context.Context, message []byte) bool) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.relay.take(ctx, one.key, every, func(message []byte) bool { return accept(ctx, message) })
	}()
	return func() {
		cancel()
		<-ended
	}
}
