package stdio

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/research-mcp/research-mcp/server"
	"github.com/research-mcp/research-mcp/tools"
)

// hanging is a tool that reports when a call begins and when its context ends.
type hanging struct{ begun, ended chan string }

func newHanging() hanging {
	return hanging{begun: make(chan string, 100), ended: make(chan string, 100)}
}

func (h hanging) research(ctx context.Context, question string, _ tools.Observe) (tools.Result, error) {
	h.begun <- question
	<-ctx.Done()
	h.ended <- question
	return tools.Result{}, ctx.Err()
}

func TestProgressIsOrderedAndNeverLost(t *testing.T) {
	t.Parallel()
	const calls = 300
	c := connect(t.Context(), t, atOnce)
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
			c := connect(t.Context(), t, h.research)
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

// TestSlowCallsDoNotBlockOthers fills every slot and the queue behind them.
func TestSlowCallsDoNotBlockOthers(t *testing.T) {
	t.Parallel()
	h := newHanging()
	c := connect(t.Context(), t, h.research)
	for i := range 20 {
		c.send("%s", callTool(i, "research", fmt.Sprintf(`{"question":"q%d"}`, i)))
	}
	for range 4 { // the slots of testHandler
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
			c := connect(t.Context(), t, atOnce)
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
	c := connect(t.Context(), t, atOnce)
	if _, err := io.WriteString(c.in, ping); err != nil {
		t.Fatal(err)
	}
	if rest, err := c.end(); err != nil || len(rest) != 1 {
		t.Errorf("at the end: %v, and %+v, want the answer to ping", err, rest)
	}
}

// A byte order mark before the first message is skipped, also without a message on
// its line; later it is no JSON.
func TestByteOrderMarkBeforeTheFirstMessage(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		in   string
		errs int
	}{
		"before a message":       {"\uFEFF" + ping + "\n", 0},
		"on a line of its own":   {"\uFEFF\r\n" + ping + "\r\n", 0},
		"before a later message": {ping + "\n\uFEFF" + ping + "\n", 1},
	} {
		c2 := connect(t.Context(), t, atOnce)
		if _, err := io.WriteString(c2.in, c.in); err != nil {
			t.Fatal(err)
		}
		rest, err := c2.end()
		errs, answers := 0, 0
		for _, m := range rest {
			if m.Error != nil {
				errs++
			} else if string(m.ID) == `"ping"` {
				answers++
			}
		}
		if err != nil || answers != 1 || errs != c.errs {
			t.Errorf("%s: %+v, %v", name, rest, err)
		}
	}
}

// after returns a tool that answers after d, or when its context ends.
func after(d time.Duration) researchFunc {
	return func(ctx context.Context, question string, observe tools.Observe) (tools.Result, error) {
		select {
		case <-time.After(d):
			return atOnce(ctx, question, observe)
		case <-ctx.Done():
			return tools.Result{}, ctx.Err()
		}
	}
}

// TestEnds measures how long a connection takes to end while a call is running.
func TestEnds(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		research researchFunc
		eof      bool // the input ends; else ctx does
		want     time.Duration
		answered bool
	}{
		{"input ends, the call is quick", after(time.Second), true, time.Second, true},
		{"input ends, the call takes its time", after(29 * time.Second), true, 29 * time.Second, true},
		{"input ends, the call is slow", after(time.Minute), true, lingerAfterEOF, true},
		{"ctx ends", after(time.Second), false, 0, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				c := connect(ctx, t, tt.research)
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

// TestEndOfContextEndsTheWait: a program that is told to end does not wait for the calls
// that the end of input left under way.
func TestEndOfContextEndsTheWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		c := connect(ctx, t, newHanging().research)
		c.send("%s", callTool(1, "research", `{"question":"q"}`))
		c.in.Close()
		synctest.Wait()
		start := time.Now()
		cancel()
		if _, err := c.rest(); err != nil || time.Since(start) != 0 {
			t.Errorf("it took %v with %v", time.Since(start), err)
		}
	})
}

// TestStubbornCallDoesNotHoldTheEnd has a tool that ignores its context.
func TestStubbornCallDoesNotHoldTheEnd(t *testing.T) {
	t.Parallel()
	for _, eof := range []bool{true, false} {
		most := 2 * time.Second
		if eof {
			most += lingerAfterEOF
		}
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			release := make(chan struct{})
			c := connect(ctx, t, func(context.Context, string, tools.Observe) (tools.Result, error) {
				<-release
				return tools.Result{}, nil
			})
			c.send("%s", callTool(1, "research", `{"question":"q"}`))
			synctest.Wait()
			start := time.Now()
			if eof {
				c.in.Close()
			} else {
				cancel()
			}
			rest, err := c.rest()
			if took := time.Since(start); took >= most || err != nil || slices.ContainsFunc(rest, func(m message) bool { return m.ID != nil }) {
				t.Errorf("input ended %t: it took %v with %v and %+v", eof, took, err, rest)
			}
			if !strings.Contains(c.log.String(), "requests are still running at the end") {
				t.Errorf("log:\n%s", c.log)
			}
			close(release)
			synctest.Wait()
		})
	}
}

// TestClientThatDoesNotRead sends more than every buffer holds, and reads afterwards: no
// answer is lost, and none is a refusal.
func TestClientThatDoesNotRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const requests = outboxSize + 5*server.MaxInFlight
		inR, inW := io.Pipe()
		outR, outW := io.Pipe()
		served := make(chan error, 1)
		go func() { served <- Serve(t.Context(), testHandler(atOnce), inR, outW, nil); outW.Close() }()
		sent := 0
		go func() {
			for ; sent < requests; sent++ {
				fmt.Fprintln(inW, strings.Replace(ping, `"ping"`, fmt.Sprint(sent), 1))
			}
			inW.Close()
		}()
		synctest.Wait()
		if sent == requests {
			t.Error("everything was read though nothing could be answered")
		}
		seen := map[string]bool{}
		for s := bufio.NewScanner(outR); s.Scan(); {
			if m := parse(t, s.Text()); m.Error != nil || seen[string(m.ID)] {
				t.Fatalf("answer %s", s.Text())
			} else {
				seen[string(m.ID)] = true
			}
		}
		if err := <-served; err != nil || len(seen) != requests {
			t.Errorf("%d of %d answers, %v", len(seen), requests, err)
		}
	})
}

// TestFullOutboxEndsWithItsContext has a client that never reads: the end of ctx is
// noticed, and so is its own end.
func TestFullOutboxEndsWithItsContext(t *testing.T) {
	t.Parallel()
	for _, broken := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			inR, inW := io.Pipe()
			outR, outW := io.Pipe()
			served := make(chan error, 1)
			go func() { served <- Serve(ctx, testHandler(atOnce), inR, outW, nil) }()
			go func() {
				for i := range 3 * outboxSize {
					fmt.Fprintln(inW, strings.Replace(ping, `"ping"`, fmt.Sprint(i), 1))
				}
			}()
			synctest.Wait()
			start := time.Now()
			if broken {
				outR.CloseWithError(errBroken)
			} else {
				cancel()
			}
			err := <-served
			if took := time.Since(start); took >= 2*time.Second || broken != errors.Is(err, errBroken) {
				t.Errorf("broken %t: it took %v with %v", broken, took, err)
			}
			outR.CloseWithError(errBroken)
			inR.Close()
			synctest.Wait()
		})
	}
}

// TestBrokenOutputEndsIt has a client that disconnects while a call is running.
func TestBrokenOutputEndsIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHanging()
		c := connect(t.Context(), t, h.research)
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

// TestTwoConnections are two clients of one server that use the same ids.
func TestTwoConnections(t *testing.T) {
	t.Parallel()
	h := newHanging()
	handler := testHandler(h.research)
	var clients [2]struct {
		in  *io.PipeWriter
		out *io.PipeReader
	}
	served := make(chan error, 2)
	for i := range clients {
		inR, inW := io.Pipe()
		outR, outW := io.Pipe()
		clients[i].in, clients[i].out = inW, outR
		go func() { served <- Serve(t.Context(), handler, inR, outW, nil); outW.Close() }()
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
