package local

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"

	"github.com/gofrs/flock"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/contract"
	"github.com/research-mcp/research-mcp/memory/intake"
)

const (
	// fillBatch is how many chunks are embedded before they are stored: a kill loses
	// about a second of work. A document of very many chunks is stored in fillParts
	// parts, because each rewrites all of its vectors.
	fillBatch = 8
	fillParts = 16
	// fillLock is the file whose lock the process holds that fills; it stays empty.
	// The kernel releases it when the process ends, however that happens.
	fillLock = fileName + "-vectors.lock"
)

// gap is the chunks of a document that have no vector yet.
type gap struct {
	job
	at      []int // indexes of the chunks to embed, as are the texts
	chunks  int
	unknown []float32 // the vectors as they are embedded, one for each of at
}

// FillVectors embeds what has no vector of model; see contract.VectorFiller.
func (l *Local) FillVectors(ctx context.Context, model evidence.Model, embed contract.EmbedFunc, progress func(contract.Progress)) (p contract.Progress, err error) {
	p.Model = contract.ModelText(model)
	if err := ctx.Err(); err != nil {
		return p, err
	}
	if model.IsZero() || model.Dims <= 0 || embed == nil {
		return p, evidence.BadInput("no embedding model is given", "name the embedding model and its dimensions")
	}
	if err := intake.CheckModel(model); err != nil {
		return p, err
	}
	if progress == nil {
		progress = func(contract.Progress) {}
	}
	lock := flock.New(filepath.Join(filepath.Dir(l.path), fillLock), flock.SetPermissions(0o600))
	got, err := lock.TryLock()
	if err != nil {
		return p, fmt.Errorf("locking %s: %w", lock.Path(), err)
	}
	if !got {
		return p, contract.ErrFilling
	}
	defer func() { err = errors.Join(err, lock.Unlock()) }()
	row, err := l.spaceOf(ctx, model)
	if err != nil {
		return p, err
	}
	if was, ok := l.ends.still(ctx, l.rdb, row.id); ok {
		progress(was)
		return was, ctx.Err()
	}
	e := newEmbedding(&p)
	if err = l.fillAll(ctx, row, e, embed, progress); err == nil {
		l.ends.keep(row.id, e)
	}
	return p, err
}

// fillAll embeds until nothing is left.
func (l *Local) fillAll(ctx context.Context, row modelRow, e *embedding, embed contract.EmbedFunc, progress func(contract.Progress)) error {
	for {
		gaps, more, err := l.nextGaps(ctx, row, e)
		if err != nil {
			return err
		}
		progress(*e.p)
		if !more {
			return nil
		}
		err = eachAlone(ctx, l, e, gaps, func(g gap) int64 { return g.doc }, func(gaps []gap) error { return l.fillGaps(ctx, row, gaps, embed) })
		if err != nil {
			return err
		}
	}
}

// spaceOf returns the stored space of a model. It is created if necessary, and not
// made the active one.
func (l *Local) spaceOf(ctx context.Context, model evidence.Model) (modelRow, error) {
	row, ok, err := findModel(ctx, l.rdb, model)
	if err != nil {
		return row, l.failed(ctx, "finding the model", err)
	}
	if !ok {
		err = l.write(ctx, "adding a model", func(tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, "INSERT OR IGNORE INTO model(name, revision, dims, kind) VALUES(?, ?, ?, ?)",
				model.Name, model.Revision, model.Dims, model.Kind)
			if err == nil {
				row, _, err = findModel(ctx, tx, model)
			}
			return err
		})
	}
	if err == nil && row.model.Dims != model.Dims {
		err = &evidence.Problem{What: intake.OtherDims(row.model, model.Dims), Try: "give the model another revision"}
	}
	return row, err
}

// unfilled selects the documents d that lack vectors of the model ?1.
const unfilled = ` FROM doc d WHERE NOT EXISTS(SELECT 1 FROM vec v WHERE v.doc=d.id AND v.model=?1 AND v.missing=0)
	AND EXISTS(SELECT 1 FROM chunk c WHERE c.doc=d.id)`

// unfilledNewer and unfilledOlder are unfilled for embedding.next. Among those that came since
// the first one, the order is that of coming, so that none is looked at twice.
const (
	unfilledIDs   = "SELECT d.id" + unfilled + " AND d.id NOT IN (SELECT value FROM json_each(?2)) AND (?3=0 OR d.id=?3)"
	unfilledNewer = unfilledIDs + " AND d.id>?5 ORDER BY d.id LIMIT ?4"
	unfilledOlder = unfilledIDs + " AND d.id<?5 ORDER BY d.id DESC LIMIT ?4"
)

// nextUnfilled returns ids of documents that lack vectors, up to most: those that came since
// the last call, or else the newest of which were not looked at.
func (e *embedding) nextUnfilled(ctx context.Context, tx *sql.Tx, model int64, most int) ([]int64, error) {
	var last int64
	if err := tx.QueryRowContext(ctx, "SELECT coalesce(max(id), 0) FROM doc").Scan(&last); err != nil && !isDamaged(err) {
		return nil, err
	}
	if e.from == 0 {
		e.from, e.newest = math.MaxInt64, last
	}
	docs, err := e.next(ctx, tx, model, most, look{unfilledNewer, e.newest}, look{unfilledOlder, e.from}, look{unfilledOlder, math.MaxInt64})
	if len(docs) > 0 && docs[0] <= e.newest {
		e.newest = last // none has come, or all of them have vectors
	}
	return docs, err
}

// nextGaps returns what to embed next: the newest document, and older ones while they
// fit into a batch. It sets the progress. more reports whether any document was left:
// all that were read may be damaged.
func (l *Local) nextGaps(ctx context.Context, row modelRow, e *embedding) (out []gap, more bool, err error) {
	err = l.read(ctx, "reading what has no vectors", func(tx *sql.Tx) error {
		if all, err := e.count(ctx, tx, row.id); err != nil || all {
			return err
		}
		docs, err := e.nextUnfilled(ctx, tx, row.id, min(fillBatch, e.owed))
		if err != nil {
			return err
		}
		if more = len(docs) > 0; !more {
			return e.countLast(ctx, tx, row.id)
		}
		defer func() { e.handed = len(out) }()
		chunks := 0
		for i, doc := range docs {
			e.owed--
			if doc > e.newest {
				e.newest = doc
			} else {
				e.from = doc
			}
			g, err := readGap(ctx, tx, row, doc)
			if err == nil {
				err = e.again(job{doc: g.doc, first: g.first, hash: g.hash, texts: g.texts})
			}
			if ofOneDocument(err) {
				e.leaveOut(ctx, tx, doc)
				continue
			}
			if err != nil {
				return err
			}
			out = append(out, g)
			if chunks += len(g.at); chunks >= fillBatch {
				e.putBack(docs[i+1:])
				break
			}
		}
		return nil
	})
	return out, more, err
}

// readGap reads a document's chunks that have no vector in the space of row.
func readGap(ctx context.Context, tx *sql.Tx, row modelRow, doc int64) (gap, error) {
	all, err := readJob(ctx, tx, doc)
	if err != nil {
		return gap{}, err
	}
	g := gap{job: job{doc: doc, first: all.first, hash: all.hash}, chunks: len(all.texts)}
	var title string
	var turn sql.NullInt64
	if err := tx.QueryRowContext(ctx, "SELECT title, turn FROM doc WHERE id=?", doc).Scan(&title, &turn); err != nil {
		return g, fmt.Errorf("reading a document: %w", err)
	}
	have, _, err := storedVectors(ctx, tx, row, doc, g.chunks)
	if err != nil {
		return g, err
	}
	dims := row.model.Dims
	for i, body := range all.texts {
		if intake.IsZero(have[i*dims : (i+1)*dims]) {
			g.at, g.texts = append(g.at, i), append(g.texts, contract.EmbeddedText(title, turn.Valid, body))
		}
	}
	return g, nil
}

// storedVectors returns a document's vectors, zeros where there are none, and how many
// are missing: all of them if there is no row, or one that cannot be read.
func storedVectors(ctx context.Context, tx *sql.Tx, row modelRow, doc int64, chunks int) (v []float32, missing int, err error) {
	var blob []byte
	err = tx.QueryRowContext(ctx, "SELECT v, missing FROM vec WHERE doc=? AND model=?", doc, row.id).Scan(&blob, &missing)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return nil, 0, err
	}
	if err == nil {
		if v, err = decode(blob, chunks, row.model.Dims); err == nil {
			return v, missing, nil
		}
	}
	return make([]float32, chunks*row.model.Dims), chunks, nil
}

// fillGaps embeds gaps and stores their vectors: those of small ones together, those of each
// large one in parts.
func (l *Local) fillGaps(ctx context.Context, row modelRow, gaps []gap, embed contract.EmbedFunc) error {
	large := func(g gap) bool { return len(g.at) > fillBatch }
	if small := slices.DeleteFunc(slices.Clone(gaps), large); len(small) > 0 {
		if err := l.fillPart(ctx, row, small, true, embed); err != nil {
			return err
		}
	}
	for _, g := range gaps {
		if large(g) {
			if err := l.fillLarge(ctx, row, g, embed); err != nil {
				return err
			}
		}
	}
	return nil
}

// fillLarge embeds a document of many chunks and stores its vectors in parts.
func (l *Local) fillLarge(ctx context.Context, row modelRow, whole gap, embed contract.EmbedFunc) error {
	part := max(fillBatch, (len(whole.at)+fillParts-1)/fillParts)
	for from := 0; from < len(whole.at); from += part {
		to := min(from+part, len(whole.at))
		g := whole
		g.at, g.texts = whole.at[from:to], whole.texts[from:to]
		if err := l.fillPart(ctx, row, []gap{g}, to == len(whole.at), embed); err != nil {
			return err
		}
	}
	return nil
}

// fillPart embeds all gaps and stores them in one transaction. last reports that
// nothing of these documents is left to embed.
func (l *Local) fillPart(ctx context.Context, row modelRow, gaps []gap, last bool, embed contract.EmbedFunc) error {
	whole := job{}
	for _, g := range gaps {
		whole.texts = append(whole.texts, g.texts...)
	}
	if err := whole.embed(ctx, row.model, embed); err != nil {
		return err
	}
	from := 0
	for i := range gaps {
		to := from + len(gaps[i].at)*row.model.Dims
		gaps[i].unknown, from = whole.vectors[from:to], to
	}
	return l.write(ctx, "storing vectors", func(tx *sql.Tx) error {
		for _, g := range gaps {
			if _, err := g.keep(ctx, tx, row, last); err != nil {
				return err
			}
		}
		return nil
	})
}

// keep adds the vectors to those of the document, unless it was changed or removed
// meanwhile, and returns how many are new. last is as of fillPart.
func (g *gap) keep(ctx context.Context, tx *sql.Tx, row modelRow, last bool) (int, error) {
	same, err := g.unchanged(ctx, tx, g.chunks)
	if err != nil || !same {
		return 0, err
	}
	all, missing, err := storedVectors(ctx, tx, row, g.doc, g.chunks)
	if err != nil || missing == 0 {
		return 0, err
	}
	added, dims := 0, row.model.Dims
	for i, at := range g.at {
		dst, src := all[at*dims:(at+1)*dims], g.unknown[i*dims:(i+1)*dims]
		if intake.IsZero(dst) && !intake.IsZero(src) {
			copy(dst, src)
			added++
		}
	}
	missing = 0
	for at := 0; at < len(all) && !last; at += dims {
		if intake.IsZero(all[at : at+dims]) {
			missing++
		}
	}
	blob := encode(all)
	_, err = tx.ExecContext(ctx, `INSERT INTO vec(model, doc, first, n, v, missing, sum) VALUES(?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT(doc, model) DO UPDATE SET first=excluded.first, n=excluded.n, v=excluded.v, missing=excluded.missing, sum=excluded.sum`,
		row.id, g.doc, g.first, g.chunks, blob, missing, checksum(blob))
	if err != nil {
		return 0, err
	}
	return added, logChange(ctx, tx, g.doc)
}

// AddVectors stores vectors of single chunks; see contract.VectorFiller.
func (l *Local) AddVectors(ctx context.Context, model evidence.Model, vectors []contract.ChunkVector) (int, error) {
	if len(vectors) == 0 {
		return 0, ctx.Err()
	}
	row, err := l.spaceOf(ctx, model)
	if err != nil {
		return 0, err
	}
	added := 0
	err = l.write(ctx, "storing vectors", func(tx *sql.Tx) error {
		added = 0
		for _, v := range vectors {
			g, ok, err := gapOf(ctx, tx, row, v)
			if err != nil {
				return err
			}
			if !ok {
				continue
			}
			n, err := g.keep(ctx, tx, row, false)
			if err != nil {
				return err
			}
			added += n
		}
		return nil
	})
	return added, err
}

// gapOf finds the chunk of a vector. It reports false if the chunk is not stored as the
// passage has it, or the vector cannot be used.
func gapOf(ctx context.Context, tx *sql.Tx, row modelRow, v contract.ChunkVector) (gap, bool, error) {
	g := gap{unknown: make([]float32, row.model.Dims)}
	if err := intake.Unit(g.unknown, v.Vector); err != nil {
		return g, false, nil //nolint:nilerr // such a vector is left out
	}
	var ord int
	var body string
	err := tx.QueryRowContext(ctx, `SELECT d.id, d.hash, c.ord, c.id - c.ord, (SELECT count(*) FROM chunk WHERE doc=d.id),
			substr(CAST(b.text AS BLOB), c.start + 1, c.stop - c.start)
		FROM doc d JOIN chunk c ON c.doc=d.id JOIN body b ON b.doc=d.id WHERE d.uid=? AND c.start=? AND c.stop=?`,
		v.Passage.DocumentID, v.Passage.Start, v.Passage.End).Scan(&g.doc, &g.hash, &ord, &g.first, &g.chunks, &body)
	if errors.Is(err, sql.ErrNoRows) || err == nil && body != v.Passage.Text {
		return g, false, nil
	}
	g.at = []int{ord}
	return g, err == nil, err
}

// MissingVectors counts what has no vector of model; see contract.VectorFiller.
func (l *Local) MissingVectors(ctx context.Context, model evidence.Model) (contract.Queue, error) {
	q := contract.Queue{Model: contract.ModelText(model)}
	err := l.read(ctx, "counting", func(tx *sql.Tx) error {
		row, _, err := findModel(ctx, tx, model) // an unknown one has id 0, and no vectors
		if err != nil {
			return err
		}
		have, total, err := coverage(ctx, tx, row.id)
		if err != nil || have >= total {
			return err
		}
		return tx.QueryRowContext(ctx, `SELECT count(*), coalesce(sum(coalesce((SELECT v.missing FROM vec v WHERE v.doc=d.id AND v.model=?1),
			(SELECT count(*) FROM chunk c WHERE c.doc=d.id))), 0)`+unfilled, row.id).Scan(&q.Documents, &q.Chunks)
	})
	return q, err
}
