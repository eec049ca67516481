package ollama

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/ollama/ollama/api"

	"github.com/research-mcp/research-mcp/internal/models/pace"
	"github.com/research-mcp/research-mcp/internal/models/prompt"
	"github.com/research-mcp/research-mcp/internal/models/writer"
)

// chatModel is a chat model of a server; see writer.Chat.
type chatModel struct {
	client *Client
	model  ModelInfo
}

// NewWriter returns a writer for a model that Probe found.
func NewWriter(client *Client, model ModelInfo, fence func() string) *writer.Writer {
	return writer.New(chatModel{client, model}, writer.Options{Fence: fence})
}

func (m chatModel) Name() string { return "ollama/" + m.model.Name }

func (m chatModel) Room(ctx context.Context) (int, error) {
	info, err := m.client.Info(ctx, m.model)
	if err != nil {
		return 0, err
	}
	return m.client.Room(info), nil
}

func (m chatModel) Chat(ctx context.Context, req writer.Request, onText func(string)) (writer.Result, error) {
	info, err := m.client.Info(ctx, m.model)
	if err != nil {
		return writer.Result{}, err
	}
	res, err := m.client.Chat(ctx, ChatRequest{
		Model: info, Messages: req.Messages, PromptTokens: req.PromptTokens, MaxTokens: req.MaxTokens, Format: req.Format,
	}, onText)
	if req.PromptTokens >= leastMeasured {
		m.client.meter.Adjust(m.client.speedKey(m.model), res.Speed)
	}
	return writer.Result{Text: res.Text, Cut: res.Cut, Truncated: res.Truncated}, err
}

func (m chatModel) Speed(ctx context.Context) (pace.Speed, error) {
	return m.client.Speed(ctx, m.model)
}

func (m chatModel) Tell() bool { return m.client.meter.Tell(m.client.speedKey(m.model)) }

// speedKey names a model in the book of speeds.
func (c *Client) speedKey(m ModelInfo) string {
	return "ollama/" + m.Name + "@" + m.Revision() + " at " + c.Host()
}

const (
	// leastMeasured is the shortest prompt, in estimated tokens, whose speed counts:
	// for a shorter one most of the time is overhead.
	leastMeasured = 100
	// measureLimit bounds a measurement after the model has been loaded. A model that
	// needs longer cannot write an answer in time.
	measureLimit = 4 * time.Second
	// measureWindow is a need, in tokens, for which the window is that of most questions:
	// another window would make the server load the model again.
	measureWindow = 6000
	// leastLoad is the shortest time of loading that matters.
	leastLoad = time.Second
)

// Measure starts to measure the speed of a model in the background, unless it is
// known, being measured, or not kept.
func (c *Client) Measure(m ModelInfo) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return
	}
	c.meter.Start(c.speedKey(m), func(ctx context.Context) (pace.Speed, bool) { return c.measure(ctx, m) })
}

// Speed returns the speed of a model; see pace.Meter.Speed. It does not include the
// time of loading a model that is in memory.
func (c *Client) Speed(ctx context.Context, m ModelInfo) (pace.Speed, error) {
	s, err := c.meter.Speed(ctx, c.speedKey(m))
	if err == nil && s.Load >= leastLoad && c.cfg.Hooks == nil && c.inMemory(ctx, m) {
		s.Load = 0
	}
	return s, err
}

// inMemory reports whether the server has loaded the model.
func (c *Client) inMemory(ctx context.Context, m ModelInfo) bool {
	ctx, cancel := context.WithTimeout(ctx, leastPatience)
	defer cancel()
	running, err := c.api.ListRunning(ctx)
	return err == nil && slices.ContainsFunc(running.Models, func(p api.ProcessModelResponse) bool { return shortName(p.Name) == m.Name })
}

// measure loads the model and lets it read and write a little. It reports false if
// it learned nothing.
func (c *Client) measure(ctx context.Context, m ModelInfo) (pace.Speed, bool) {
	info, err := c.Info(ctx, m)
	if err != nil {
		return pace.Speed{}, false
	}
	c.Window(info, measureWindow)
	begun := time.Now()
	err = c.Preload(ctx, info)
	load := time.Since(begun)
	if err != nil {
		// Closed while the model was loading: it is not faster than that.
		return pace.Speed{Read: 1000, Write: 1000, Load: load, Bound: true}, errors.Is(err, context.Canceled) && load >= measureLimit
	}
	bounded, cancel := context.WithTimeout(ctx, measureLimit)
	defer cancel()
	messages := prompt.Measure()
	res, err := c.Chat(bounded, ChatRequest{Model: info, Messages: messages, PromptTokens: writer.Estimate(messages), MaxTokens: 16}, nil)
	s := res.Speed
	s.Load = max(load, s.Load)
	switch {
	case err != nil && ctx.Err() != nil: // the program ends: the model is not faster than this
		return s, s.Bound && time.Since(begun)-load >= measureLimit/2
	case err != nil:
		return s, errors.Is(err, context.DeadlineExceeded) // else it fails, which is not a matter of speed
	}
	return s, true
}

// speedOf returns the speed by the server's own durations, or by the clock where it
// does not give them. prompt is the upper estimate of the prompt's tokens.
func speedOf(w pace.Stopwatch, prompt int, last api.ChatResponse) pace.Speed {
	s := w.Speed(writer.Likely(prompt), 0)
	if last.Done && last.PromptEvalDuration > 0 && last.EvalDuration > 0 {
		s.Read = float64(last.PromptEvalCount) / last.PromptEvalDuration.Seconds()
		s.Write = float64(last.EvalCount) / last.EvalDuration.Seconds()
		s.Bound = false
	}
	s.Load = last.LoadDuration
	return s
}
