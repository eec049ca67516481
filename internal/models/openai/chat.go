package openai

import (
	"context"
	"errors"
	"io"
	"maps"
	"math"
	"strings"
	"time"

	api "github.com/sashabaranov/go-openai"

	"github.com/research-mcp/research-mcp/internal/limit"
	"github.com/research-mcp/research-mcp/internal/models/pace"
	"github.com/research-mcp/research-mcp/internal/models/prompt"
	"github.com/research-mcp/research-mcp/internal/models/wire"
	"github.com/research-mcp/research-mcp/internal/models/writer"
)

// chatModel is a chat model of the server; see writer.Chat.
type chatModel struct {
	client *client
	model  string
}

func (m chatModel) Name() string                      { return "openai/" + m.model }
func (m chatModel) Room(context.Context) (int, error) { return m.client.set.Context, nil }
func (m chatModel) Tell() bool                        { return m.client.meter.Tell(m.client.speedKey(m.model)) }
func (m chatModel) Speed(ctx context.Context) (pace.Speed, error) {
	return m.client.meter.Speed(ctx, m.client.speedKey(m.model))
}

func (m chatModel) Chat(ctx context.Context, req writer.Request, onText func(string)) (writer.Result, error) {
	res, speed, err := m.client.chat(ctx, m.model, req, onText)
	if req.PromptTokens >= leastMeasured {
		m.client.meter.Adjust(m.client.speedKey(m.model), speed)
	}
	return res, err
}

const (
	maxText = 256 << 10 // of an answer, bytes
	seed    = 20        // makes answers reproducible where the server takes it
	// leastMeasured is the shortest prompt, in estimated tokens, whose speed counts.
	leastMeasured = 100
)

// Parameters that not every server takes. One that is refused is left out from then on.
const (
	maxTokens     = "max_tokens" // older servers know only this, newer models of OpenAI only maxCompletion
	temperature   = "temperature"
	seedParameter = "seed"
	streamOptions = "stream_options"
	format        = "response_format"
)

// chat lets a model answer; see writer.Chat. It also returns the speed of the answer,
// by the clock.
func (c *client) chat(ctx context.Context, model string, req writer.Request, onText func(string)) (writer.Result, pace.Speed, error) {
	if err := ctx.Err(); err != nil {
		return writer.Result{}, pace.Speed{}, c.problem(ctx, model, err)
	}
	for {
		a := answer{model: model, prompt: writer.Likely(req.PromptTokens), timing: pace.Begin(), onText: onText}
		sent, without := c.request(model, req)
		err := c.stream(ctx, sent, &a)
		if err != nil && a.out.Len() == 0 && ctx.Err() == nil && c.refuses(err, without) {
			continue // without the parameter that it does not take
		}
		if err != nil {
			return a.result(), a.speed(), c.problem(ctx, model, err)
		}
		c.works(model)
		return a.result(), a.speed(), nil
	}
}

// request returns the request for a prompt, and the parameters that it is without,
// because they were refused.
func (c *client) request(model string, req writer.Request) (api.ChatCompletionRequest, map[string]bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := api.ChatCompletionRequest{Model: model, Stream: true}
	for _, m := range req.Messages {
		out.Messages = append(out.Messages, api.ChatCompletionMessage{Role: m.Role, Content: m.Content})
	}
	if c.refused[maxTokens] {
		out.MaxCompletionTokens = req.MaxTokens
	} else {
		out.MaxTokens = req.MaxTokens //nolint:staticcheck // most servers know only this
	}
	if !c.refused[temperature] {
		out.Temperature = math.SmallestNonzeroFloat32 // the library leaves out a zero
	}
	if !c.refused[seedParameter] {
		n := seed
		out.Seed = &n
	}
	if !c.refused[streamOptions] {
		out.StreamOptions = &api.StreamOptions{IncludeUsage: true}
	}
	if req.Format != nil && !c.refused[format] {
		out.ResponseFormat = &api.ChatCompletionResponseFormat{Type: api.ChatCompletionResponseFormatTypeJSONSchema,
			JSONSchema: &api.ChatCompletionResponseFormatJSONSchema{Name: "answer", Schema: req.Format}}
	}
	return out, maps.Clone(c.refused)
}

// refuses reports whether the server, or the library, which knows some models, refused
// a parameter that can be left out, and that the request was not without. Another request
// may have been refused it meanwhile.
func (c *client) refuses(err error, without map[string]bool) bool {
	code, message := status(err)
	message = strings.ToLower(message)
	fixed := errors.Is(err, api.ErrReasoningModelLimitationsOther) // temperature has one value
	tokens := errors.Is(err, api.ErrReasoningModelMaxTokensDeprecated) || code == 400 && strings.Contains(message, "max_completion_tokens")
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, parameter := range []string{maxTokens, temperature, seedParameter, streamOptions, format} {
		refused := (code == 400 || code == 422) && strings.Contains(message, parameter)
		switch parameter {
		case maxTokens:
			refused = tokens
		case temperature:
			refused = refused || fixed
		}
		if refused && !without[parameter] {
			c.refused[parameter] = true
			return true
		}
	}
	return false
}

// answer is what has arrived of an answer.
type answer struct {
	model   string
	out     strings.Builder
	visible writer.ThoughtFilter
	timing  pace.Stopwatch
	onText  func(string)
	reason  api.FinishReason
	prompt  int // tokens, estimated or counted by the server
	written int // tokens, if the server counts them
}

func (a *answer) result() writer.Result {
	return writer.Result{Text: a.out.String(), Cut: a.reason == api.FinishReasonLength}
}

func (a *answer) speed() pace.Speed { return a.timing.Speed(a.prompt, a.written) }

// add takes a part of the stream.
func (a *answer) add(part api.ChatCompletionStreamResponse) error {
	if part.Usage != nil && part.Usage.PromptTokens > 0 {
		a.prompt, a.written = part.Usage.PromptTokens, part.Usage.CompletionTokens
	}
	if len(part.Choices) == 0 {
		return nil // the last event has the usage alone
	}
	choice := part.Choices[0]
	if choice.FinishReason != "" {
		a.reason = choice.FinishReason
	}
	if choice.Delta.Content == "" && choice.Delta.ReasoningContent == "" {
		return nil
	}
	a.timing.Heard()
	if s := a.visible.Add(choice.Delta.Content); s != "" {
		a.out.WriteString(s)
		if a.onText != nil {
			a.onText(s)
		}
	}
	if a.out.Len() > maxText {
		return errors.New("it does not stop writing")
	}
	return nil
}

// stream sends a request and reads the answer. An end without a reason is an error.
func (c *client) stream(ctx context.Context, req api.ChatCompletionRequest, a *answer) error {
	bounded, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	bounded = limit.WithPause(bounded, func() { cancel(wire.ErrSilent) })
	watch := wire.NewWatch(bounded, cancel, patience, silence)
	defer watch.Stop()
	err := c.read(bounded, req, a, watch)
	if errors.Is(context.Cause(bounded), wire.ErrSilent) {
		return wire.ErrSilent
	}
	return err
}

func (c *client) read(ctx context.Context, req api.ChatCompletionRequest, a *answer, watch wire.Watch) error {
	s, err := c.api.CreateChatCompletionStream(ctx, req)
	if err != nil {
		return err
	}
	defer s.Close()
	for {
		part, err := s.Recv()
		switch {
		case errors.Is(err, io.EOF) && a.reason == "":
			return errCut
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		watch.Heard()
		if err := a.add(part); err != nil {
			return err
		}
	}
}

// speedKey names a model in the book of speeds.
func (c *client) speedKey(model string) string { return "openai/" + model + " at " + c.base }

// measureLimit bounds a measurement; the server may have to load the model first.
const measureLimit = 10 * time.Second

// startMeasuring measures the speed of a model in the background if it is not known.
func (c *client) startMeasuring(model string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return
	}
	c.meter.Start(c.speedKey(model), func(ctx context.Context) (pace.Speed, bool) {
		bounded, cancel := context.WithTimeout(ctx, measureLimit)
		defer cancel()
		messages := prompt.Measure()
		_, s, err := c.chat(bounded, model, writer.Request{Messages: messages, PromptTokens: writer.Estimate(messages), MaxTokens: 16}, nil)
		return s, err == nil || ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded)
	})
}
