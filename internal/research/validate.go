package research

import (
	"fmt"
	"strings"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/library"
	"github.com/research-mcp/research-mcp/internal/limit"
	"github.com/research-mcp/research-mcp/internal/text"
)

// Bounds of a request.
const (
	MaxQuestion = library.MaxQuery // bytes
	MinBudget   = limit.MinBudget
	MaxBudget   = limit.MaxBudget
)

// DefaultMaxTokens is the size of an answer to a Request that sets none.
const DefaultMaxTokens = 4000

// depth is what a Request's Depth stands for.
type depth struct {
	topics int     // search keywords at most
	limit  int     // documents a source and keyword
	soft   float64 // times the soft budget
	full   bool    // read the linked pages as well
	rounds int     // of searches at most
	parts  bool    // divide the question, and answer each part
}

var depths = map[string]depth{
	DepthQuick:    {topics: 1, limit: 3, soft: 0.6, rounds: 1},
	DepthStandard: {topics: 2, limit: 5, soft: 1, rounds: 2},
	DepthDeep:     {topics: 3, limit: 10, soft: 3, full: true, rounds: 2, parts: true},
}

// CheckBudget refuses a budget that no answer fits into, or no client waits for.
func CheckBudget(d time.Duration) error {
	if d < MinBudget || d > MaxBudget {
		return evidence.BadInput(fmt.Sprintf("a budget of %s is out of range", d),
			fmt.Sprintf("give one from %s to %s, such as 45s", MinBudget, MaxBudget))
	}
	return nil
}

// CheckQuestion refuses a question without visible text, one that is not UTF-8,
// and one that is too long.
func CheckQuestion(q string) error { return library.CheckQuery("question", q) }

// complete fills in defaults and refuses what cannot be done.
func (e *Engine) complete(req Request) (Request, error) {
	if err := CheckQuestion(req.Question); err != nil {
		return req, err
	}
	req.Question, _ = text.Clean(strings.TrimSpace(req.Question))
	if req.Budget == 0 {
		req.Budget = e.cfg.Budget
	}
	if err := CheckBudget(req.Budget); err != nil {
		return req, err
	}
	if req.Depth == "" {
		req.Depth = DepthStandard
	}
	if _, ok := depths[req.Depth]; !ok {
		return req, evidence.BadInput(fmt.Sprintf("there is no depth %q", req.Depth), "choose quick, standard or deep")
	}
	if req.MaxTokens <= 0 {
		req.MaxTokens = DefaultMaxTokens
	}
	if req.Language == "" {
		req.Language = e.cfg.Language
	}
	if err := checkLanguage(req.Language); err != nil {
		return req, err
	}
	_, err := e.named(req.Sources)
	return req, err
}

// checkLanguage refuses what is not a BCP 47 language tag. Sources get its
// primary subtag.
func checkLanguage(tag string) error {
	if text.PrimaryLanguage(tag) != "" {
		return nil
	}
	return evidence.BadInput(fmt.Sprintf("%q is not a language tag", tag), "give one such as en, de or pt-BR")
}
