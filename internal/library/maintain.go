package library

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/contract"
)

// How often a server maintains the memory.
const (
	firstMaintenance = 5 * time.Second // after the start, which it must not slow down
	maintainEvery    = time.Minute     // looks whether one of the following is due
	modelEvery       = time.Minute
	retainEvery      = 15 * time.Minute
	backupEvery      = time.Hour // asks; a backup is made once a day
	forgottenEvery   = 10 * time.Second
)

// Maintain maintains the memory until ctx ends: it removes what the retention
// settings say, finishes a removal that was interrupted, and gives documents
// the vectors of the built-in encoder and of a model that became available. All of
// it proceeds in small durable steps, so that the next server continues where
// this one ended. Vectors are made between questions; see Foreground.
func (l *Library) Maintain(ctx context.Context) {
	var writing sync.WaitGroup
	defer writing.Wait()
	writing.Go(func() { l.writeVectors(ctx) })
	writing.Go(func() { l.followForgotten(ctx) })
	writing.Go(func() { l.followModels(ctx) })
	timer := time.NewTimer(firstMaintenance)
	defer timer.Stop()
	var retained, backedUp time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-timer.C:
			if retained.IsZero() || now.Sub(retained) >= retainEvery {
				retained = now
				l.retain(ctx)
			}
			if backedUp.IsZero() || now.Sub(backedUp) >= backupEvery {
				backedUp = now
				l.BackupDaily(ctx, 0)
			}
		}
		timer.Reset(maintainEvery)
	}
}

// followModels is beside what else is maintained: vectors of a large memory take hours.
func (l *Library) followModels(ctx context.Context) {
	timer := time.NewTimer(firstMaintenance)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		l.followModel(ctx)
		timer.Reset(modelEvery)
	}
}

// followForgotten clears the cache of responses after removals on other machines: it may
// have what they removed, and a question would keep that again.
func (l *Library) followForgotten(ctx context.Context) {
	marker, ok := l.deps.Memory.(contract.ForgetMarker)
	if !ok || l.deps.Cache == nil {
		return
	}
	tick := time.NewTicker(forgottenEvery)
	defer tick.Stop()
	for {
		mark, err := marker.ForgetMark(ctx)
		if err == nil {
			err = l.deps.Cache.ClearAt(ctx, mark)
		}
		if err != nil && ctx.Err() == nil {
			l.deps.Log.Debug("whether other machines have forgotten something is not known; it is looked at again", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// BackupDaily makes the backup of the day, where the backend makes any and the
// memory has at most maxBytes (0: any size). A failure is logged: a backup that
// could not be made ends nothing else.
func (l *Library) BackupDaily(ctx context.Context, maxBytes int64) {
	b, ok := l.deps.Memory.(contract.DailyBackuper)
	if !ok {
		return
	}
	if r, made, err := b.BackupDaily(ctx, maxBytes); err != nil && ctx.Err() == nil {
		l.deps.Log.Warn("the backup of the day was not made", "err", err)
	} else if made {
		l.deps.Log.Info("the backup of the day was made", "path", r.Path)
	}
}

// MaintainOnce does once what Maintain repeats.
func (l *Library) MaintainOnce(ctx context.Context) {
	l.retain(ctx)
	l.followModel(ctx)
	if by, filler := l.encoder(); by != nil {
		l.fillOnce(ctx, by, filler)
	}
}

// retain applies the retention settings and finishes an interrupted removal.
func (l *Library) retain(ctx context.Context) {
	retainer, ok := l.deps.Memory.(contract.Retainer)
	if !ok {
		return // memory.Open refuses retention settings for such a backend
	}
	r, err := retainer.Retain(ctx)
	if r.Resumed { // the process that was interrupted may not have cleared the cache
		if err := l.clearCache(ctx); err != nil && ctx.Err() == nil {
			l.deps.Log.Warn("cached answers of sources may contain what was forgotten; stop research-mcp and delete the file", "err", err)
		}
	}
	switch {
	case ctx.Err() != nil, errors.Is(err, contract.ErrTenantRemoved): // who has opened it closes it
	case err != nil:
		l.deps.Log.Warn("nothing was forgotten by age and size", "err", err)
	case len(r.Warnings) > 0:
		l.deps.Log.Warn("an interrupted removal is not finished", "warnings", r.Warnings)
	case r.Documents > 0:
		l.deps.Log.Info("forgotten by age and size", "documents", r.Documents)
	}
}

// followModel makes the vectors of a trained model that is available and does
// not cover the memory yet. The built-in embedder is not followed: while Ollama
// is away, its vectors wait. Where the built-in one is in use, documents that
// lack its vectors, as after an interrupted import, are given them.
func (l *Library) followModel(ctx context.Context) {
	indexer, ok := l.deps.Memory.(contract.Reindexer)
	if !ok {
		return
	}
	by := l.deps.Models.Choose(ctx).Embedder
	stats, err := l.stats(ctx)
	if err != nil {
		return
	}
	stats.Documents -= int(l.skipped.Load())
	if by.Model().Kind == evidence.KindTransformer {
		if covered(stats, by.Model()) {
			return
		}
	} else if !lacksVectors(stats) || stats.Embedder != "" && stats.Embedder != contract.ModelText(by.Model()) {
		return
	}
	p, err := indexer.Reindex(ctx, by.Model(), l.yielding(by), nil)
	if err != nil && ctx.Err() == nil {
		l.deps.Log.Warn("the vectors of a model are incomplete; they are continued later", "model", by.Model().Name, "err", err)
	}
	if err == nil {
		l.skipped.Store(int64(p.Skipped))
		l.warnSkipped(p)
	}
}

// warnSkipped logs which documents cannot be read, once for each model and number.
func (l *Library) warnSkipped(p contract.Progress) {
	if err := p.Problem(); err != nil {
		if _, said := l.said.LoadOrStore(fmt.Sprint(p.Model, " ", p.Skipped), true); !said {
			l.deps.Log.Warn("some documents got no vectors; they are found by their words", "err", err)
		}
	}
}

// covered reports whether the memory already searches in the model's space. A
// model that covers everything does not replace another trained one that does:
// two servers with different models would alternate for ever.
func covered(s contract.Stats, m evidence.Model) bool {
	trained := false
	for _, have := range s.Models {
		trained = trained || have.Active && have.Kind == evidence.KindTransformer
	}
	for _, have := range s.Models {
		if have.Name == m.Name && have.Revision == m.Revision {
			return trained && have.Documents >= s.Documents
		}
	}
	return s.Documents == 0
}

// lacksVectors reports whether there are documents without vectors of the model
// in use.
func lacksVectors(s contract.Stats) bool {
	for _, have := range s.Models {
		if have.Active {
			return have.Documents < s.Documents
		}
	}
	return s.Documents > 0
}
