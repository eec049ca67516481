package evidence

import "errors"

// ErrCallerLeft is the cause of a context that ended because its caller gave up waiting,
// by a time-out of its own: it may still want the result.
var ErrCallerLeft = errors.New("the caller gave up waiting")

// ErrUnconfirmed is the cause of a Problem of a request that removes more than may be
// removed without a confirmation.
var ErrUnconfirmed = errors.New("not confirmed")

// Problem is an error for a person or a model: what is wrong, with the value,
// and what to do next. Its text is safe to show.
type Problem struct {
	What  string `json:"what"`
	Try   string `json:"try"`
	Usage bool   `json:"-"` // the caller's input is at fault: exit code 2
	Cause error  `json:"-"`
}

func (p *Problem) Error() string {
	if p.Try == "" {
		return p.What
	}
	return p.What + "; " + p.Try
}

func (p *Problem) Unwrap() error { return p.Cause }

// BadInput is a Problem that the caller made.
func BadInput(what, try string) *Problem { return &Problem{What: what, Try: try, Usage: true} }

// AsProblem finds the Problem in err's chain, or makes one of err's text.
func AsProblem(err error) *Problem {
	var p *Problem
	if errors.As(err, &p) {
		return p
	}
	return &Problem{What: err.Error(), Cause: err}
}
