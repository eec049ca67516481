package tools

import (
	"context"
	"errors"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/research"
)

// ResearchIn holds the arguments of research. A nil pointer is an argument that
// was left out.
type ResearchIn struct {
	Question      string   `json:"question,omitempty" jsonschema:"The question in full"`
	RunID         string   `json:"run_id,omitempty" jsonschema:"Of a call that ended too early (r_…), for its answer"`
	Session       string   `json:"session,omitempty" jsonschema:"From an earlier result (s_…), to ask further"`
	Sources       []string `json:"sources,omitempty" jsonschema:"Only these; default: those that fit"`
	Depth         string   `json:"depth,omitempty" jsonschema:"How much is read; default standard"`
	BudgetSeconds *int     `json:"budget_seconds,omitempty" jsonschema:"Seconds, 1 to 600, default %d; an answer comes by then"`
	MaxTokens     *int     `json:"max_tokens,omitempty" jsonschema:"Of the result, 200 to 50000, default 4000"`
	Language      string   `json:"language,omitempty" jsonschema:"Of the answer, such as en"`
}

func researchTool(d Deps) Definition {
	return withSources(define(d,
		Definition{
			Name:      "research",
			Title:     "Research a question",
			Search:    "web search, facts, papers, docs, citations",
			MostChars: mostChars,
			Example:   `{"question":"How does Go schedule goroutines?"}`,
			// Read-only as clients mean it: nothing of the user's world changes. The session
			// and what was read are kept in the memory.
			Hints:  Hints{ReadOnly: true, OpenWorld: true},
			Slow:   true,
			Queues: true,
			OneOf:  []string{"question", "run_id"},
			args: input[ResearchIn](
				textOf("question", 1, research.MaxQuestion), textOf("run_id", 1, maxID), textOf("session", 1, maxID), listOf("sources", maxSources, maxName),
				oneOf("depth", research.DepthQuick, research.DepthStandard, research.DepthDeep), byDefault("depth", research.DepthStandard),
				d.budget(), tokens(), textOf("language", 2, 35),
			),
			OutputSchema: output[ResearchOut](d.Structured,
				require("", "notice", "session", "status", "answer", "citations", "sources"),
				oneOf("status", evidence.Answered, evidence.Partial, evidence.Insufficient, evidence.Pending),
				describeField("answer", "Markdown with [n] marks, between fences"),
				describeField("claims", "Only those that are not supported"),
				oneOf("claims[].verdict", evidence.Weak, evidence.Unsupported),
				describeField("citations[].quote", "Verbatim bytes start..end of the document's text, between fences"),
				opaque("evidence[]"), opaque("analysis"), opaque("timing"),
				opaque("sources[]"), opaque("not_asked[]"),
			),
		},
		func(ctx context.Context, in ResearchIn, observe Observe) (evidence.Answer, error) {
			req := in.request()
			if in.BudgetSeconds == nil {
				req.Budget = d.defaultBudget(ctx)
			}
			a, err := d.Engine.Ask(ctx, req, observe)
			var pending *research.Pending
			if errors.As(err, &pending) { // no failure: the next step leads to the answer
				return evidence.Answer{Question: in.Question, RunID: pending.Run, Status: evidence.Pending}, nil
			}
			return a, err
		},
		func(in ResearchIn, a evidence.Answer) (string, any) {
			f := shrinkAnswer(a, d.limit(in.MaxTokens), d.Zone, d.Boundary)
			return f.text(), framed{f.word, f.json()}
		},
	), d.Sources)
}

func (in ResearchIn) request() research.Request {
	return research.Request{
		Question:  in.Question,
		Run:       in.RunID,
		Session:   in.Session,
		Sources:   in.Sources,
		Depth:     in.Depth,
		Budget:    seconds(in.BudgetSeconds),
		MaxTokens: orDefault(in.MaxTokens, research.DefaultMaxTokens),
		Language:  in.Language,
	}
}
