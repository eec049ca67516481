package server_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/server"
	"github.com/research-mcp/research-mcp/tools"
)

// witness writes down what a Watcher is told.
type witness struct {
	mu  sync.Mutex
	log []string
}

func (w *witness) Begin(ctx context.Context, tool string, carrier map[string]string) (context.Context, func(string, error)) {
	type key struct{}
	return context.WithValue(ctx, key{}, true), func(outcome string, err error) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.log = append(w.log, strings.Join([]string{tool, carrier["traceparent"], outcome}, " "))
		if (err == nil) != (outcome == server.OutcomeOK) {
			w.log = append(w.log, "with the wrong error")
		}
	}
}

func TestAWatcherSeesEachCall(t *testing.T) {
	t.Parallel()
	ends := map[string]func() error{
		"fine":    func() error { return nil },
		"refused": func() error { return evidence.BadInput("bad", "do better") },
		"broken":  func() error { return errors.New("no disk") },
		"panics":  func() error { panic("a bug") },
	}
	var all []tools.Definition
	for name, end := range ends {
		all = append(all, tools.Definition{Name: name, InputSchema: json.RawMessage(`{"type":"object"}`), Call: func(context.Context, json.RawMessage, tools.Observe) (tools.Result, error) {
			return tools.Result{Text: "x"}, end()
		}})
	}
	w := &witness{}
	h := server.NewHandler(server.Options{Name: "t", Version: "1", Tools: all, Watcher: w})
	s, err := h.Open(t.Context(), "test")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close(t.Context())
	run := func(message string) {
		if reply, r := s.Accept(t.Context(), []byte(message)); r != nil {
			r.Run(t.Context(), func([]byte) {})
		} else if reply != nil {
			t.Errorf("%s was refused: %s", message, reply)
		}
	}
	run(`{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}`)
	run(`{"jsonrpc":"2.0","method":"notifications/initialized"}`)
	for _, name := range []string{"fine", "refused", "broken", "panics"} {
		run(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"` + name + `","arguments":{},"_meta":{"traceparent":"00-a","tracestate":7}}}`)
	}
	run(`{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"fine","arguments":{}}}`)
	run(`{"jsonrpc":"2.0","id":3,"method":"tools/list"}`)
	want := []string{"fine 00-a ok", "refused 00-a refused", "broken 00-a error", "panics 00-a error", "fine  ok"}
	if !slices.Equal(w.log, want) {
		t.Errorf("the watcher saw %q, want %q", w.log, want)
	}
}
