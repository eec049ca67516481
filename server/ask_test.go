package server

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/library"
)

// large is a memory of which forget would remove documents; confirmed has the requests that
// it removed something for.
type large struct {
	documents int
	confirmed []library.ForgetRequest
}

func (l *large) forget(r library.ForgetRequest) (library.ForgetResult, error) {
	switch {
	case r.DryRun:
	case !r.Confirm:
		return library.ForgetResult{}, &evidence.Problem{What: fmt.Sprintf("that would forget %d documents", l.documents), Try: "confirm it", Cause: evidence.ErrUnconfirmed}
	default:
		l.confirmed = append(l.confirmed, r)
	}
	return library.ForgetResult{Documents: l.documents, IDs: []string{"d_1"}, Titles: []string{"A title\nof a stranger"}, DryRun: r.DryRun, Warnings: []string{}}, nil
}

const canElicit = `{"elicitation":{}}`

func initialize(version, capabilities string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":%q,"capabilities":%s,"clientInfo":{"name":"t","version":"1"}}}`, version, capabilities)
}

// Before 2026-07-28 the question is a request of ours, whatever the model confirmed.
func TestForgetAsksThePerson(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		response, want string
		removed        bool
	}{
		"agreed":    {`"result":{"action":"accept","content":{}}`, "Forgot 12 documents", true},
		"declined":  {`"result":{"action":"decline"}`, "did not agree", false},
		"dismissed": {`"result":{"action":"cancel"}`, "did not agree", false},
		"nonsense":  {`"result":{"action":7}`, "did not agree", false},
		"refused":   {`"error":{"code":-32601,"message":"no forms here"}`, "did not agree", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				memory := &large{documents: 12}
				s := open(t, testHandler(world{forget: memory.forget}, io.Discard))
				exchange(t.Context(), s, initialize("2025-11-25", canElicit))
				sent := start(t, s, callTool(1, "forget", `{"source":"note","confirm":true}`))
				var asked struct {
					ID     json.RawMessage `json:"id"`
					Method string          `json:"method"`
					Params struct {
						Message string `json:"message"`
					} `json:"params"`
				}
				if err := json.Unmarshal([]byte(<-sent), &asked); err != nil || asked.Method != "elicitation/create" || !strings.Contains(asked.Params.Message, "12 documents") || !strings.Contains(asked.Params.Message, "\n- A title of a stranger") {
					t.Fatalf("asked %+v, %v", asked, err)
				}
				if len(memory.confirmed) > 0 {
					t.Fatal("removed before the person was asked")
				}
				for _, id := range []string{`"ask-99"`, `7`, string(asked.ID), string(asked.ID)} { // strangers, the answer, and once more
					s.Accept(t.Context(), []byte(fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,%s}`, id, tt.response)))
				}
				if got := decode(t, <-sent).text(); !strings.Contains(got, tt.want) || (len(memory.confirmed) == 1) != tt.removed {
					t.Errorf("%q, removed %v; want %q", got, memory.confirmed, tt.want)
				}
			})
		})
	}
}

func TestACancelledCallAsksNoLonger(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		memory := &large{documents: 12}
		s := open(t, testHandler(world{forget: memory.forget}, io.Discard))
		exchange(t.Context(), s, initialize("2025-06-18", canElicit))
		sent := start(t, s, callTool(1, "forget", `{"source":"note"}`))
		<-sent
		s.Accept(t.Context(), []byte(cancelCall("1")))
		if rest, open := <-sent; open {
			t.Errorf("after the cancellation: %s", rest)
		}
		s.Accept(t.Context(), []byte(`{"jsonrpc":"2.0","id":"ask-1","result":{"action":"accept"}}`))
		if len(memory.confirmed) > 0 || len(s.client.expected) > 0 {
			t.Errorf("removed %v, %d responses are awaited", memory.confirmed, len(s.client.expected))
		}
	})
}

// modernForget is a call of the revision 2026-07-28; more is added to its params.
func modernForget(capabilities, more string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"forget","arguments":{"source":"note"}%s,"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":%s}}}`, more, capabilities)
}

// In 2026-07-28 the result is the question, and the client calls again with the answer. An
// answer to another question does not count.
func TestForgetAsksByItsResult(t *testing.T) {
	t.Parallel()
	memory := &large{documents: 12}
	s := open(t, testHandler(world{forget: memory.forget}, io.Discard))
	ask := func(more string) (state, text string) {
		t.Helper()
		sent := exchange(t.Context(), s, modernForget(canElicit, more))
		var got struct {
			Result struct {
				Type     string         `json:"resultType"`
				State    string         `json:"requestState"`
				Requests map[string]any `json:"inputRequests"`
			} `json:"result"`
		}
		if err := json.Unmarshal([]byte(sent[0]), &got); err != nil || len(sent) != 1 {
			t.Fatalf("%q: %v", sent, err)
		}
		if asks := got.Result.Type == "input_required"; asks != (len(got.Result.Requests) == 1 && got.Result.State != "") {
			t.Errorf("result %s", sent[0])
		}
		return got.Result.State, decode(t, sent[0]).text()
	}
	answered := func(state string) string {
		return fmt.Sprintf(`,"inputResponses":{"consent":{"action":"accept","content":{}}},"requestState":%q`, state)
	}
	state, _ := ask("")
	memory.documents = 500
	other, _ := ask(answered(state))
	if state == "" || other == "" || other == state || len(memory.confirmed) > 0 {
		t.Fatalf("asked %q, then %q; removed %v", state, other, memory.confirmed)
	}
	if _, text := ask(answered(other)); !strings.Contains(text, "Forgot 500 documents") || len(memory.confirmed) != 1 {
		t.Errorf("agreed: %q, removed %v", text, memory.confirmed)
	}
}

// A client that cannot ask confirms by the argument.
func TestForgetIsConfirmedByArgument(t *testing.T) {
	t.Parallel()
	for _, capabilities := range []string{`{}`, `{"elicitation":{"url":{}}}`} {
		memory := &large{documents: 12}
		s := open(t, testHandler(world{forget: memory.forget}, io.Discard))
		exchange(t.Context(), s, initialize("2025-11-25", capabilities))
		sent := exchange(t.Context(), s, callTool(1, "forget", `{"source":"note"}`))
		if m := decode(t, sent[0]); !m.Result.IsError || !strings.Contains(m.text(), "confirm it") {
			t.Errorf("%s: %s", capabilities, sent[0])
		}
		if sent = exchange(t.Context(), s, modernForget(capabilities, "")); !strings.Contains(sent[0], "confirm it") {
			t.Errorf("%s in 2026-07-28: %s", capabilities, sent[0])
		}
		if exchange(t.Context(), s, callTool(2, "forget", `{"source":"note","confirm":true}`)); len(memory.confirmed) != 1 {
			t.Errorf("%s: removed %v", capabilities, memory.confirmed)
		}
	}
}
