package ollama

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/models/prompt"
)

// Writer is the synthesizer, planner and summarizer of one chat model. It has no
// state: one for each question is cheap.
type Writer struct {
	client *Client
	model  ModelInfo
	fence  func() string
}

// NewWriter returns a writer for a model that Probe found. fence returns a word that
// cannot be guessed, a new one for each prompt: it delimits foreign text.
func NewWriter(client *Client, model ModelInfo, fence func() string) *Writer {
	return &Writer{client: client, model: model, fence: fence}
}

// Name returns "ollama/" and the model's name.
func (w *Writer) Name() string { return "ollama/" + w.model.Name }

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
	if in.MaxTokens <= 0 {
		in.MaxTokens = defaultAnswer
	}
	model, err := w.client.Info(ctx, w.model)
	if err != nil {
		return evidence.Draft{}, err
	}
	in.MaxTokens = max(min(in.MaxTokens, w.client.Room(model)/3), leastAnswer)
	if deadline, ok := ctx.Deadline(); ok {
		in.Evidence = w.inTime(model, in, time.Until(deadline))
	}
	res, used, err := w.ask(ctx, model, in, stream)
	return w.draft(in, res, used, err)
}

// readShare is the share of the remaining time for reading the prompt; the rest is
// for writing.
const readShare = 0.5

// inTime returns the evidence that the model can read in time: the first passages,
// and at least one.
func (w *Writer) inTime(model ModelInfo, in evidence.Brief, left time.Duration) []evidence.Evidence {
	room := w.client.Readable(model, time.Duration(readShare*float64(left)))
	for n, e := range in.Evidence {
		if room -= EstimatePrompt(e.Passage.Text); room < 0 && n > 0 {
			return in.Evidence[:n]
		}
	}
	return in.Evidence
}

// ask sends the prompt. When it was longer than estimated, it is sent once more
// with twice the estimate.
func (w *Writer) ask(ctx context.Context, model ModelInfo, in evidence.Brief, stream func(string)) (ChatResult, []int, error) {
	var res ChatResult
	var used []int
	for _, caution := range []int{1, 2} {
		var req ChatRequest
		req, used = w.fit(model, in, caution)
		if len(used) == 0 {
			return res, nil, &evidence.Problem{
				What: fmt.Sprintf("the context of the Ollama model %s, %d tokens, is too short for the question and one passage", model.Name, w.client.Room(model)),
				Try:  "use a model with a longer context",
			}
		}
		written := false
		var err error
		res, err = w.client.Chat(ctx, req, func(s string) {
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
		What:  fmt.Sprintf("the Ollama model %s takes less than it says it can", model.Name),
		Try:   "use another model",
		Cause: ErrTooLong,
	}
}

// fit returns a prompt with as much of the evidence as there is room for, and the
// indexes of that evidence.
func (w *Writer) fit(model ModelInfo, in evidence.Brief, caution int) (ChatRequest, []int) {
	room := w.client.Room(model) - in.MaxTokens
	used := make([]int, len(in.Evidence))
	for i := range used {
		used[i] = i
	}
	fence := w.fence()
	for len(used) > 0 {
		req := ChatRequest{Model: model, Messages: prompt.Answer(in, used, fence), MaxTokens: in.MaxTokens}
		for _, m := range req.Messages {
			const template = 16 // tokens that the model's template puts around a message
			req.PromptTokens += caution*EstimatePrompt(m.Content) + template
		}
		if req.PromptTokens <= room {
			return req, used
		}
		used = withoutLeast(in.Evidence, used)
	}
	return ChatRequest{}, nil
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
func (w *Writer) draft(in evidence.Brief, res ChatResult, used []int, err error) (evidence.Draft, error) {
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
