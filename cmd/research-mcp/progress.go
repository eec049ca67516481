package main

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/research"
	"github.com/research-mcp/research-mcp/internal/text"
)

// refresh is how often the clock on a terminal is redrawn.
const refresh = 100 * time.Millisecond

// progress shows on stderr how each source answered, on a line each, and on a
// terminal a status line that is redrawn.
type progress struct {
	out    io.Writer
	live   bool
	begun  time.Time
	mu     sync.Mutex
	status string
	ticker *time.Ticker
	stop   chan struct{}
	ended  sync.WaitGroup
}

func newProgress(c *console) *progress {
	p := &progress{out: c.err, live: c.live, begun: time.Now(), stop: make(chan struct{}), status: "planning"}
	if p.live {
		p.ticker = time.NewTicker(refresh)
		p.ended.Go(p.redraw)
	}
	return p
}

func (p *progress) redraw() {
	defer p.ticker.Stop()
	for {
		select {
		case <-p.ticker.C:
			p.mu.Lock()
			p.drawStatus()
			p.mu.Unlock()
		case <-p.stop:
			return
		}
	}
}

// drawStatus redraws the status line. The caller holds mu.
func (p *progress) drawStatus() {
	fmt.Fprintf(p.out, "\r\x1b[K  %4.1f s  %s", time.Since(p.begun).Seconds(), p.status)
}

// line prints a line above the status line. The caller holds mu.
func (p *progress) line(text string) {
	if p.live {
		fmt.Fprint(p.out, "\r\x1b[K")
	}
	fmt.Fprintln(p.out, text)
	if p.live {
		p.drawStatus()
	}
}

func (p *progress) observe(e research.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch e.Kind {
	case research.EventPlanned:
		p.status = "asking " + text.Count(e.Total, "source")
	case research.EventSource:
		p.status = fmt.Sprintf("asking %s, %d done", text.Count(e.Total, "source"), e.Done)
		p.line("  " + reportLine(*e.Source))
	case research.EventStage:
		p.status = e.Stage
	}
}

// close removes the status line.
func (p *progress) close() {
	if !p.live {
		return
	}
	close(p.stop)
	p.ended.Wait()
	fmt.Fprint(p.out, "\r\x1b[K")
}

// reportLine renders a source's report.
func reportLine(s evidence.SourceReport) string {
	mark := map[string]string{evidence.StatusOK: "+", evidence.StatusCached: "+", evidence.StatusEmpty: "-"}[s.Status]
	if mark == "" {
		mark = "!"
	}
	out := fmt.Sprintf("%s %-18s %-9s %12s  %5d ms", mark, s.Name, s.Status, text.Count(s.Documents, "document"), s.LatencyMS)
	if s.Err != "" {
		out += "  " + s.Err
	}
	return out
}
