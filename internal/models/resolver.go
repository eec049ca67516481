package models

import (
	"context"

	"github.com/research-mcp/research-mcp/internal/evidence"
)

// Resolver completes questions from the conversation in which they are asked. It is
// safe for concurrent use.
type Resolver interface {
	// Resolve returns the question as it would be asked outside of the session, such
	// as "When was Unix created?" for "When?". It ends with ctx's error when ctx ends
	// first.
	Resolve(ctx context.Context, question string, s evidence.Session) (Resolved, error)
}

// Resolved is a question that depends on nothing before it.
type Resolved struct {
	Question string
	FollowUp bool // it was taken from the conversation in part
	More     bool // it asks for what has not been said yet about the last question
	Unbound  bool // it depends on an earlier question, and the session has none
}

// Divider finds the questions that a question is made of. It is safe for concurrent use.
type Divider interface {
	// Parts returns two to most questions, each of which stands alone, or nil if the
	// question asks for one thing. It ends with ctx's error when ctx ends first.
	Parts(ctx context.Context, question string, most int) ([]string, error)
}
