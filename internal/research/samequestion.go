package research

import (
	"context"
	"fmt"
	"strings"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/text"
	"github.com/research-mcp/research-mcp/memory/contract"
)

// longestShown is how much of a question a refusal quotes, in bytes.
const longestShown = 200

// sameQuestion refuses a request for the answer of a run that has a question of its own:
// its caller would take the answer for that of the question. A run whose question is not
// known is for pickUp to find, or to refuse.
func (e *Engine) sameQuestion(ctx context.Context, req Request) error {
	asked, _ := text.Clean(req.Question)
	if bare(asked) == "" {
		return nil
	}
	of := e.questionOf(ctx, req.Run)
	if of == "" || bare(of) == bare(asked) {
		return nil
	}
	return evidence.BadInput(
		fmt.Sprintf("run %s is of the question %q, and not of %q", req.Run, shown(of), shown(asked)),
		"leave run_id out to ask the question, or ask with the run's question, or with run_id alone, for the run's answer")
}

// bare is a question without what callers change when they repeat it.
func bare(question string) string { return strings.TrimRight(alike(question), " ?.!？。！؟") }

// shown is a question on one line of a message.
func shown(question string) string {
	short, cut := text.Cut(text.Squash(question), longestShown)
	if cut {
		short += "…"
	}
	return short
}

// questionOf returns the question of a run, here or in another process, or "" if there is
// no such run.
func (e *Engine) questionOf(ctx context.Context, run string) string {
	e.runs.mu.Lock()
	id := e.runs.successorOf(run)
	a := e.runs.byID[id]
	held := a != nil && (a.finished.IsZero() || !a.stored) // what is stored may have been forgotten since
	e.runs.mu.Unlock()
	if held {
		return a.question
	}
	if answer, ok, err := e.deps.Sessions.Run(ctx, id); err == nil && ok {
		return answer.Question
	}
	claim, _ := e.claimed(ctx, func(run contract.ClaimedRun) bool { return run.ID == id })
	if claim == nil {
		return ""
	}
	return claim.Question
}
