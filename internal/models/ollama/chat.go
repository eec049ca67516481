package ollama

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	"github.com/ollama/ollama/api"

	"github.com/research-mcp/research-mcp/internal/limit"
	"github.com/research-mcp/research-mcp/internal/models/pace"
	"github.com/research-mcp/research-mcp/internal/models/prompt"
	"github.com/research-mcp/research-mcp/internal/models/wire"
	"github.com/research-mcp/research-mcp/internal/models/writer"
)

const (
	// seed makes answers reproducible as far as the server's arithmetic allows.
	seed = 20
	// smallestWindow and largestWindow bound num_ctx. The server reloads the model
	// whenever it changes, so a window grows in powers of two and never shrinks.
	smallestWindow = 4096
	largestWindow  = 65536
	// UnknownContext is assumed for a model that does not report its context length.
	UnknownContext = 4096
	maxText        = 256 << 10 // of an answer, bytes
	// thinkingRoom is how many tokens a model may use for thinking where thinking
	// cannot be switched off.
	thinkingRoom = 2048
)

// ChatRequest is a prompt.
type ChatRequest struct {
	Model        ModelInfo
	Messages     []prompt.Message
	PromptTokens int             // an upper estimate: see writer.EstimatePrompt
	MaxTokens    int             // of the answer
	Format       json.RawMessage // a JSON schema for the answer, or nil
}

// ChatResult is what the model wrote.
type ChatResult struct {
	Text         string
	PromptTokens int        // as the server counted; 0: not reported
	Window       int        // the requested num_ctx
	Cut          bool       // the answer reached MaxTokens or the window's end
	Truncated    bool       // the server truncated the prompt despite the request not to
	Speed        pace.Speed // of this answer; 0 where it is not known
}

// Chat lets the model answer. onText, when not nil, receives each part of the
// answer as it arrives. Only ctx limits the total time; Config.Silence limits the
// pauses. When it fails in the middle of an answer, the result holds the part
// before the failure. A prompt that does not fit is an error with ErrTooLong in
// its chain; it is never truncated.
func (c *Client) Chat(ctx context.Context, req ChatRequest, onText func(string)) (ChatResult, error) {
	if err := ctx.Err(); err != nil {
		return ChatResult{}, c.problem(ctx, req.Model.Name, err)
	}
	window := c.Window(req.Model, req.PromptTokens+req.MaxTokens)
	bounded, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	bounded = limit.WithPause(bounded, func() { cancel(wire.ErrSilent) })
	watch := wire.NewWatch(bounded, cancel, c.cfg.Patience, c.cfg.Silence)
	defer watch.Stop()

	var out strings.Builder
	var last api.ChatResponse
	visible := writer.ThoughtFilter{}
	timing := pace.Begin()
	err := c.api.Chat(bounded, c.chatRequest(req, window), func(r api.ChatResponse) error {
		last = r
		if r.Message.Content != "" || r.Message.Thinking != "" {
			timing.Heard()
		}
		if s := visible.Add(r.Message.Content); s != "" {
			out.WriteString(s)
			if onText != nil {
				onText(s)
			}
		}
		watch.Heard()
		if out.Len() > maxText {
			return errors.New("it does not stop writing")
		}
		return nil
	})
	res := ChatResult{
		Text: out.String(), PromptTokens: last.PromptEvalCount, Window: window,
		Cut:       last.DoneReason == "length",
		Truncated: last.PromptEvalCount >= window,
	}
	switch {
	case errors.Is(context.Cause(bounded), wire.ErrSilent):
		err = wire.ErrSilent
	case err == nil && !last.Done:
		err = errCut // the api package does not report a stream that ends early
	}
	res.Speed = speedOf(timing, req.PromptTokens, last)
	if err != nil {
		return res, c.problem(ctx, req.Model.Name, err)
	}
	c.works(req.Model.Name)
	return res, nil
}

func (c *Client) chatRequest(req ChatRequest, window int) *api.ChatRequest {
	no := false
	out := &api.ChatRequest{
		Model:     req.Model.Name,
		Format:    req.Format,
		KeepAlive: &api.Duration{Duration: c.cfg.KeepAlive},
		Truncate:  &no,
		Shift:     &no,
		Options:   map[string]any{"num_ctx": window, "num_predict": req.MaxTokens, "temperature": 0, "seed": seed},
	}
	if req.Model.Thinking {
		out.Think = &api.ThinkValue{Value: false}
		// Some models think nevertheless, and need tokens for it.
		out.Options["num_predict"] = req.MaxTokens + thinkingRoom
	}
	for _, m := range req.Messages {
		out.Messages = append(out.Messages, api.Message{Role: m.Role, Content: m.Content})
	}
	return out
}

// Room returns the most tokens that prompt and answer may have together.
func (c *Client) Room(m ModelInfo) int {
	room := min(m.Context, largestWindow)
	if room <= 0 {
		room = UnknownContext
	}
	if m.Thinking {
		room -= min(thinkingRoom, room/2)
	}
	return room
}

// Window returns the num_ctx for so many tokens.
func (c *Client) Window(m ModelInfo, need int) int {
	if m.Thinking {
		need += thinkingRoom
	}
	w := smallestWindow
	for w < need && w < largestWindow {
		w *= 2
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	w = max(w, c.windows[m.Name])
	c.windows[m.Name] = w
	if m.Context > 0 {
		w = min(w, m.Context)
	}
	return w
}

// Preload makes the server load a model. A call with a short deadline would
// interrupt the loading.
func (c *Client) Preload(ctx context.Context, m ModelInfo) error {
	req := c.chatRequest(ChatRequest{Model: m}, c.Window(m, 0))
	if err := c.api.Chat(ctx, req, func(api.ChatResponse) error { return nil }); err != nil || ctx.Err() != nil {
		return c.problem(ctx, m.Name, errors.Join(err, ctx.Err()))
	}
	return nil
}
