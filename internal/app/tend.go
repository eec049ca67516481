package app

import (
	"context"
	"time"

	"github.com/research-mcp/research-mcp/internal/config"
	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory"
)

// How often a server cares for the memory.
const (
	firstLook    = 5 * time.Second // after the start, which nothing shall slow down
	modelEvery   = time.Minute
	retainEvery  = 15 * time.Minute
	looksPerTurn = retainEvery / modelEvery
)

func retention(cfg *config.Config) memory.Retention {
	return memory.Retention{MaxAge: time.Duration(cfg.Memory.MaxAgeDays) * 24 * time.Hour, MaxBytes: int64(cfg.Memory.MaxTextMB) << 20}
}

// tend cares for the memory until ctx ends: it forgets what the settings say,
// and gives what was read before a model came the vectors of that model. Both
// are done in small steps that last, so that the next server goes on where this
// one ended.
func (a *App) tend(ctx context.Context) {
	timer := time.NewTimer(firstLook)
	defer timer.Stop()
	for looks := 0; ; looks++ {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		if looks%int(looksPerTurn) == 0 {
			a.retain(ctx)
		}
		a.followModel(ctx)
		timer.Reset(modelEvery)
	}
}

// retain also finishes a removal that was broken off, whatever the settings say.
func (a *App) retain(ctx context.Context) {
	m, ok := a.memory.(memory.Retainer)
	if !ok { // memory.Open has refused settings that need one
		return
	}
	r, err := m.Retain(ctx)
	if r.Resumed { // whoever was broken off may not have come to the answers that are kept
		if err := a.fetch.clear(ctx); err != nil && ctx.Err() == nil {
			a.log.Warn("kept answers of sources may hold what was forgotten; stop research-mcp and delete the file", "file", CacheFile, "err", err)
		}
	}
	switch {
	case ctx.Err() != nil:
	case err != nil:
		a.log.Warn("nothing was forgotten by age and size", "err", err)
	case len(r.Warnings) > 0:
		a.log.Warn("a removal that was broken off is not finished", "warnings", r.Warnings)
	case r.Documents > 0:
		a.log.Info("forgotten by age and size", "documents", r.Documents)
	}
}

// followModel makes the vectors of a trained model that is there and does not
// cover the memory yet. The built-in embedder is never followed: when Ollama is
// away, its vectors wait. Where it is the one in use, what lacks its vectors,
// as after an import that was broken off, is given them.
func (a *App) followModel(ctx context.Context) {
	m, ok := a.memory.(memory.Reindexer)
	if !ok {
		return
	}
	by := a.kits.Choose(ctx).Embedder
	stats, err := a.memory.Stats(ctx)
	if err != nil {
		return
	}
	if by.Model().Kind == evidence.KindTransformer {
		if covered(stats, by.Model()) {
			return
		}
	} else if !lacking(stats) || stats.Embedder != "" && stats.Embedder != modelName(by.Model()) {
		return
	}
	if _, err := m.Reindex(ctx, by.Model(), by.Embed, nil); err != nil && ctx.Err() == nil {
		a.log.Warn("the vectors of a model are not complete; the next look goes on", "model", by.Model().Name, "err", err)
	}
}

// covered reports whether the memory answers in the model's space already. A
// model that covers everything does not take the lead from another trained one
// that does: two servers with different models would take turns for ever.
func covered(s memory.Stats, m evidence.Model) bool {
	led := false
	for _, have := range s.Models {
		led = led || have.Active && have.Kind == evidence.KindTransformer
	}
	for _, have := range s.Models {
		if have.Name == m.Name && have.Revision == m.Revision {
			return led && have.Documents >= s.Documents
		}
	}
	return s.Documents == 0
}
