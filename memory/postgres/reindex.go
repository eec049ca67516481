package postgres

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/contract"
)

// Reindex gives every document vectors of model; see contract.Reindexer. The
// vectors of other models are kept.
func (m *Memory) Reindex(ctx context.Context, model evidence.Model, embed contract.EmbedFunc, progress func(contract.Progress)) (contract.Progress, error) {
	p := contract.Progress{Model: contract.ModelText(model)}
	if err := ctx.Err(); err != nil {
		return p, err
	}
	if model.IsZero() || embed == nil {
		return p, evidence.BadInput("no embedding model is given", "name the embedding model")
	}
	if model.Dims == 0 {
		vs, err := embed(ctx, []string{"dimensions"})
		if err == nil && len(vs) == 1 {
			model.Dims = len(vs[0])
		}
		if err != nil || model.Dims == 0 {
			_, err := embedAll(ctx, func(context.Context, []string) ([][]float32, error) { return vs, err }, []string{"dimensions"}, model)
			return p, err
		}
	}
	s, err := m.spaceFor(ctx, model, true)
	if err != nil {
		return p, err
	}
	err = m.write(ctx, "changing the model", func(tx attempt) error {
		_, err := tx.Exec(ctx, "update model set wanted = (id = $2) where tenant = $1 and wanted <> (id = $2)", m.tenant, s.id)
		return err
	})
	if err != nil {
		return p, err
	}
	f := &filling{m: m, space: s, embed: embed, p: &p, progress: progress, docs: reindexDocs, chunks: reindexChunks}
	for done := false; !done; {
		if err := f.alone(ctx, lockFill+model.Key()); err != nil {
			return p, err
		}
		// A document may have been put since: then there is more to do.
		if done, err = m.switchTo(ctx, s, &p); err != nil {
			return p, err
		}
	}
	f.progress(p)
	_, err = m.finishWords(ctx, 0)
	return p, err
}

// alone is run while no other process is at it: of several that shall, one embeds, and the
// others find it done.
func (f *filling) alone(ctx context.Context, purpose string) error {
	for {
		var err error
		if f.job, err = f.m.waitLock(ctx, purpose); err != nil {
			return err
		}
		err = f.run(ctx)
		f.job.release()
		if !errors.Is(err, contract.ErrFilling) {
			return err
		}
	}
}

// switchTo makes the model the active one if every document has vectors of it.
func (m *Memory) switchTo(ctx context.Context, s space, p *contract.Progress) (done bool, err error) {
	err = m.alone(ctx, "switching the model", func(tx attempt) error {
		done = false
		have, err := m.counted(ctx, tx, s.id)
		if err != nil {
			return err
		}
		total, err := m.counted(ctx, tx, 0)
		if err != nil || have.documents < total.documents {
			return err
		}
		p.Done, p.Total, done = int(have.documents), int(total.documents), true
		return m.activate(ctx, tx, s)
	})
	return done && err == nil, err
}

// activate makes a model the active one.
func (m *Memory) activate(ctx context.Context, tx pgx.Tx, s space) error {
	if _, err := tx.Exec(ctx, "update model set active = false where tenant = $1 and active and id <> $2", m.tenant, s.id); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, "update model set active = true, wanted = false where tenant = $1 and id = $2", m.tenant, s.id)
	return err
}
