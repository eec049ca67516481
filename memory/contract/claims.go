package contract

import (
	"context"
	"time"
)

// ClaimKept is how long after its beginning a claim is known whose process has ended.
const ClaimKept = time.Hour

// RunClaimer keeps which runs are being worked on, so that other processes of the memory
// can wait for their answers, and work on those whose process has ended.
type RunClaimer interface {
	// ClaimRun stores that this memory, as it was opened, works on run.ID. The claim ends
	// with ReleaseRun, with the Append of the answer, with Close, and, within 30 s, with the
	// process; what is stored of it stays after the last two. It reports false, and changes
	// nothing, if somebody else has the claim or the answer is stored. An ended claim is
	// replaced. Alive is ignored.
	ClaimRun(ctx context.Context, run ClaimedRun) (bool, error)
	// ReleaseRun ends a claim and removes what is stored of it, unless somebody else has it.
	// An id without a claim is no error.
	ReleaseRun(ctx context.Context, id string) error
	// ClaimedRuns returns the claims of every process, the oldest first, without those that
	// began more than ClaimKept ago and ended without an answer; these are removed. It is
	// never nil. Forget removes the claims of a session that it removes, and those whose
	// question quotes a removed document; who works on them goes on.
	ClaimedRuns(ctx context.Context) ([]ClaimedRun, error)
}

// ClaimedRun is a question that is being worked on.
type ClaimedRun struct {
	ID       string
	Session  string // "": a new one
	Question string
	Request  []byte // JSON of the whole request, for the caller alone
	Begun    time.Time
	Alive    bool // it is worked on now
}
