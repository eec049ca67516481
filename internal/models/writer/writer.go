// Package writer makes the synthesizer, planner and summarizer of a chat model, for
// any server that has one: it fits prompts to the model and to the time, and makes
// drafts of what the model writes.
package writer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/models/pace"
	"github.com/research-mcp/research-mcp/internal/models/prompt"
)

// ErrTooLong is in the chain of the error for a prompt, or a text to embed, that does
// not fit into the model's context.
var ErrTooLong = errors.New("longer than the model's context")

// Request is a prompt.
type Request struct {
	Messages     []prompt.Message
	PromptTokens int             // an upper estimate: see EstimatePrompt
	MaxTokens    int             // of the answer
	Format       json.RawMessage // a JSON schema for the answer, or nil
}

// Result is what a model wrote.
type Result struct {
	Text      string
	Cut       bool // the answer reached MaxTokens or the end of the context
	Truncated bool // the server truncated the prompt
}

// Chat is a chat model of a server. It is safe for concurrent use.
type Chat interface {
	// Name is the provider's name, a slash and the model's.
	Name() string
	// Room returns the most tokens that prompt and answer may have together. It may
	// have to ask the server.
	Room(ctx context.Context) (int, error)
	// Chat lets the model answer. onText, when not nil, receives each part of the
	// answer as it arrives. When it fails in the middle of an answer, the result holds
	// the part before the failure. A prompt that does not fit is an error with
	// ErrTooLong in its chain. Other errors are an *evidence.Problem, or ctx's error if
	// that was cancelled.
	Chat(ctx context.Context, req Request, onText func(string)) (Result, error)
	// Speed returns the model's measured speed. It waits for a measurement that is under
	// way; if ctx ends first, that is the error. Otherwise it is pace.ErrUnknown.
	Speed(ctx context.Context) (pace.Speed, error)
	// Tell reports whether the user still has to be told that the model is too slow;
	// it does so once.
	Tell() bool
}

// Options are what prompts depend on besides the model.
type Options struct {
	// Fence returns a word that cannot be guessed, a new one for each prompt: it
	// delimits foreign text.
	Fence func() string
	// Readable replaces an estimate of tokens that can be read or written in time; nil:
	// the estimate is used.
	Readable func(tokens int) int
}

// Writer is the synthesizer, planner and summarizer of one chat model. It has no
// state: one for each question is cheap.
type Writer struct {
	chat Chat
	opts Options
}

// New returns a writer.
func New(chat Chat, opts Options) *Writer {
	if opts.Readable == nil {
		opts.Readable = func(tokens int) int { return tokens }
	}
	return &Writer{chat: chat, opts: opts}
}

// Name returns the model's name.
func (w *Writer) Name() string { return w.chat.Name() }

const (
	defaultAnswer = 600 // tokens, when the brief sets no limit
	leastAnswer   = 64
)

// Write lets the model answer from the evidence. Where the prompt would be longer
// than the model's context, the evidence with the lowest scores is left out, and
// Draft.Why says so. An answer that ends early, because of a limit, silence or
// ctx's deadline, is a Partial draft of the complete sentences, or an
// *evidence.Problem if there are none. Sentences have only the marks that the model
// wrote.
func (w *Writer) Write(ctx context.Context, in evidence.Brief, stream func(string)) (evidence.Draft, error) {
	if err := ctx.Err(); err != nil {
		return evidence.Draft{}, err
	}
	if len(in.Evidence) == 0 {
		return evidence.Draft{Abstain: true, Why: "there is nothing to answer from"}, nil
	}
	room, err := w.chat.Room(ctx)
	if err != nil {
		return evidence.Draft{}, err
	}
	in.MaxTokens = answerTokens(in, room)
	res, used, err := w.ask(ctx, room, in, stream)
	return w.draft(in, res, used, err)
}

// answerTokens returns the most tokens of the answer.
func answerTokens(in evidence.Brief, room int) int {
	if in.MaxTokens <= 0 {
		in.MaxTokens = defaultAnswer
	}
	return max(min(in.MaxTokens, room/3), leastAnswer)
}

// ask sends the prompt. When it was longer than estimated, it is sent once more
// with twice the estimate.
func (w *Writer) ask(ctx context.Context, room int, in evidence.Brief, stream func(string)) (Result, []int, error) {
	var res Result
	var used []int
	for _, caution := range []int{1, 2} {
		var req Request
		req, used = w.fit(room, in, caution)
		if len(used) == 0 {
			return res, nil, &evidence.Problem{
				What: fmt.Sprintf("the context of %s, %d tokens, is too short for the question and one passage", w.Name(), room),
				Try:  "use a model with a longer context",
			}
		}
		written := false
		var err error
		res, err = w.chat.Chat(ctx, req, func(s string) {
			written = true
			if stream != nil {
				stream(s)
			}
		})
		if !errors.Is(err, ErrTooLong) && (!res.Truncated || written) {
			return res, used, err
		}
	}
	return res, used, &evidence.Problem{
		What:  w.Name() + " takes less than it says it can",
		Try:   "use another model",
		Cause: ErrTooLong,
	}
}

// fit returns a prompt with as much of the evidence as there is room for, and the
// indexes of that evidence.
func (w *Writer) fit(room int, in evidence.Brief, caution int) (Request, []int) {
	used := make([]int, len(in.Evidence))
	for i := range used {
		used[i] = i
	}
	fence := w.opts.Fence()
	for len(used) > 0 {
		req := Request{Messages: prompt.Answer(in, used, fence), MaxTokens: in.MaxTokens}
		req.PromptTokens = caution * Estimate(req.Messages)
		if req.PromptTokens <= room-in.MaxTokens {
			return req, used
		}
		used = withoutLeast(in.Evidence, used)
	}
	return Request{}, nil
}

// withoutLeast returns used without the passage of the lowest score, the last of
// equals.
func withoutLeast(list []evidence.Evidence, used []int) []int {
	least := 0
	for i, n := range used {
		if list[n].Passage.Score <= list[used[least]].Passage.Score {
			least = i
		}
	}
	return append(used[:least:least], used[least+1:]...)
}

// draft parses what the model wrote.
func (w *Writer) draft(in evidence.Brief, res Result, used []int, err error) (evidence.Draft, error) {
	prose := res.Text
	early := err != nil || res.Cut
	if early {
		prose = prompt.WholeSentences(prose)
	}
	d := evidence.Draft{Sentences: prompt.ParseDraft(prose, used)}
	switch {
	case errors.Is(err, context.Canceled):
		return evidence.Draft{}, err // the caller does not want the answer any more
	case err != nil && len(d.Sentences) == 0:
		return evidence.Draft{}, err
	case err != nil:
		d.Partial, d.Why = true, evidence.AsProblem(err).What
	case len(d.Sentences) == 0 && prompt.Abstains(res.Text):
		return evidence.Draft{Abstain: true, Why: w.Name() + " found no answer in the passages"}, nil
	case len(d.Sentences) == 0:
		return evidence.Draft{}, &evidence.Problem{What: w.Name() + " wrote no sentence", Try: "try a larger model"}
	case res.Cut:
		d.Partial, d.Why = true, fmt.Sprintf("%s reached its limit of %d tokens", w.Name(), in.MaxTokens)
	case res.Truncated:
		d.Partial, d.Why = true, w.Name()+" did not read the whole prompt"
	case len(used) < len(in.Evidence):
		d.Why = fmt.Sprintf("%s had room for %d of %d passages", w.Name(), len(used), len(in.Evidence))
	}
	return d, nil
}

// Estimate returns an upper estimate of the tokens of a prompt.
func Estimate(messages []prompt.Message) int {
	const template = 16 // tokens that the model's template puts around a message
	n := 0
	for _, m := range messages {
		n += EstimatePrompt(m.Content) + template
	}
	return n
}

// EstimatePrompt returns an upper estimate of the tokens of s for usual models:
// three Latin letters to a token, or one letter of another script. Nearer to four
// is usual, but too high an estimate costs memory, too low a one the answer.
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

// unmeasured is assumed where the speed of a model is not known and cannot be
// measured: that of a small model on a machine without a GPU.
var unmeasured = pace.Speed{Read: 120, Write: 30}

// inTime is what a model with the speed s can do within d after it has been loaded.
func inTime(s pace.Speed, d time.Duration, tokensPerSecond float64) int {
	return int(max(0, min((d-s.Load).Seconds()*tokensPerSecond, 1e9)))
}
