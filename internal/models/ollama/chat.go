package ollama

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/ollama/ollama/api"

	"github.com/research-mcp/research-mcp/internal/limit"
	"github.com/research-mcp/research-mcp/internal/models/prompt"
)

const (
	// seed makes the same prompt give the same answer, as far as the server's
	// arithmetic allows.
	seed = 20
	// smallestWindow and largestWindow bound num_ctx. Each change of it makes
	// the server load the model anew, so a window grows in powers of two and
	// never shrinks.
	smallestWindow = 4096
	largestWindow  = 65536
	// UnknownContext is taken for a model that does not tell its context length.
	UnknownContext = 4096
	maxText        = 256 << 10 // of an answer, bytes
	// thinkingRoom is what a model may think aloud, in tokens, when it cannot be
	// told not to.
	thinkingRoom = 2048
)

// ChatRequest is a prompt.
type ChatRequest struct {
	Model        ModelInfo
	Messages     []prompt.Message
	PromptTokens int             // estimated, generously: see EstimatePrompt
	MaxTokens    int             // of the answer
	Format       json.RawMessage // a JSON schema that the answer has to keep, or nil
}

// ChatResult is what the model wrote.
type ChatResult struct {
	Text         string
	PromptTokens int  // as the server counted, 0: it did not say
	Window       int  // num_ctx that was asked for
	Cut          bool // the answer reached MaxTokens or the window's end
	Truncated    bool // the server cut the prompt, though it was told not to
}

// Chat has the model answer. onText, when not nil, gets each piece of the answer
// as it comes. There is no limit on the total time but ctx: a model that writes
// slowly may, one that falls silent may not. When it fails after a part of the
// answer was written, the result holds that part beside the error. A prompt that
// does not fit is an error with ErrTooLong in its chain, never cut in silence.
func (c *Client) Chat(ctx context.Context, req ChatRequest, onText func(string)) (ChatResult, error) {
	if err := ctx.Err(); err != nil {
		return ChatResult{}, c.problem(ctx, req.Model.Name, err)
	}
	begun := time.Now()
	window := c.Window(req.Model, req.PromptTokens+req.MaxTokens)
	bounded, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	bounded = limit.WithPause(bounded, func() { cancel(errSilent) })
	watch := watchSilence(bounded, cancel, c.cfg.Patience, c.cfg.Silence)
	defer watch.stop()

	var out strings.Builder
	var last api.ChatResponse
	visible := thoughtFilter{}
	err := c.api.Chat(bounded, c.chatRequest(req, window), func(r api.ChatResponse) error {
		last = r
		if s := visible.add(r.Message.Content); s != "" {
			out.WriteString(s)
			if onText != nil {
				onText(s)
			}
		}
		watch.heard()
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
	case errors.Is(context.Cause(bounded), errSilent):
		err = errSilent
	case err == nil && !last.Done:
		err = errCut // the api package says nothing of a stream that ends early
	}
	if err != nil {
		if out.Len() == 0 && ctx.Err() != nil {
			c.setPace(req.Model.Name, float64(req.PromptTokens)/2/time.Since(begun).Seconds())
		}
		return res, c.problem(ctx, req.Model.Name, err)
	}
	if last.PromptEvalCount >= leastMeasured && last.PromptEvalDuration > 0 {
		c.setPace(req.Model.Name, float64(last.PromptEvalCount)/last.PromptEvalDuration.Seconds())
	}
	c.works(req.Model.Name)
	return res, nil
}

// silenceWatch cancels a call that says nothing for too long. A replay has no
// clock: the recording says when a call was cancelled.
type silenceWatch struct {
	timer *time.Timer // nil: no clock
	pause time.Duration
}

func watchSilence(ctx context.Context, cancel context.CancelCauseFunc, first, pause time.Duration) silenceWatch {
	if limit.ClockIsOff(ctx) {
		return silenceWatch{}
	}
	return silenceWatch{timer: time.AfterFunc(first, func() { cancel(errSilent) }), pause: pause}
}

// heard restarts the timer; with a pause of 0 there is no further limit.
func (w silenceWatch) heard() {
	switch {
	case w.timer == nil:
	case w.pause > 0:
		w.timer.Reset(w.pause)
	default:
		w.timer.Stop()
	}
}

func (w silenceWatch) stop() {
	if w.timer != nil {
		w.timer.Stop()
	}
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
		// Some models think all the same; that must not eat the answer's room.
		out.Options["num_predict"] = req.MaxTokens + thinkingRoom
	}
	for _, m := range req.Messages {
		out.Messages = append(out.Messages, api.Message{Role: m.Role, Content: m.Content})
	}
	return out
}

const (
	// leastMeasured is the shortest prompt that tells the pace: of a shorter one,
	// or one that was cached, most of the time is something else.
	leastMeasured = 100
	// unknownPace is that of a small model on an old machine without a GPU. The
	// first prompt is made for it; the second knows better.
	unknownPace = 80.0
)

func (c *Client) setPace(model string, tokensPerSecond float64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.paces[model] = tokensPerSecond
}

// Readable is how many tokens of a prompt the model reads within d, as the last
// prompt showed. A machine without a GPU reads a long prompt for a minute before
// it writes the first word.
func (c *Client) Readable(m ModelInfo, d time.Duration) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	pace, ok := c.paces[m.Name]
	if !ok {
		pace = unknownPace
	}
	tokens := int(pace * d.Seconds())
	if c.cfg.Hooks != nil {
		tokens = c.cfg.Hooks.Readable(tokens)
	}
	return tokens
}

// Room is how many tokens of prompt and answer a model can take at most.
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

// Window is the num_ctx for a need of so many tokens.
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

// Preload has the server load a model while something else is still going on:
// it would break off the loading if a call with a tight limit asked for it.
func (c *Client) Preload(ctx context.Context, m ModelInfo) error {
	req := c.chatRequest(ChatRequest{Model: m}, c.Window(m, 0))
	if err := c.api.Chat(ctx, req, func(api.ChatResponse) error { return nil }); err != nil || ctx.Err() != nil {
		return c.problem(ctx, m.Name, errors.Join(err, ctx.Err()))
	}
	return nil
}

// EstimatePrompt says how many tokens s is at most for the usual models: three
// letters of the Latin alphabet to a token, one of any other. The true number
// is nearer to four; too high an estimate costs memory, too low a one the
// question.
func EstimatePrompt(s string) int {
	thirds := 0
	for _, r := range s {
		if r < 0x250 {
			thirds++
		} else {
			thirds += 3
		}
	}
	return thirds/3 + 1
}
