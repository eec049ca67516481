package postgres

import (
	"cmp"
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/contract"
)

// What is to be embedded is a queue: the rows of embedded with passages missing. A model
// is followed from the first call that fills it: then every document that is stored gets a
// row at once, and those that were there get theirs step by step, the newest first. To
// find the next ones takes the same time however many have vectors already.

// missingQuery are the next documents of the queue, newestQuery those from its end.
const (
	missingQuery = "select doc from embedded where tenant = $1 and model = $2 and missing > 0 order by doc limit $3"
	newestQuery  = "select doc from embedded where tenant = $1 and model = $2 and missing > 0 order by doc desc limit $3"
)

// queueStep is how many documents that were there before are queued at once.
const queueStep = 1000

// follow makes sure that what is stored from now on is queued for the model.
func (f *filling) follow(ctx context.Context) error {
	m, followed := f.m, false
	err := m.read(ctx, "reading a model", func(tx pgx.Tx) error {
		err := tx.QueryRow(ctx, "select backlog is not null from model where tenant = $1 and id = $2", m.tenant, f.space.id).Scan(&followed)
		if errors.Is(err, pgx.ErrNoRows) { // with its tenant
			err = cmp.Or(m.mayWrite(ctx, tx), err)
		}
		return err
	})
	if err != nil || followed {
		return err
	}
	// Alone: no writer may have looked for followed models before, and store afterwards.
	return m.alone(ctx, "following a model", func(tx attempt) error { return f.queueAll(ctx, tx) })
}

// queueAll lets all documents that there are be queued by queueOlder.
func (f *filling) queueAll(ctx context.Context, tx pgx.Tx) error {
	_, err := tx.Exec(ctx, "update model set backlog = (select coalesce(max(id), 0) + 1 from doc where tenant = $1) where tenant = $1 and id = $2", f.m.tenant, f.space.id)
	return err
}

// queueOlder queues the next documents that there were before. They are locked, so that
// none is removed meanwhile.
func (f *filling) queueOlder(ctx context.Context) error {
	m := f.m
	err := m.write(ctx, "queueing documents for vectors", func(tx attempt) error {
		if f.restart {
			if err := f.queueAll(ctx, tx); err != nil {
				return err
			}
		}
		_, err := tx.Exec(ctx, `with older as materialized (select d.id, d.chunks from doc d
				where d.tenant = $1 and d.id < (select backlog from model where tenant = $1 and id = $2) order by d.id desc limit $3 for key share of d),
			queued as (insert into embedded(tenant, model, doc, missing) select $1, $2, id, chunks from older on conflict(tenant, model, doc) do nothing)
			update model set backlog = coalesce((select min(id) from older), 0) where tenant = $1 and id = $2`, m.tenant, f.space.id, queueStep)
		return err
	})
	if err == nil {
		f.restart = false
	}
	return err
}

// queueDocument queues a document that is stored for all models that are followed, but for
// those of which it has vectors already.
func (m *Memory) queueDocument(b *pgx.Batch, doc int64, chunks int) {
	b.Queue(`insert into embedded(tenant, model, doc, missing) select $1, id, $2, $3 from model where tenant = $1 and backlog is not null
		on conflict(tenant, model, doc) do nothing`, m.tenant, doc, chunks)
}

// MissingVectors counts what has no vector of model; see contract.VectorFiller.
func (m *Memory) MissingVectors(ctx context.Context, model evidence.Model) (contract.Queue, error) {
	q := contract.Queue{Model: contract.ModelText(model)}
	err := m.read(ctx, "counting", func(tx pgx.Tx) error {
		s, _, err := m.findSpace(ctx, tx, storableModel(model)) // an unknown one has id 0, and no vectors
		if err != nil {
			return err
		}
		have, err := m.counted(ctx, tx, s.id)
		if err != nil {
			return err
		}
		total, err := m.counted(ctx, tx, 0)
		if err != nil || s.id != 0 && have.documents >= total.documents {
			return err
		}
		var backlog *int64
		if s.id != 0 {
			if err := tx.QueryRow(ctx, "select backlog from model where tenant = $1 and id = $2", m.tenant, s.id).Scan(&backlog); err != nil {
				return err
			}
		}
		if backlog != nil && *backlog == 0 { // all is queued
			return tx.QueryRow(ctx, "select count(*), coalesce(sum(missing), 0) from embedded where tenant = $1 and model = $2 and missing > 0", m.tenant, s.id).Scan(&q.Documents, &q.Chunks)
		}
		return tx.QueryRow(ctx, `select count(*), coalesce(sum(coalesce(e.missing, d.chunks)), 0) from doc d
			left join embedded e on e.tenant = $1 and e.model = $2 and e.doc = d.id where d.tenant = $1 and coalesce(e.missing, 1) > 0`, m.tenant, s.id).Scan(&q.Documents, &q.Chunks)
	})
	return q, err
}
