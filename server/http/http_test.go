package http_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	mcphttp "github.com/research-mcp/research-mcp/server/http"
)

// patience bounds waits that end at once unless something is broken.
const patience = time.Minute

func receive[T any](t *testing.T, from <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(patience):
		t.Fatalf("waited in vain for %s", what)
		panic("unreachable")
	}
}

func TestBothEras(t *testing.T) {
	t.Parallel()
	url, _ := start(t, mcphttp.Options{})
	session := begin(t, url)
	if r := post(t, url, `{"jsonrpc":"2.0","method":"notifications/initialized"}`, session); r.status != http.StatusAccepted || r.body != "" {
		t.Errorf("a notification: %d %q, want 202 and nothing", r.status, r.body)
	}
	if r := post(t, url, call(1, "echo"), session); r.status != http.StatusOK || r.text() != "for tester" {
		t.Errorf("with a session: %d %s", r.status, r.body)
	}
	body, header := modernCall(2, "echo")
	if r := post(t, url, body, header); r.status != http.StatusOK || r.text() != "for " || r.header.Get("Mcp-Session-Id") != "" {
		t.Errorf("without a session: %d %s %v", r.status, r.body, r.header)
	}
	if r := post(t, url, call(3, "echo"), nil); r.text() != "for " {
		t.Errorf("an older client without a session: %d %s", r.status, r.body)
	}
}

// Progress arrives in order, as a whole and before the result.
func TestProgressIsNeverLost(t *testing.T) {
	t.Parallel()
	url, _ := start(t, mcphttp.Options{})
	session := begin(t, url)
	for i := range 40 {
		body, header := call(i, "steps"), session
		if i%2 == 1 {
			body, header = modernCall(i, "steps")
		}
		r := post(t, url, body, header)
		if len(r.messages) != steps+1 || r.text() != "done" {
			t.Fatalf("call %d: %d messages, the last %q; want %d", i, len(r.messages), r.text(), steps+1)
		}
		for n, m := range r.messages[:steps] {
			if m.Params.Message != fmt.Sprint("step ", n) || m.Params.Progress != float64(n+1) {
				t.Fatalf("call %d, notification %d: %+v", i, n, m.Params)
			}
		}
	}
}

// A client that does not take streams gets the result alone.
func TestResultAlone(t *testing.T) {
	t.Parallel()
	url, _ := start(t, mcphttp.Options{})
	session := begin(t, url)
	session["Accept"] = "application/json"
	r := post(t, url, call(1, "steps"), session)
	if len(r.messages) != 1 || r.text() != "done" || r.header.Get("Content-Type") != "application/json" {
		t.Errorf("%d messages, %q, %v", len(r.messages), r.text(), r.header)
	}
}

func TestSessions(t *testing.T) {
	t.Parallel()
	url, _ := start(t, mcphttp.Options{})
	session := begin(t, url)
	del := func(header map[string]string) int {
		res, err := http.DefaultClient.Do(request(t.Context(), t, http.MethodDelete, url+mcphttp.Path, "", header))
		if err != nil {
			t.Fatal(err)
		}
		return read(t, res).status
	}
	if got := del(nil); got != http.StatusBadRequest {
		t.Errorf("DELETE without a session: %d", got)
	}
	if got := del(session); got != http.StatusNoContent {
		t.Errorf("DELETE: %d", got)
	}
	if r := post(t, url, call(1, "echo"), session); r.status != http.StatusNotFound {
		t.Errorf("an ended session: %d %s, want 404", r.status, r.body)
	}
	for _, id := range []string{"a b", "\u00e9", strings.Repeat("x", 2000)} {
		if r := post(t, url, call(1, "echo"), map[string]string{"Mcp-Session-Id": id}); r.status != http.StatusBadRequest {
			t.Errorf("session %.10q: %d, want 400", id, r.status)
		}
	}
	// A replica that has just started knows no session, and serves it by what its id says.
	other, _ := start(t, mcphttp.Options{})
	if r := post(t, other, call(2, "echo"), begin(t, url)); r.text() != "for tester" {
		t.Errorf("at another replica: %d %s", r.status, r.body)
	}
	for _, id := range []string{"foreign", "a.b", "x." + strings.Repeat("A", 200)} {
		if r := post(t, other, call(3, "echo"), map[string]string{"Mcp-Session-Id": id}); r.text() != "for " {
			t.Errorf("session %q: %d %s", id, r.status, r.body)
		}
	}
}

// A cancellation by a person reaches the call; so does the end of a connection, which in
// the older era says that the client has left.
func TestCancel(t *testing.T) {
	t.Parallel()
	h := newHeld()
	url, _ := start(t, mcphttp.Options{Handler: handlerOf(testHandler(h))})
	session := begin(t, url)
	answered := make(chan reply, 1)
	go func() { answered <- post(t, url, call(1, "hold"), session) }()
	receive(t, h.began, "the call")
	post(t, url, `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1,"reason":"enough"}}`, session)
	if err := receive(t, h.ended, "its end"); !errors.Is(err, context.Canceled) || errors.Is(err, evidence.ErrCallerLeft) {
		t.Errorf("cancelled by a person: %v", err)
	}
	if r := receive(t, answered, "the end of the answer"); len(r.messages) != 0 {
		t.Errorf("a cancelled call was answered: %s", r.body)
	}

	leave := func(body string, header map[string]string) error {
		ctx, hangUp := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			if res, err := http.DefaultClient.Do(request(ctx, t, http.MethodPost, url+mcphttp.Path, body, header)); err == nil {
				res.Body.Close()
			}
		}()
		receive(t, h.began, "the call")
		hangUp()
		<-done
		return receive(t, h.ended, "its end")
	}
	if err := leave(call(2, "hold"), session); !errors.Is(err, evidence.ErrCallerLeft) {
		t.Errorf("the older client hung up: %v, want %v", err, evidence.ErrCallerLeft)
	}
	if err := leave(modernCall(3, "hold")); !errors.Is(err, context.Canceled) || errors.Is(err, evidence.ErrCallerLeft) {
		t.Errorf("the newer client hung up: %v, want %v", err, context.Canceled)
	}
}

// Nobody reaches the call of another client by its id, which all count from 1.
func TestStrangersCannotCancel(t *testing.T) {
	t.Parallel()
	h := newHeld()
	url, _ := start(t, mcphttp.Options{Handler: handlerOf(testHandler(h))})
	mine, stranger := begin(t, url), begin(t, url)
	ctx, hangUp := context.WithCancel(t.Context())
	var calls sync.WaitGroup
	hold := func(body string, header map[string]string) {
		calls.Go(func() {
			if res, err := http.DefaultClient.Do(request(ctx, t, http.MethodPost, url+mcphttp.Path, body, header)); err == nil {
				res.Body.Close()
			}
		})
		receive(t, h.began, "the call")
	}
	hold(call(1, "hold"), mine)
	hold(modernCall(1, "hold"))
	cancel := `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`
	for _, header := range []map[string]string{stranger, nil, {"Mcp-Protocol-Version": modernVersion}, {"Mcp-Protocol-Version": modernVersion, "Mcp-Session-Id": mine["Mcp-Session-Id"]}} {
		post(t, url, cancel, header)
	}
	if r := post(t, url, call(2, "echo"), mine); r.text() != "for tester" {
		t.Errorf("after that: %s", r.body)
	}
	select {
	case err := <-h.ended:
		t.Errorf("a stranger ended a call: %v", err)
	default:
	}
	hangUp()
	calls.Wait()
}

// With a balancer before two replicas, a cancellation and an answer of a person may
// arrive at the one that does not run the call.
func TestReplicasPassOn(t *testing.T) {
	t.Parallel()
	h, folder := newHeld(), mcphttp.NewFolder(t.TempDir())
	one, _ := start(t, mcphttp.Options{Handler: handlerOf(testHandler(h)), Relay: folder})
	two, _ := start(t, mcphttp.Options{Relay: folder})
	session := begin(t, two)
	answered := make(chan reply, 1)
	go func() { answered <- post(t, one, call(1, "hold"), session) }()
	receive(t, h.began, "the call")
	post(t, two, `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1,"reason":"enough"}}`, session)
	if err := receive(t, h.ended, "the end of the call at the other replica"); errors.Is(err, evidence.ErrCallerLeft) {
		t.Errorf("cancelled by a person: %v", err)
	}
	receive(t, answered, "the end of the answer")

	res, err := http.DefaultClient.Do(request(t.Context(), t, http.MethodPost, one+mcphttp.Path, call(2, "consent"), session))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	lines := bufio.NewScanner(res.Body)
	for lines.Scan() {
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok {
			continue
		}
		m := decode(t, data)
		if m.Method == "elicitation/create" {
			post(t, two, fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":{"action":"accept","content":{}}}`, m.ID), session)
			continue
		}
		if got := (reply{messages: []message{m}}).text(); got != "consent true" {
			t.Errorf("the answer of the person made %q", got)
		}
	}
}

// The stream of a session may be at one replica and its subscription arrive at another.
func TestReplicasPassOnSubscriptions(t *testing.T) {
	t.Parallel()
	var version atomic.Int32
	folder := mcphttp.NewFolder(t.TempDir())
	one, _ := start(t, mcphttp.Options{Handler: handlerOf(notes(&version)), Relay: folder})
	two, _ := start(t, mcphttp.Options{Handler: handlerOf(notes(&version)), Relay: folder})
	session := begin(t, one)
	res, err := http.DefaultClient.Do(request(t.Context(), t, http.MethodGet, one+mcphttp.Path, "", session))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if r := post(t, two, `{"jsonrpc":"2.0","id":5,"method":"resources/subscribe","params":{"uri":"note://a"}}`, session); r.status != 200 {
		t.Fatalf("subscribe: %d %s", r.status, r.body)
	}
	changing, stop := context.WithCancel(t.Context())
	defer stop()
	go func() { // until the stream has seen it
		for tick := time.NewTicker(200 * time.Millisecond); ; version.Add(1) {
			select {
			case <-changing.Done():
				tick.Stop()
				return
			case <-tick.C:
			}
		}
	}()
	lines := bufio.NewScanner(res.Body)
	for lines.Scan() {
		if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
			if want := `{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"note://a"}}`; data != want {
				t.Errorf("the stream has %s, want %s", data, want)
			}
			return
		}
	}
	t.Errorf("the stream ended without an update: %v", lines.Err())
}

// The end of the server lets calls finish, and the streams of sessions end at once.
func TestEnd(t *testing.T) {
	t.Parallel()
	url, stop := start(t, mcphttp.Options{})
	res, err := http.DefaultClient.Do(request(t.Context(), t, http.MethodGet, url+mcphttp.Path, "", begin(t, url)))
	if err != nil {
		t.Fatal(err)
	}
	if res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != "text/event-stream" {
		t.Errorf("the stream of a session: %d %v", res.StatusCode, res.Header)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	read(t, res)                                              // it has ended
	if res, err := http.Get(url + mcphttp.Path); err == nil { //nolint:noctx // it fails at once
		res.Body.Close()
		t.Error("the server still answers")
	}
}
