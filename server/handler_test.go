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

func TestToolsThatFail(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, want string
		logged     []string
		research   func(context.Context, research.Request, func(research.Event)) (evidence.Answer, error)
	}{
		{"a problem of the caller", `session "s_9" does not exist; leave it out to start a new one`, nil,
			func(context.Context, research.Request, func(research.Event)) (evidence.Answer, error) {
				return evidence.Answer{}, fmt.Errorf("opening: %w", evidence.BadInput(`session "s_9" does not exist`, "leave it out to start a new one"))
			}},
		{"an internal error", `research failed inside the server; try again, and if it fails again, look for call 1 in the server's log`, []string{"secret path", "call=1", "tool=research"},
			func(context.Context, research.Request, func(research.Event)) (evidence.Answer, error) {
				return evidence.Answer{}, errors.New("secret path")
			}},
		{"a panic", `research failed inside the server; try again, and if it fails again, look for call 1 in the server's log`, []string{"secret slip", "handler_test.go", "call=1"},
			func(context.Context, research.Request, func(research.Event)) (evidence.Answer, error) {
				panic("secret slip")
			}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var log strings.Builder
			s := open(t, testHandler(world{research: tt.research}, &log))
			sent := exchange(t.Context(), s, callTool(1, "research", `{"question":"q"}`))
			m := decode(t, sent[len(sent)-1])
			if diff := cmp.Diff(tt.want, m.text()); diff != "" || !m.Result.IsError || m.Result.Structured != nil {
				t.Errorf("isError %t, structured %s, text (-want +got):\n%s", m.Result.IsError, m.Result.Structured, diff)
			}
			for _, want := range tt.logged {
				if !strings.Contains(log.String(), want) {
					t.Errorf("log lacks %q:\n%s", want, log.String())
				}
			}
		})
	}
}

// start accepts a request and runs it in the background. What it sends arrives in
// the returned channel, which is closed when it has returned.
func start(t *testing.T, s *Session, message string) <-chan string {
	t.Helper()
	sent := make(chan string, 100)
	reply, request := s.Accept(t.Context(), []byte(message))
	if request == nil {
		t.Fatalf("Accept(%s) refused: %s", message, reply)
	}
	go func() {
		defer close(sent)
		request.Run(t.Context(), func(message []byte) { sent <- string(message) })
	}()
	return sent
}

// blocked is a world whose research waits for its context, and the questions
// that it was asked.
func blocked() (w world, begun chan string) {
	begun = make(chan string, 100)
	return world{research: func(ctx context.Context, r research.Request, _ func(research.Event)) (evidence.Answer, error) {
		begun <- r.Question
		<-ctx.Done()
		return evidence.Answer{}, ctx.Err()
	}, read: func(ctx context.Context) {
		begun <- "read"
		<-ctx.Done()
	}}, begun
}

func TestLongCallReportsThatItRuns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := open(t, testHandler(world{research: func(_ context.Context, r research.Request, observe func(research.Event)) (evidence.Answer, error) {
			time.Sleep(20 * time.Second)
			return answerTo(r, observe), nil
		}}, io.Discard))
		sent := exchange(t.Context(), s, callTool(1, "research", `{"question":"q"}`))
		if len(sent) != 2+reports+1 {
			t.Fatalf("sent = %q", sent)
		}
		for i, want := range []string{"still running after 8 s", "still running after 16 s", "asking 1 source"} {
			if m := decode(t, sent[i]); m.Params.Message != want || m.Params.Progress != float64(i+1) {
				t.Errorf("message = %+v, want %q", m, want)
			}
		}
	})
}

// TestSlowCallsAreLimited fills every slot: another slow call is refused after
// slowPatience, and a quick call runs. Questions wait for each other elsewhere.
func TestSlowCallsAreLimited(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, begun := blocked()
		s := open(t, testHandler(w, io.Discard))
		for i := range slowLimit {
			start(t, s, callTool(i, "fetch-sources", `{"query":"q"}`))
		}
		synctest.Wait()
		if len(begun) != slowLimit {
			t.Fatalf("%d calls began, want %d", len(begun), slowLimit)
		}
		if m := decode(t, exchange(t.Context(), s, callTool(100, "recall", `{"query":"q"}`))[0]); m.Result.IsError {
			t.Errorf("recall: %s", m.text())
		}
		began := time.Now()
		m := decode(t, exchange(t.Context(), s, callTool(101, "fetch-sources", `{"query":"q"}`))[0])
		if want := "4 slow calls are running already; call again in a moment, or ask fewer questions at once"; m.text() != want || time.Since(began) != slowPatience {
			t.Errorf("after %v: %q, want %q", time.Since(began), m.text(), want)
		}
		start(t, s, callTool(102, "research", `{"question":"q"}`))
		if synctest.Wait(); len(begun) != slowLimit+1 {
			t.Error("a question did not begin")
		}
		for i := range slowLimit {
			exchange(t.Context(), s, cancelCall(fmt.Sprint(i)))
		}
		exchange(t.Context(), s, cancelCall("102"))
		synctest.Wait()
	})
}

// The cause of a cancelled call says whether the client gave up waiting, in the words of
// clients in use, or a person cancelled.
func TestCancellationByTimeOut(t *testing.T) {
	t.Parallel()
	for reason, left := range map[string]bool{
		"McpError: MCP error -32001: Request timed out": true,
		"timed out after 5.0s":                          true,
		"Request timeout":                               true,
		"context deadline exceeded":                     true,
		"Time-out of the client":                        true,
		"User cancelled":                                false,
		"AbortError: This operation was aborted":        false,
		"caller cancelled":                              false,
		"":                                              false,
	} {
		synctest.Test(t, func(t *testing.T) {
			causes := make(chan error, 1)
			s := open(t, testHandler(world{research: func(ctx context.Context, _ research.Request, _ func(research.Event)) (evidence.Answer, error) {
				<-ctx.Done()
				causes <- context.Cause(ctx)
				return evidence.Answer{}, ctx.Err()
			}}, io.Discard))
			start(t, s, callTool(1, "research", `{"question":"q"}`))
			synctest.Wait()
			exchange(t.Context(), s, fmt.Sprintf(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1,"reason":%q}}`, reason))
			if cause := <-causes; errors.Is(cause, evidence.ErrCallerLeft) != left {
				t.Errorf("reason %q: cause %v", reason, cause)
			}
			synctest.Wait()
		})
	}
}

// TestCancelledRequestSendsNothing cancels one request by its id: the number 1 is
// not the text "1".
func TestCancelledRequestSendsNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, _ := blocked()
		s := open(t, testHandler(w, io.Discard))
		number := start(t, s, callTool(1, "research", `{"question":"number"}`))
		text := start(t, s, strings.Replace(callTool(1, "research", `{"question":"text"}`), `"id":1`, `"id":"1"`, 1))
		synctest.Wait()
		exchange(t.Context(), s, cancelCall("1"))
		if message, ok := <-number; ok {
			t.Errorf("the cancelled request sent %s", message)
		}
		select {
		case message := <-text:
			t.Errorf("the other request ended with %q", message)
		default:
		}
		exchange(t.Context(), s, cancelCall(`"1"`))
		if message, ok := <-text; ok {
			t.Errorf("the cancelled request sent %s", message)
		}
	})
}

// A client may cancel a request between Accept and Run.
func TestRequestCancelledBeforeItRuns(t *testing.T) {
	t.Parallel()
	w, begun := blocked()
	s := open(t, testHandler(w, io.Discard))
	_, request := s.Accept(t.Context(), []byte(callTool(1, "research", `{"question":"q"}`)))
	exchange(t.Context(), s, cancelCall("1"))
	request.Run(t.Context(), func(message []byte) { t.Errorf("sent %s", message) })
	if len(begun) != 0 {
		t.Error("the tool was called")
	}
}

func TestRequestsInFlightAreLimited(t *testing.T) {
	t.Parallel()
	s := open(t, testHandler(world{}, io.Discard))
	for i := range MaxInFlight {
		if reply, request := s.Accept(t.Context(), fmt.Appendf(nil, `{"jsonrpc":"2.0","id":%d,"method":"ping"}`, i)); request == nil {
			t.Fatalf("request %d was refused: %s", i, reply)
		}
	}
	for message, want := range map[string]string{
		`{"jsonrpc":"2.0","id":0,"method":"ping"}`:      "a request with this id is still running",
		`{"jsonrpc":"2.0","id":"more","method":"ping"}`: "1000 requests are running; wait for a response first",
	} {
		sent := exchange(t.Context(), s, message)
		if m := decode(t, sent[0]); m.Error == nil || m.Error.Message != want {
			t.Errorf("%s: %q, want %q", message, sent, want)
		}
	}
}

// TestDeepMessageKeepsItsID: a message that is nested too deeply is refused under its id,
// wherever that stands.
func TestDeepMessageKeepsItsID(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000)
	s := open(t, testHandler(world{}, io.Discard))
	for _, message := range []string{
		`{"jsonrpc":"2.0","id":16,"method":"tools/call","params":{"name":"recall","arguments":` + deep + `}}`,
		`{"method":"tools/call","params":{"id":1,"arguments":` + deep + `},"jsonrpc":"2.0","id":16}`,
	} {
		sent := exchange(t.Context(), s, message)
		if len(sent) != 1 {
			t.Fatalf("sent %q", sent)
		}
		if m := decode(t, sent[0]); string(m.ID) != "16" || m.Error == nil || !strings.Contains(m.Error.Message, "exceeded max depth") {
			t.Errorf("answer %s", sent[0])
		}
	}
}
