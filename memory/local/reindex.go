package local

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/contract"
	"github.com/research-mcp/research-mcp/memory/intake"
)

const (
	// A batch is embedded without a lock and stored in one transaction: a kill
	// loses one batch.
	batchDocs   = 32
	batchChunks = 128
)

// job is a document that lacks vectors, as it was when it was read.
type job struct {
	doc, first int64
	hash       string
	texts      []string
	vectors    []float32
}

// Reindex gives every document vectors of model; see contract.Reindexer. The
// vectors of other models are kept.
func (l *Local) Reindex(ctx context.Context, model evidence.Model, embed contract.EmbedFunc, progress func(contract.Progress)) (contract.Progress, error) {
	p := contract.Progress{Model: contract.ModelText(model)}
	if err := ctx.Err(); err != nil {
		return p, err
	}
	if model.IsZero() || embed == nil {
		return p, evidence.BadInput("no embedding model is given", "name the embedding model")
	}
	if err := intake.CheckModel(model); err != nil {
		return p, err
	}
	if progress == nil {
		progress = func(contract.Progress) {}
	}
	if model.Dims == 0 {
		v, err := embedAll(ctx, embed, []string{"dimensions"})
		if err != nil {
			return p, err
		}
		model.Dims = len(v[0])
	}
	if err := l.finishWords(ctx, 0); err != nil {
		return p, err
	}
	row, err := l.wantModel(ctx, model)
	if err != nil {
		return p, err
	}
	err = l.reindexAll(ctx, row, newEmbedding(&p), embed, progress)
	return p, err
}

// reindexAll embeds until nothing is left, and makes the model the active one.
func (l *Local) reindexAll(ctx context.Context, row modelRow, e *embedding, embed contract.EmbedFunc, progress func(contract.Progress)) error {
	for done, vain := false, 0; !done; vain++ {
		some, err := l.fill(ctx, row, embed, e, progress)
		if err != nil {
			return err
		}
		if some {
			vain = 0
		}
		// A document may have been put since: then there is more to do. What is not
		// found twice cannot be read.
		if done, err = l.switchTo(ctx, row, e.p, vain > 0); err != nil {
			return err
		}
	}
	progress(*e.p)
	return nil
}

// wantModel records the model to which the memory is being changed.
func (l *Local) wantModel(ctx context.Context, model evidence.Model) (modelRow, error) {
	var row modelRow
	err := l.write(ctx, "changing the model", func(tx *sql.Tx) error {
		var err error
		if row, err = ensureModel(ctx, tx, model); err != nil {
			return err
		}
		if row.model.Dims != model.Dims {
			return &evidence.Problem{What: intake.OtherDims(row.model, model.Dims), Try: "give the model another revision"}
		}
		_, err = tx.ExecContext(ctx, "UPDATE model SET wanted = (id = ?)", row.id)
		return err
	})
	return row, err
}

// fill adds the missing vectors, beginning with the oldest document, and reports whether
// there was any to add.
func (l *Local) fill(ctx context.Context, row modelRow, embed contract.EmbedFunc, e *embedding, progress func(contract.Progress)) (some bool, err error) {
	for {
		jobs, more, err := l.nextJobs(ctx, row, e)
		if err != nil {
			return some, err
		}
		progress(*e.p)
		if !more {
			return some, nil
		}
		some = some || len(jobs) > 0
		for i := range jobs {
			if err := jobs[i].embed(ctx, row.model, embed); err != nil {
				return some, err
			}
		}
		err = eachAlone(ctx, l, e, jobs, func(j job) int64 { return j.doc }, func(jobs []job) error {
			return l.write(ctx, "keeping vectors", func(tx *sql.Tx) error {
				for _, j := range jobs {
					if err := j.keep(ctx, tx, row.id); err != nil {
						return err
					}
				}
				return nil
			})
		})
		if err != nil {
			return some, err
		}
	}
}

// withoutVectors selects documents for embedding.next.
const withoutVectors = `SELECT d.id FROM doc d WHERE NOT EXISTS(SELECT 1 FROM vec v WHERE v.doc=d.id AND v.model=?1 AND v.missing=0)
	AND d.id NOT IN (SELECT value FROM json_each(?2)) AND (?3=0 OR d.id=?3) AND d.id>?5 ORDER BY d.id LIMIT ?4`

// nextJobs reads what is to be embedded next, and sets the progress; more is as of
// nextGaps.
func (l *Local) nextJobs(ctx context.Context, row modelRow, e *embedding) (jobs []job, more bool, err error) {
	err = l.read(ctx, "reading what has no vectors", func(tx *sql.Tx) error {
		if _, err := e.count(ctx, tx, row.id); err != nil {
			return err
		}
		docs, err := e.next(ctx, tx, row.id, batchDocs, look{withoutVectors, e.from}, look{withoutVectors, 0})
		if err != nil {
			return err
		}
		if more = len(docs) > 0; !more {
			return e.countLast(ctx, tx, row.id)
		}
		defer func() { e.handed = len(jobs) }()
		chunks := 0
		for i, doc := range docs {
			e.owed--
			e.from = doc // not to look at all that have vectors again for each batch
			j, err := readJob(ctx, tx, doc)
			if err == nil {
				err = e.again(j)
			}
			if ofOneDocument(err) {
				e.leaveOut(ctx, tx, doc)
				continue
			}
			if err != nil {
				return err
			}
			jobs = append(jobs, j)
			if chunks += len(j.texts); chunks >= batchChunks {
				e.putBack(docs[i+1:])
				break
			}
		}
		return nil
	})
	return jobs, more, err
}

// readJob reads the texts of a document's chunks.
func readJob(ctx context.Context, tx *sql.Tx, doc int64) (job, error) {
	j := job{doc: doc}
	var body string
	err := tx.QueryRowContext(ctx, "SELECT d.hash, b.text FROM doc d JOIN body b ON b.doc=d.id WHERE d.id=?", doc).Scan(&j.hash, &body)
	if errors.Is(err, sql.ErrNoRows) {
		return j, errNoChunks
	}
	if err != nil {
		return j, fmt.Errorf("reading a document: %w", err)
	}
	err = eachRow(ctx, tx, "SELECT id, start, stop FROM chunk WHERE doc=? ORDER BY ord", []any{doc}, func(row scanner) error {
		var id int64
		var start, stop int
		if err := row.Scan(&id, &start, &stop); err != nil {
			return err
		}
		if start < 0 || stop < start || stop > len(body) {
			return errNotAPiece(id)
		}
		if j.first == 0 {
			j.first = id
		}
		j.texts = append(j.texts, body[start:stop])
		return nil
	})
	if err == nil && len(j.texts) == 0 {
		err = errNoChunks
	}
	return j, err
}

// embed fills j.vectors. A chunk whose vector cannot be used gets none; it is
// found by its words.
func (j *job) embed(ctx context.Context, m evidence.Model, embed contract.EmbedFunc) error {
	j.vectors = make([]float32, len(j.texts)*m.Dims)
	for at := 0; at < len(j.texts); at += batchChunks {
		part := j.texts[at:min(at+batchChunks, len(j.texts))]
		vs, err := embedAll(ctx, embed, part)
		if err != nil {
			return err
		}
		for i, v := range vs {
			dst := j.vectors[(at+i)*m.Dims : (at+i+1)*m.Dims]
			if len(v) != m.Dims {
				return &evidence.Problem{What: intake.OtherDims(m, len(v)), Try: "give the model another revision"}
			}
			if err := intake.Unit(dst, v); err != nil {
				clear(dst)
			}
		}
	}
	return nil
}

func embedAll(ctx context.Context, embed contract.EmbedFunc, texts []string) ([][]float32, error) {
	vs, err := embed(ctx, texts)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		return nil, fmt.Errorf("embedding for the change of model: %w", err)
	}
	if len(vs) != len(texts) {
		return nil, fmt.Errorf("embedding for the change of model: got %d vectors for %d texts", len(vs), len(texts))
	}
	return vs, nil
}

// keep stores the vectors, unless the document was changed or removed
// meanwhile.
func (j *job) keep(ctx context.Context, tx *sql.Tx, model int64) error {
	same, err := j.unchanged(ctx, tx, len(j.texts))
	if err != nil || !same {
		return err
	}
	blob := encode(j.vectors)
	res, err := tx.ExecContext(ctx, `INSERT INTO vec(model, doc, first, n, v, sum) VALUES(?, ?, ?, ?, ?, ?)
		ON CONFLICT(doc, model) DO UPDATE SET v=excluded.v, sum=excluded.sum, missing=0 WHERE missing > 0`, model, j.doc, j.first, len(j.texts), blob, checksum(blob))
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return err
	}
	return logChange(ctx, tx, j.doc)
}

// unchanged reports whether the document is as it was when it was read, with as many
// chunks.
func (j *job) unchanged(ctx context.Context, tx *sql.Tx, chunks int) (bool, error) {
	var hash string
	var first int64
	var n int
	err := tx.QueryRowContext(ctx, "SELECT d.hash, min(c.id), count(*) FROM doc d JOIN chunk c ON c.doc=d.id WHERE d.id=? GROUP BY d.id", j.doc).Scan(&hash, &first, &n)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil && hash == j.hash && first == j.first && n == chunks, err
}

// switchTo makes the model the active one if every document that can be read has
// vectors of it; vain reports that those that have none are not found.
func (l *Local) switchTo(ctx context.Context, row modelRow, p *contract.Progress, vain bool) (done bool, err error) {
	err = l.write(ctx, "switching the model", func(tx *sql.Tx) error {
		var err error
		if p.Done, p.Total, err = coverage(ctx, tx, row.id); err != nil {
			return err
		}
		if vain {
			p.Skipped = max(p.Skipped, p.Total-p.Done)
		}
		if done = p.Done+p.Skipped >= p.Total; !done {
			return nil
		}
		return activate(ctx, tx, row.id)
	})
	return done && err == nil, err
}
