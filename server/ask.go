package server

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"

	"github.com/mark3labs/mcp-go/mcp"
	mcpserver "github.com/mark3labs/mcp-go/server"

	"github.com/research-mcp/research-mcp/tools"
)

// errAsked ends a call whose person has to be asked first. The call is made again with the
// answer: by the client itself in the revision 2026-07-28, by mcp-go in earlier ones, where
// it sends the question as a request of ours.
var errAsked = errors.New("the person is asked")

// consent names our question in the answers of the client.
const consent = "consent"

// asking is the question of one call to its person.
type asking struct {
	answers  mcp.InputResponses
	state    string // the digest of the question that they answer
	question string // to be asked; ""
}

// ask implements tools.Ask. An answer to another question, as when the memory has changed
// meanwhile, does not count.
func (a *asking) ask(_ context.Context, question string) (bool, error) {
	if answer := mcpserver.ElicitationResponse(a.answers, consent); answer != nil && a.state == digest(question) {
		return answer.Action == mcp.ElicitationResponseActionAccept, nil
	}
	a.question = question
	return false, errAsked
}

// result is what a call that ended with errAsked returns. Its form has no fields: to accept
// it is to agree.
func (a *asking) result() *mcp.CallToolResult {
	return mcpserver.NewInputRequestBuilder(digest(a.question)).Elicit(consent, mcp.ElicitationParams{
		Message:         a.question,
		RequestedSchema: map[string]any{"type": "object", "properties": map[string]any{}},
	}).ToolResult()
}

func digest(question string) string {
	sum := sha256.Sum256([]byte(question))
	return hex.EncodeToString(sum[:])
}

// withAsk returns a context in which the tool can ask the person, if the client can.
func withAsk(ctx context.Context, req mcp.CallToolRequest) (context.Context, *asking) {
	a := &asking{answers: req.Params.InputResponses, state: req.Params.RequestState}
	if !canAsk(ctx) {
		return ctx, a
	}
	return tools.WithAsk(ctx, a.ask), a
}

// canAsk reports whether the client shows forms to its person: it says so in the handshake,
// or in each request of the newest revision.
func canAsk(ctx context.Context) bool {
	client, ok := mcpserver.ClientSessionFromContext(ctx).(requestClient)
	if !ok {
		return false
	}
	can := client.GetClientCapabilities().Elicitation
	if info := mcpserver.RequestProtocolInfoFromContext(ctx); info != nil && info.Modern {
		can = nil
		if info.ClientCapabilities != nil {
			can = info.ClientCapabilities.Elicitation
		}
	}
	return can != nil && (can.Form != nil || can.URL == nil)
}

// RequestElicitation implements mcpserver.SessionWithElicitation: it sends a request of ours
// and waits for the client's response, which Session.Accept passes on. A client that answers
// with an error has asked nobody.
func (c requestClient) RequestElicitation(ctx context.Context, request mcp.ElicitationRequest) (*mcp.ElicitationResult, error) {
	id, response := c.expect()
	defer c.forgetResponse(id)
	message, err := Encode(map[string]any{"jsonrpc": mcp.JSONRPC_VERSION, "id": id, "method": mcp.MethodElicitationCreate, "params": request.Params})
	if err != nil {
		return nil, err
	}
	c.send(message)
	select {
	case raw := <-response:
		out := &mcp.ElicitationResult{}
		if len(raw) == 0 || json.Unmarshal(raw, out) != nil {
			out.Action = mcp.ElicitationResponseActionCancel
		}
		return out, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// expect registers a request of ours: its id, and where the result of its response arrives,
// which is empty for an error.
func (c *client) expect() (id string, result <-chan json.RawMessage) {
	c.mu.Lock()
	defer c.mu.Unlock()
	id = "ask-" + rand.Text() // no other replica that serves the session asks by the same one
	arrives := make(chan json.RawMessage, 1)
	c.expected[id] = arrives
	return id, arrives
}

func (c *client) forgetResponse(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.expected, id)
}

// expects reports whether the response to a request of ours is awaited.
func (c *client) expects(raw json.RawMessage) bool {
	var id string
	if json.Unmarshal(raw, &id) != nil {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.expected[id] != nil
}

// respond takes a response of the client. One that nobody expects is ignored.
func (c *client) respond(env envelope) {
	var id string
	if json.Unmarshal(env.ID, &id) != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if arrives := c.expected[id]; arrives != nil {
		delete(c.expected, id) // a second response to it finds nothing
		arrives <- env.Result
	}
}
