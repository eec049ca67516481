package contract

import (
	"context"
	"time"
)

// BusKept is how long a message waits for the process that it is for.
const BusKept = time.Minute

// Box is where messages for a session wait: its tenant, its owner and its id name it.
// Nobody finds a box without all three.
type Box struct{ Tenant, Owner, Session string }

// Bus joins the processes that use a server, on whatever machines, for all tenants in its
// database: it passes on short messages, and says when something was stored. It is safe for
// concurrent use, and outlives the loss of the server.
type Bus interface {
	// Pass leaves a message in a box. It is durable when Pass returns, and waits for BusKept.
	// A message that is too long, and one that is too many for its owner or tenant, is an
	// error; one that is too many for its box is left out.
	Pass(ctx context.Context, to Box, message []byte) error
	// Follow calls accept with the messages of a box, those that came first before others,
	// and again with those that it has not accepted, until stop is called. It returns at
	// once, stop when accept no longer runs. Who only waits for what may never come is idle,
	// and may be told later.
	Follow(of Box, idle bool, accept func(message []byte) bool) (stop func())
	// Changed returns a channel that is closed when something may have been stored for a
	// tenant. It may never be closed: callers poll as well.
	Changed(tenant string) <-chan struct{}
	// Sweep removes the messages that nobody took, of the tenants that were passed any.
	Sweep(ctx context.Context) error
	// Close ends what it does in the background, and waits for it. Nothing follows any more.
	Close() error
}
