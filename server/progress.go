package server

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	mcpserver "github.com/mark3labs/mcp-go/server"

	"github.com/research-mcp/research-mcp/internal/text"
	"github.com/research-mcp/research-mcp/tools"
)

const (
	// heartbeat is the longest silence. Some clients restart their time-out with
	// every notification.
	heartbeat = 8 * time.Second
	// messageLimit is in bytes; clients cut longer messages.
	messageLimit = 200
	// stages is about how many reports follow the sources' reports; it is added
	// to the total.
	stages = 4
)

// notifier delivers a request's notifications in order, without loss, and before
// its response.
type notifier interface {
	notify(method string, params map[string]any)
}

// progress reports one call's events to its client. Its methods are safe for
// concurrent use; after stop nothing is sent.
type progress struct {
	token   any
	send    func(params map[string]any)
	stopped chan struct{}
	beats   sync.WaitGroup

	mu    sync.Mutex
	done  bool
	n     int // reports so far: progress always grows
	total int
}

// startProgress returns the progress of a call. It sends nothing unless the
// client asked for progress with a token.
func startProgress(ctx context.Context, d tools.Definition, req mcp.CallToolRequest) *progress {
	p := &progress{stopped: make(chan struct{})}
	meta := req.Params.Meta
	to, ok := mcpserver.ClientSessionFromContext(ctx).(notifier)
	if !ok || meta == nil || meta.ProgressToken == nil {
		p.done = true
		return p
	}
	p.token = meta.ProgressToken
	p.send = func(params map[string]any) {
		if ctx.Err() == nil { // nothing follows a cancellation
			to.notify("notifications/progress", params)
		}
	}
	if d.Slow {
		p.beats.Go(p.beat)
	}
	return p
}

// observe reports ev if tools.Describe has a text for it.
func (p *progress) observe(ev tools.Event) {
	if ev.Total > 0 {
		p.expect(ev.Total + stages)
	}
	if line := tools.Describe(ev); line != "" {
		p.report(line)
	}
}

func (p *progress) expect(total int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.total = max(p.total, total)
}

// report sends one notification. It holds the lock while sending, so that the
// numbers arrive in order.
func (p *progress) report(message string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.done {
		return
	}
	p.n++
	message, _ = text.Cut(message, messageLimit)
	params := map[string]any{"progressToken": p.token, "progress": p.n, "message": message}
	if p.total > 0 {
		p.total = max(p.total, p.n)
		params["total"] = p.total
	}
	p.send(params)
}

func (p *progress) beat() {
	start := time.Now()
	tick := time.NewTicker(heartbeat)
	defer tick.Stop()
	for {
		select {
		case <-p.stopped:
			return
		case <-tick.C:
			p.report(fmt.Sprintf("still running after %d s", int(time.Since(start).Seconds())))
		}
	}
}

func (p *progress) stop() {
	p.mu.Lock()
	p.done = true
	p.mu.Unlock()
	close(p.stopped)
	p.beats.Wait()
}
