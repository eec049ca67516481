// Package demo starts the program with local servers in place of its sources,
// and holds the questions that the command demo asks.
package demo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/research-mcp/research-mcp/internal/app"
	"github.com/research-mcp/research-mcp/internal/config"
	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/testkit/world"
)

// Options change the demo's world.
type Options struct {
	Faults  map[string]string        // source to fail, hang or garbage
	Latency map[string]time.Duration // source to latency
	Log     *slog.Logger

	Settings map[string]string // of the program, by name, over the demo's own, but data_dir

	WorldLog *slog.Logger // for requests that their client cancelled; nil: Log
}

// Demo is the real program in a small world: local servers that
// speak like the real sources, and a memory in a temporary folder.
type Demo struct {
	App   *app.App
	world *world.World
	dir   *folder
}

// Questions are asked in one session. The third says "those models" and
// can only be searched for with the summary of the first two.
func Questions() []string {
	return []string{
		"How does attention work in a transformer?",
		"How do BERT and GPT differ in the way they are trained?",
		"Which of those models were introduced in 2018, and by whom?",
	}
}

// foldAfter makes the session's summary do its work by the third question:
// two questions and two answers are folded into it, all of them.
const foldAfter = 4

// Start starts the demo's world and a program in it. No setting of the user
// reaches it.
func Start(ctx context.Context, o Options) (*Demo, error) {
	w, err := world.Start(world.Options{Latency: o.Latency, Fault: o.Faults, Log: cmp.Or(o.WorldLog, o.Log)})
	if err != nil {
		return nil, err
	}
	d := &Demo{world: w}
	if d.dir, err = newFolder(os.TempDir()); err != nil {
		return nil, errors.Join(fmt.Errorf("making the demo's folder: %w", err), w.Close())
	}
	flags := map[string]string{
		"data_dir": d.dir.path, "ollama.enabled": "false", "contact": "demo@localhost",
		"cache.max_mb":       "0", // the demo shows what asking costs
		"session.fold_after": fmt.Sprint(foldAfter), "session.fold_keep": "0",
	}
	urls := w.URLs()
	for name := range app.SourceDefaults() {
		flags["sources."+name+".enabled"] = "false"
		if url := urls[name]; url != "" {
			flags["sources."+name+".enabled"], flags["sources."+name+".url"] = "true", url
		}
	}
	own := flags["data_dir"]
	maps.Copy(flags, o.Settings)
	flags["data_dir"] = own // never a memory of the user's
	cfg, err := config.Load(config.Inputs{Sources: app.SourceDefaults(), Flags: flags})
	if err == nil {
		d.App, err = app.New(ctx, cfg, app.Options{Log: o.Log})
	}
	if err != nil {
		return nil, errors.Join(err, w.Close(), d.dir.remove())
	}
	return d, nil
}

// Documents are those that the answers cite, so that anybody can look whether
// the quotes are at their offsets.
func (d *Demo) Documents(ctx context.Context, answers []evidence.Answer) ([]evidence.Document, error) {
	out := []evidence.Document{}
	for _, a := range answers {
		for _, c := range a.Citations {
			if slices.ContainsFunc(out, func(have evidence.Document) bool { return have.ID == c.DocumentID }) {
				continue
			}
			doc, err := d.App.Library().Document(ctx, c.DocumentID)
			if err != nil {
				return nil, err
			}
			out = append(out, doc)
		}
	}
	return out, nil
}

// Close ends the program and its world, and removes the memory.
func (d *Demo) Close() error {
	return errors.Join(d.App.Close(), d.world.Close(), d.dir.remove())
}
