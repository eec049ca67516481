package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/research"
)

// hanging is a researcher that says when a call begins and when its context
// ends.
type hanging struct{ begun, ended chan string }

func newHanging() hanging {
	return hanging{begun: make(chan string, 100), ended: make(chan string, 100)}
}

func (h hanging) world() world {
	return world{research: func(ctx context.Context, r research.Request, _ func(research.Event)) (evidence.Answer, error) {
		h.begun <- r.Question
		<-ctx.Done()
		h.ended <- r.Question
		return evidence.Answer{}, ctx.Err()
	}}
}

func TestProgressIsOrderedAndNeverLost(t *testing.T) {
	t.Parallel()
	const calls = 300
	c := connect(t.Context(), t, world{})
	for i := range calls {
		c.send("%s", callTool(i, "research", `{"question":"q"}`))
	}
	seen := map[string]float64{}
	for answered := 0; answered < calls; {
		m := c.next()
		if m.Method == "notifications/progress" {
			token := m.Params.Token.(string)
			if m.Params.Progress <= seen[token] {
				t.Errorf("%s: progress %v after %v", token, m.Params.Progress, seen[token])
			}
			seen[token] = m.Params.Progress
			continue
		}
		answered++
		if token := "p" + string(m.ID); seen[token] != reports || m.Result.IsError {
			t.Errorf("call %s was answered after %v of %d reports: %s", m.ID, seen[token], reports, m.text())
		}
	}
	if rest, err := c.end(); err != nil || len(rest) > 0 {
		t.Errorf("at the end: %v, and %d more messages", err, len(rest))
	}
}

func TestCancelledCallIsNotAnswered(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"7", `"seven"`} {
		t.Run(id, func(t *testing.T) {
			t.Parallel()
			h := newHanging()
			c := connect(t.Context(), t, h.world())
			c.send(`{"jsonrpc":"2.0","id":%s,"method":"tools/call","params":{"name":"research","arguments":{"question":"q"},"_meta":{"progressToken":1}}}`, id)
			<-h.begun
			c.send("%s", cancelCall(id))
			<-h.ended
			c.send(ping)
			if m := c.next(); string(m.ID) != `"ping"` {
				t.Errorf("message = %+v, want the answer to ping", m)
			}
			if rest, err := c.end(); err != nil || len(rest) > 0 {
				t.Errorf("at the end: %v, and %+v", err, rest)
			}
		})
	}
}

// TestIDsOfTwoTypesAreTwo cancels the number 1 and not the text "1".
func TestIDsOfTwoTypesAreTwo(t *testing.T) {
	t.Parallel()
	h := newHanging()
	c := connect(t.Context(), t, h.world())
	c.send(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"research","arguments":{"question":"number"}}}`)
	c.send(`{"jsonrpc":"2.0","id":"1","method":"tools/call","params":{"name":"research","arguments":{"question":"text"}}}`)
	<-h.begun
	<-h.begun
	c.send("%s", cancelCall("1"))
	if got := <-h.ended; got != "number" {
		t.Errorf("%q was cancelled, want the number", got)
	}
	c.send("%s", cancelCall(`"1"`))
	<-h.ended
	if rest, err := c.end(); err != nil || len(rest) > 0 {
		t.Errorf("at the end: %v, and %+v", err, rest)
	}
}

// TestSlowCallsDoNotBlockOthers fills every slot and the queue behind them.
func TestSlowCallsDoNotBlockOthers(t *testing.T) {
	t.Parallel()
	h := newHanging()
	c := connect(t.Context(), t, h.world())
	for i := range 20 {
		c.send("%s", callTool(i, "research", fmt.Sprintf(`{"question":"q%d"}`, i)))
	}
	for range 4 { // the slots of testServer
		<-h.begun
	}
	c.send("%s", callTool(100, "recall", `{"query":"q"}`))
	if m := c.next(); string(m.ID) != "100" || m.Result.IsError {
		t.Errorf("message = %+v, want the answer to recall", m)
	}
	for i := range 20 { // those that wait for a slot are cancelled as well
		c.send("%s", cancelCall(fmt.Sprint(i)))
	}
	c.send(ping)
	if m := c.next(); string(m.ID) != `"ping"` {
		t.Errorf("message = %+v, want the answer to ping", m)
	}
	if rest, err := c.end(); err != nil || len(rest) > 0 {
		t.Errorf("at the end: %v, and %+v", err, rest)
	}
	if n := len(h.begun); n > 16 {
		t.Errorf("%d more calls began", n)
	}
}

func TestSameIDTwiceIsRefused(t *testing.T) {
	t.Parallel()
	h := newHanging()
	c := connect(t.Context(), t, h.world())
	c.send("%s", callTool(1, "research", `{"question":"q"}`))
	<-h.begun
	c.send("%s", callTool(1, "recall", `{"query":"q"}`))
	if m := c.next(); m.Error == nil || m.Error.Message != "a request with this id is still under way" {
		t.Errorf("message = %+v", m)
	}
	c.send("%s", cancelCall("1"))
	if _, err := c.end(); err != nil {
		t.Error(err)
	}
}

func TestTooLongLineIsRefusedAndTheRestServed(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 9<<20)
	for _, tt := range []struct{ name, line, id string }{
		{"id first", `{"jsonrpc":"2.0","id":"a","method":"tools/call","params":{"name":"research","arguments":{"question":"` + long + `"}}}`, `"a"`},
		{"id after the method", `{"method":"tools/call","jsonrpc":"2.0","id":3,"params":{"name":"` + long + `"}}`, `3`},
		{"id last", `{"method":"tools/call","params":{"name":"` + long + `"},"jsonrpc":"2.0","id":12}`, `12`},
		{"an id that is not the message's", `{"method":"tools/call","params":{"name":"` + long + `","id":12}}`, `null`},
		{"garbage", long, `null`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := connect(t.Context(), t, world{})
			c.send("%s", tt.line)
			m := c.next()
			if string(m.ID) != tt.id || m.Error == nil || m.Error.Message != "the message is longer than 8388608 bytes and was not read" {
				t.Errorf("message = %+v, want an error for %s", m, tt.id)
			}
			c.send(ping)
			if m := c.next(); string(m.ID) != `"ping"` {
				t.Errorf("message = %+v, want the answer to ping", m)
			}
			if _, err := c.end(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestLastLineNeedsNoEnd(t *testing.T) {
	t.Parallel()
	c := connect(t.Context(), t, world{})
	if _, err := io.WriteString(c.in, ping); err != nil {
		t.Fatal(err)
	}
	if rest, err := c.end(); err != nil || len(rest) != 1 {
		t.Errorf("at the end: %v, and %+v, want the answer to ping", err, rest)
	}
}

func TestToolsThatFail(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, want string
		logged     []string
		research   func(context.Context, research.Request, func(research.Event)) (evidence.Answer, error)
	}{
		{"a problem of the caller's", `session "s_9" does not exist; leave it out to start a new one`, nil,
			func(context.Context, research.Request, func(research.Event)) (evidence.Answer, error) {
				return evidence.Answer{}, fmt.Errorf("opening: %w", evidence.BadInput(`session "s_9" does not exist`, "leave it out to start a new one"))
			}},
		{"an error of ours", `research failed inside the server; try again, and if it stays so, look at call 1 in the server's log`, []string{"secret path", "call=1", "tool=research"},
			func(context.Context, research.Request, func(research.Event)) (evidence.Answer, error) {
				return evidence.Answer{}, errors.New("secret path")
			}},
		{"a panic", `research failed inside the server; try again, and if it stays so, look at call 1 in the server's log`, []string{"secret slip", "stdio_test.go", "call=1"},
			func(context.Context, research.Request, func(research.Event)) (evidence.Answer, error) {
				panic("secret slip")
			}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := connect(t.Context(), t, world{research: tt.research})
			c.send("%s", callTool(1, "research", `{"question":"q"}`))
			m := c.next()
			if diff := cmp.Diff(tt.want, m.text()); diff != "" || !m.Result.IsError || m.Result.Structured != nil {
				t.Errorf("isError %t, structured %s, text (-want +got):\n%s", m.Result.IsError, m.Result.Structured, diff)
			}
			if _, err := c.end(); err != nil {
				t.Error(err)
			}
			for _, want := range tt.logged {
				if !strings.Contains(c.log.String(), want) {
					t.Errorf("log lacks %q:\n%s", want, c.log)
				}
			}
		})
	}
}

// after answers when d has passed, or obeys its context if it ends before.
func after(d time.Duration) world {
	return world{research: func(ctx context.Context, r research.Request, observe func(research.Event)) (evidence.Answer, error) {
		select {
		case <-time.After(d):
			return answerTo(r, observe), nil
		case <-ctx.Done():
			return evidence.Answer{}, ctx.Err()
		}
	}}
}

// TestEnds measures, on a clock that only tests have, how a connection ends
// while a call is under way.
func TestEnds(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		world    world
		eof      bool // the input ends; else ctx does
		want     time.Duration
		answered bool
	}{
		{"input ends, the call is quick", after(time.Second), true, time.Second, true},
		{"input ends, the call is slow", after(time.Minute), true, lingerAfterEOF, true},
		{"ctx ends", after(time.Second), false, 0, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				c := connect(ctx, t, tt.world)
				c.send("%s", callTool(1, "research", `{"question":"q"}`))
				synctest.Wait()
				start := time.Now()
				if tt.eof {
					c.in.Close()
				} else {
					cancel()
				}
				rest, err := c.rest()
				if took := time.Since(start); took != tt.want || err != nil {
					t.Errorf("it took %v with %v, want %v", took, err, tt.want)
				}
				if answered := len(rest) > 0 && string(rest[len(rest)-1].ID) == "1"; answered != tt.answered {
					t.Errorf("answered %t, want %t: %+v", answered, tt.answered, rest)
				}
			})
		})
	}
}

// TestStubbornCallDoesNotHoldTheEnd has a tool that ignores its context.
func TestStubbornCallDoesNotHoldTheEnd(t *testing.T) {
	t.Parallel()
	for _, eof := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			release := make(chan struct{})
			c := connect(ctx, t, world{research: func(context.Context, research.Request, func(research.Event)) (evidence.Answer, error) {
				<-release
				return evidence.Answer{}, nil
			}})
			c.send("%s", callTool(1, "research", `{"question":"q"}`))
			synctest.Wait()
			start := time.Now()
			if eof {
				c.in.Close()
			} else {
				cancel()
			}
			rest, err := c.rest()
			if took := time.Since(start); took >= 2*time.Second || err != nil || len(rest) > 0 {
				t.Errorf("input ended %t: it took %v with %v and %+v", eof, took, err, rest)
			}
			if !strings.Contains(c.log.String(), "calls are still running at the end") {
				t.Errorf("log:\n%s", c.log)
			}
			close(release)
			synctest.Wait()
		})
	}
}

// TestClientThatDoesNotRead fills the outbox and every place for a request, and
// then ends the input.
func TestClientThatDoesNotRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		inR, inW := io.Pipe()
		outR, outW := io.Pipe()
		served := make(chan error, 1)
		var log lockedBuffer
		go func() { served <- testServer(world{}, &log).ServeStdio(t.Context(), inR, outW) }()
		for i := range outboxSize + 2*inflightLimit {
			fmt.Fprintln(inW, strings.Replace(ping, `"ping"`, fmt.Sprint(i), 1))
		}
		start := time.Now()
		inW.Close()
		if err := <-served; err != nil || time.Since(start) >= 2*time.Second {
			t.Errorf("it took %v with %v", time.Since(start), err)
		}
		if !strings.Contains(log.String(), "the client does not read") {
			t.Errorf("log:\n%s", log.String())
		}
		outR.CloseWithError(errBroken)
		synctest.Wait()
	})
}

// TestBrokenOutputEndsIt has a client that goes away while a call is running.
func TestBrokenOutputEndsIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHanging()
		c := connect(t.Context(), t, h.world())
		c.send("%s", callTool(1, "research", `{"question":"q"}`))
		<-h.begun
		c.out.CloseWithError(errBroken)
		start := time.Now()
		c.send(ping)
		if err := <-c.served; !errors.Is(err, errBroken) || time.Since(start) != 0 {
			t.Errorf("it took %v with %v, want %v", time.Since(start), err, errBroken)
		}
		if got := <-h.ended; got != "q" {
			t.Errorf("ended %q", got)
		}
	})
}

func TestLongCallSaysThatItLives(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := connect(t.Context(), t, after(20*time.Second))
		c.send("%s", callTool(1, "research", `{"question":"q"}`))
		for i, want := range []string{"still at work after 8 s", "still at work after 16 s", "asking 1 source"} {
			if m := c.next(); m.Params.Message != want || m.Params.Progress != float64(i+1) {
				t.Errorf("message = %+v, want %q", m, want)
			}
		}
		if rest, err := c.end(); err != nil || len(rest) != reports {
			t.Errorf("at the end: %v, and %+v", err, rest)
		}
	})
}

// TestTwoConnections are two clients of one server that use the same ids.
func TestTwoConnections(t *testing.T) {
	t.Parallel()
	h := newHanging()
	w := h.world()
	s := testServer(w, io.Discard)
	var clients [2]struct {
		in  *io.PipeWriter
		out *io.PipeReader
	}
	served := make(chan error, 2)
	for i := range clients {
		inR, inW := io.Pipe()
		outR, outW := io.Pipe()
		clients[i].in, clients[i].out = inW, outR
		go func() { served <- s.ServeStdio(t.Context(), inR, outW); outW.Close() }()
		fmt.Fprintln(inW, callTool(1, "research", fmt.Sprintf(`{"question":"q%d"}`, i)))
		<-h.begun
	}
	fmt.Fprintln(clients[1].in, cancelCall("1"))
	if got := <-h.ended; got != "q1" {
		t.Errorf("%q was cancelled, want q1", got)
	}
	fmt.Fprintln(clients[0].in, cancelCall("1"))
	<-h.ended
	for i := range clients {
		clients[i].in.Close()
		if out, err := io.ReadAll(clients[i].out); err != nil || len(out) > 0 {
			t.Errorf("client %d got %q, %v", i, out, err)
		}
		if err := <-served; err != nil {
			t.Error(err)
		}
	}
}
