package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"regexp"
	"slices"
	"testing"
	"time"
)

// peer is a client of a server that runs as a process. One goroutine uses it.
type peer struct {
	cmd      *exec.Cmd
	in       io.WriteCloser
	messages chan []byte // closed at the end of the server's output
	diag     bytes.Buffer

	last    int
	pending map[int]string // calls without an answer: what was asked
	failed  int            // calls that an error was the answer to, of the protocol or a tool
	ids     []string       // of documents that the server named
	seen    func([]byte)   // gets each response; nil: nobody does
}

// startPeer starts a server and greets it.
func startPeer(t *testing.T, program string, env []string) *peer {
	t.Helper()
	p := &peer{cmd: exec.CommandContext(t.Context(), program, "serve"), messages: make(chan []byte), pending: map[int]string{}}
	p.cmd.Env, p.cmd.Stderr = env, &p.diag
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { // ends with the server's output, which await and end read to its end
		defer close(p.messages)
		lines := bufio.NewReader(out)
		for {
			line, err := lines.ReadBytes('\n')
			if err != nil {
				return
			}
			select {
			case p.messages <- line:
			case <-t.Context().Done():
				return
			}
		}
	}()
	p.send(t, "initialize", map[string]any{"protocolVersion": "2025-06-18", "capabilities": map[string]any{}, "clientInfo": map[string]any{"name": "soak", "version": "1"}})
	p.await(t)
	p.write(t, map[string]any{"jsonrpc": "2.0", "method": "notifications/initialized"})
	return p
}

func (p *peer) write(t *testing.T, message any) {
	t.Helper()
	line, err := json.Marshal(message)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.in.Write(append(line, '\n')); err != nil {
		t.Fatalf("the server does not read: %v\n%s", err, p.diag.Bytes())
	}
}

// send sends a request and returns its id.
func (p *peer) send(t *testing.T, method string, params any) int {
	t.Helper()
	p.last++
	message := map[string]any{"jsonrpc": "2.0", "id": p.last, "method": method}
	if params != nil {
		message["params"] = params
	}
	p.pending[p.last] = fmt.Sprintf("%s %.200v", method, params)
	p.write(t, message)
	return p.last
}

// cancel takes a request back, unless it is answered.
func (p *peer) cancel(t *testing.T, id int) bool {
	t.Helper()
	if _, waiting := p.pending[id]; !waiting {
		return false
	}
	delete(p.pending, id)
	p.write(t, map[string]any{"jsonrpc": "2.0", "method": "notifications/cancelled", "params": map[string]any{"requestId": id}})
	return true
}

// unansweredAfter is how long no message at all may come while answers are due.
const unansweredAfter = 3 * time.Minute

// await returns after the next message that is an answer to a pending request.
func (p *peer) await(t *testing.T) {
	t.Helper()
	for len(p.pending) > 0 {
		var line []byte
		select {
		case next, more := <-p.messages:
			if !more {
				t.Fatalf("the server ended: %v\n%s", p.cmd.Wait(), p.diag.Bytes())
			}
			line = next
		case <-time.After(unansweredAfter):
			t.Fatalf("%d calls are unanswered: %v", len(p.pending), p.pending)
		}
		var m struct {
			ID     *int
			Error  *struct{}
			Result struct{ IsError bool }
		}
		if err := json.Unmarshal(line, &m); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if m.ID == nil {
			continue
		}
		for _, id := range documentID.FindAll(line, -1) {
			p.ids = append(p.ids, string(id))
		}
		if _, waiting := p.pending[*m.ID]; waiting {
			delete(p.pending, *m.ID)
			if p.seen != nil {
				p.seen(line)
			}
			if m.Error != nil || m.Result.IsError {
				p.failed++
			}
			return
		}
	}
}

// awaitAll returns after the answers to all pending requests.
func (p *peer) awaitAll(t *testing.T) {
	t.Helper()
	for len(p.pending) > 0 {
		p.await(t)
	}
}

var documentID = regexp.MustCompile(`\bd_[a-z2-7]{26}\b`)

// takeIDs returns the documents that were named since the last time, 100 at most.
func (p *peer) takeIDs() []string {
	slices.Sort(p.ids)
	out := slices.Compact(p.ids)
	p.ids = nil
	if len(out) == 0 {
		return []string{"d_" + string(bytes.Repeat([]byte("a"), 26))}
	}
	return out[:min(len(out), 100)]
}

// end closes the server's input, upon which it has to end by itself.
func (p *peer) end(t *testing.T) {
	t.Helper()
	if err := p.in.Close(); err != nil {
		t.Error(err)
	}
	for range p.messages { // answers to what was cancelled
		continue
	}
	if err := p.cmd.Wait(); err != nil {
		t.Errorf("the server ended with %v\n%s", err, p.diag.Bytes())
	}
}
