package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/research"
	"github.com/research-mcp/research-mcp/internal/terminal"
	"github.com/research-mcp/research-mcp/internal/text"
)

// refresh is how often the clock on a terminal is redrawn.
const refresh = 100 * time.Millisecond

// progress shows on stderr what a question waits for: on a terminal in one line that is
// redrawn, elsewhere a line for each source that has answered.
type progress struct {
	out    io.Writer
	screen terminal.Screen // of the line
	live   bool            // it can be redrawn
	begun  time.Time
	// show prints the answer that is quoted from the sources while a model is still
	// writing its own. nil: the answer is shown when it is complete.
	show func(text string)

	mu          sync.Mutex
	stage       string   // what is done now; empty: sources are waited for
	waiting     []string // sources that have not answered
	done, total int
	quoted      strings.Builder
	shown       string // what show has printed

	ticker *time.Ticker
	stop   chan struct{}
	ended  sync.WaitGroup
}

func newProgress(c *console) *progress {
	p := &progress{out: c.err, screen: c.notes, live: c.live(), begun: time.Now(), stop: make(chan struct{}), stage: "planning"}
	if p.live && c.screen.Width > 0 && !c.json {
		p.show = func(text string) { fmt.Fprintln(c.out, c.screen.Markdown(text, "")+"\n") }
	}
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
			fmt.Fprint(p.out, p.screen.Redraw(p.line(time.Since(p.begun))))
			p.mu.Unlock()
		case <-p.stop:
			return
		}
	}
}

// line is the line on a terminal. It is one column narrower than that, because some
// terminals begin a new line behind the last column. The caller holds mu.
func (p *progress) line(since time.Duration) string {
	status := p.stage
	if status == "" {
		status = "waiting for " + strings.Join(p.waiting, ", ")
		if p.done > 0 {
			status += fmt.Sprintf("; %d of %d done", p.done, p.total)
		}
	}
	return "  " + terminal.Cut(fmt.Sprintf("%.1f s  %s", since.Seconds(), status), max(p.screen.Width-3, 1))
}

// stages are what is shown for the engine's names of its steps.
func stages() map[string]string {
	return map[string]string{"rank": "ranking what was read", "synthesis": "writing", "verify": "checking each sentence"}
}

func (p *progress) observe(e research.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch e.Kind {
	case research.EventPlanned:
		p.stage, p.waiting, p.total = "", slices.Clone(e.Sources), e.Total
	case research.EventSource:
		p.done, p.total = e.Done, e.Total
		p.waiting = slices.DeleteFunc(p.waiting, func(name string) bool { return name == e.Source.Name })
		if len(p.waiting) == 0 {
			p.stage = "reading"
		}
		if !p.live {
			fmt.Fprintln(p.out, "  "+reportLine(*e.Source))
		}
	case research.EventStage:
		p.stage = cmp.Or(stages()[e.Stage], e.Stage)
	case research.EventText:
		p.quoted.WriteString(e.Text)
	case research.EventWriting:
		p.stage = "quoted from the sources; " + e.Stage + " writes its own answer"
		if quoted := strings.TrimSpace(p.quoted.String()); p.show != nil && quoted != "" {
			fmt.Fprint(p.out, p.screen.Redraw(""))
			p.show(quoted)
			p.shown = quoted
		}
	}
}

// close removes the line, and returns what of the answer is on the screen.
func (p *progress) close() (shown string) {
	if !p.live {
		return ""
	}
	close(p.stop)
	p.ended.Wait()
	fmt.Fprint(p.out, p.screen.Redraw(""))
	return p.shown
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
