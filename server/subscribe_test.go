package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/research-mcp/research-mcp/tools"
)

// notes are resources that a test changes.
type notes struct {
	mu      sync.Mutex
	changes map[string]int // by id
	err     error
}

func (n *notes) change(id string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.changes[id]++
}

func (n *notes) handler() *Handler {
	return NewHandler(Options{Name: "test", Version: "1", Resources: []tools.Resource{{
		Address: "note://all/{id}/text", Name: "note", Title: "A note", Type: "text/plain",
		Read: func(context.Context, string) (string, error) { return "", nil },
		Watch: func(id string) tools.Watch {
			last := -1
			return func(context.Context) (bool, error) {
				n.mu.Lock()
				defer n.mu.Unlock()
				changed := last >= 0 && n.changes[id] != last
				last = n.changes[id]
				return changed, n.err
			}
		},
	}}})
}

func newNotes() *notes { return &notes{changes: map[string]int{}} }

func subscribe(id int, uri string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"resources/subscribe","params":{"uri":%q}}`, id, uri)
}

// told takes the notifications that wait for a client.
func told(s *Session) []string {
	out := []string{}
	for {
		select {
		case n := <-s.Notifications():
			raw, _ := Encode(n)
			out = append(out, string(raw))
		default:
			return out
		}
	}
}

const updatedA = `{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"note://all/a%20b/text"}}`

func TestSubscribe(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := newNotes()
		h := n.handler()
		s, other := open(t, h), open(t, h)
		for i, uri := range []string{"note://all/a%20b/text", "note://all/a%20b/text", "note://all/quiet/text", "test://unknown"} {
			if sent := exchange(t.Context(), s, subscribe(i, uri)); decode(t, sent[0]).Error != nil {
				t.Errorf("subscribe %s: %s", uri, sent)
			}
		}
		time.Sleep(3 * lookEvery)
		if got := told(s); len(got) > 0 {
			t.Errorf("without a change: %q", got)
		}
		n.change("a b")
		time.Sleep(2 * lookEvery)
		n.change("a b") // told once for each look that finds a change
		time.Sleep(2 * lookEvery)
		if got := told(s); !slices.Equal(got, []string{updatedA, updatedA}) {
			t.Errorf("after two changes: %q", got)
		}
		if got := told(other); len(got) > 0 {
			t.Errorf("another session was told %q", got)
		}
		exchange(t.Context(), s, strings.Replace(subscribe(9, "note://all/a%20b/text"), "subscribe", "unsubscribe", 1))
		n.change("a b")
		time.Sleep(2 * lookEvery)
		if got := told(s); len(got) > 0 {
			t.Errorf("after unsubscribe: %q", got)
		}
	})
}

// A session that is told that something has changed looks at once, and then not again for
// each of many changes.
func TestSubscribeIsWoken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := newNotes()
		var wakes atomic.Pointer[chan struct{}]
		renew := func() *chan struct{} { c := make(chan struct{}); return wakes.Swap(&c) }
		renew()
		h := n.handler()
		h.changed = func() <-chan struct{} { return *wakes.Load() }
		s := open(t, h)
		exchange(t.Context(), s, subscribe(1, "note://all/a%20b/text"))
		change := func() {
			n.change("a b")
			close(*renew())
			synctest.Wait()
		}
		change()
		if got := told(s); len(got) > 0 {
			t.Errorf("the answer to the subscription is not written yet, and the client was told %q", got)
		}
		time.Sleep(lookEvery) // since then it may be told
		synctest.Wait()
		for range 3 {
			change()
		}
		if got := told(s); !slices.Equal(got, []string{updatedA, updatedA}) {
			t.Errorf("after changes at one moment: %q, want the one before, and one", got)
		}
		time.Sleep(wakePause)
		synctest.Wait()
		if got := told(s); !slices.Equal(got, []string{updatedA}) {
			t.Errorf("when it may look again: %q, want the last change", got)
		}
	})
}

// A client that does not read is told later, once for each address; what could not be
// looked at is no change.
func TestSubscribeLosesNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := newNotes()
		s := open(t, n.handler())
		for i := range MaxSubscriptions {
			exchange(t.Context(), s, subscribe(i, fmt.Sprintf("note://all/%d/text", i)))
			n.change(fmt.Sprint(i))
		}
		sent := exchange(t.Context(), s, subscribe(1000, "note://all/more/text"))
		if e := decode(t, sent[0]).Error; e == nil || e.Code != -32602 || !strings.Contains(e.Message, "100 subscriptions") {
			t.Errorf("one too many: %s", sent)
		}
		if sent = exchange(t.Context(), s, subscribe(1001, "note://"+strings.Repeat("x", maxURI))); decode(t, sent[0]).Error == nil {
			t.Errorf("a long address: %s", sent)
		}
		n.mu.Lock()
		n.err = errors.New("busy")
		n.mu.Unlock()
		time.Sleep(10 * lookEvery)
		if got := told(s); len(got) > 0 {
			t.Errorf("while nothing can be looked at: %q", got)
		}
		n.mu.Lock()
		n.err = nil
		n.mu.Unlock()
		for i := range MaxSubscriptions {
			n.change(fmt.Sprint(i))
		}
		seen := map[string]int{}
		for range 3 {
			time.Sleep(10 * lookEvery)
			for _, message := range told(s) {
				seen[message]++
			}
		}
		if len(seen) != MaxSubscriptions {
			t.Errorf("told of %d addresses, want %d", len(seen), MaxSubscriptions)
		}
	})
}

func TestListen(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := newNotes()
		h := n.handler()
		s := open(t, h)
		const meta = `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"t","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}}`
		listen := func(id, uri string) (*Request, context.CancelFunc) {
			_, request := s.Accept(t.Context(), fmt.Appendf(nil, `{"jsonrpc":"2.0","id":%s,"method":"subscriptions/listen","params":{"notifications":{"resourceSubscriptions":[%q]},%s}}`, id, uri, meta))
			if request == nil {
				t.Fatal("subscriptions/listen was refused")
			}
			ctx, cancel := context.WithCancel(t.Context())
			go request.Run(ctx, func([]byte) {})
			return request, cancel
		}
		_, endFirst := listen("7", "note://all/a%20b/text")
		_, endSecond := listen(`"two"`, "note://all/a%20b/text")
		n.change("a b")
		synctest.Wait()
		n.change("a b")
		time.Sleep(3 * lookEvery)
		var ids []string
		for i, raw := range told(s) {
			var m struct {
				Method string
				Params struct {
					Meta map[string]json.RawMessage `json:"_meta"`
				}
			}
			if json.Unmarshal([]byte(raw), &m) != nil || i < 2 != (m.Method == "notifications/subscriptions/acknowledged") {
				t.Errorf("message %d: %s", i, raw)
			}
			ids = append(ids, string(m.Params.Meta["io.modelcontextprotocol/subscriptionId"]))
		}
		slices.Sort(ids)
		if want := []string{`"two"`, `"two"`, "7", "7"}; !slices.Equal(ids, want) {
			t.Errorf("subscription ids %q, want %q", ids, want)
		}
		endFirst()
		synctest.Wait()
		n.change("a b")
		time.Sleep(2 * lookEvery)
		if got := told(s); len(got) != 1 || !strings.Contains(got[0], `"two"`) {
			t.Errorf("after the end of the first: %q", got)
		}
		endSecond()
		synctest.Wait()
		if left := h.subscribed.Load(); left != 0 {
			t.Errorf("%d subscriptions are left", left)
		}
	})
}

// All sessions together are bounded, and a session that ends leaves none of its own.
func TestSubscriptionsOfAllAreBounded(t *testing.T) {
	t.Parallel()
	h := newNotes().handler()
	var sessions []*Session
	for len(sessions)*MaxSubscriptions < mostSubscriptions {
		s, err := h.Open(t.Context(), "test")
		if err != nil {
			t.Fatal(err)
		}
		for i := range MaxSubscriptions {
			if sent := exchange(t.Context(), s, subscribe(i, fmt.Sprint("test://", i))); decode(t, sent[0]).Error != nil {
				t.Fatalf("subscription %d of session %d: %s", i, len(sessions), sent)
			}
		}
		sessions = append(sessions, s)
	}
	late := open(t, h)
	if sent := exchange(t.Context(), late, subscribe(1, "test://1")); decode(t, sent[0]).Error == nil {
		t.Errorf("one too many: %s", sent)
	}
	for _, s := range sessions {
		s.Close(t.Context())
	}
	if sent := exchange(t.Context(), late, subscribe(2, "test://1")); decode(t, sent[0]).Error != nil || h.subscribed.Load() != 1 {
		t.Errorf("after the end of the others: %s, %d are counted", sent, h.subscribed.Load())
	}
}
