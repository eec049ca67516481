package postgres

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/contract"
	"github.com/research-mcp/research-mcp/memory/intake"
)

const (
	// fillBatch is how many passages are embedded before they are stored: a kill loses
	// about a second of work.
	fillBatch = 8
	// Reindex embeds more at once: it is waited for.
	reindexDocs   = 32
	reindexChunks = 128
)

// gap is the passages of a document that have no vector yet.
type gap struct {
	doc    int64
	hash   string
	chunks int // of the document
	ords   []int32
	starts []int32 // of each of ords, and where it stops
	stops  []int32
	texts  []string // to be embedded
	found  vectors  // for each of ords; zero where it cannot be used
	later  []int32  // ordinals of parts that follow
	zeros  int      // passages of parts before whose vectors cannot be used
}

// FillVectors embeds what has no vector of model; see contract.VectorFiller.
func (m *Memory) FillVectors(ctx context.Context, model evidence.Model, embed contract.EmbedFunc, progress func(contract.Progress)) (contract.Progress, error) {
	p := contract.Progress{Model: contract.ModelText(model)}
	if err := ctx.Err(); err != nil {
		return p, err
	}
	if model.IsZero() || model.Dims <= 0 || embed == nil {
		return p, evidence.BadInput("no embedding model is given", "name the embedding model and its dimensions")
	}
	job, err := m.tryLock(ctx, lockFill+model.Key())
	if err != nil {
		return p, m.failed("taking a lock", err)
	}
	defer job.release()
	s, err := m.spaceFor(ctx, model, false)
	if err != nil {
		return p, err
	}
	f := &filling{m: m, space: s, embed: embed, p: &p, progress: progress, job: job, docs: fillBatch, chunks: fillBatch, newest: true, titled: true}
	return p, f.run(ctx)
}

// spaceFor returns the space of a model, of which the dimensions are those given.
func (m *Memory) spaceFor(ctx context.Context, model evidence.Model, activate bool) (space, error) {
	s, err := m.ensureSpace(ctx, storableModel(model), activate)
	if err == nil && s.model.Dims != model.Dims {
		err = &evidence.Problem{What: intake.OtherDims(s.model, model.Dims), Try: "give the model another revision"}
	}
	return s, err
}

// filling embeds what has no vector of a space, in batches.
type filling struct {
	m        *Memory
	space    space
	embed    contract.EmbedFunc
	p        *contract.Progress
	progress func(contract.Progress)
	job      *job
	newest   bool // the newest document first; otherwise the oldest, and all are queued before
	docs     int  // read at once, at most
	chunks   int  // embedded before they are stored, about
	titled   bool // texts are as by contract.EmbeddedText

	stored  map[[sha256.Size]byte]int // how often the vectors of a gap were stored, by its key
	looked  bool                      // it was seen that something is missing in the queue
	restart bool                      // all documents are to be queued again
}

// key names the passages of a gap as they are.
func (g gap) key() [sha256.Size]byte {
	return sha256.Sum256(fmt.Append(nil, g.doc, g.hash, g.ords, g.starts, g.stops))
}

// mostStored is how often the vectors of the same passages are stored: of a document whose
// text changes and is changed back meanwhile, they are removed each time.
const mostStored = 5

func (f *filling) run(ctx context.Context) error {
	err := f.fillAll(ctx)
	if err == nil || f.m.tenant == "" || ctx.Err() != nil {
		return err
	}
	// A tenant that is removed meanwhile takes its tables with it: that is what is to be told.
	if removed := f.m.read(ctx, "reading a tenant", func(tx pgx.Tx) error { return f.m.mayWrite(ctx, tx) }); removed != nil {
		return removed
	}
	return err
}

func (f *filling) fillAll(ctx context.Context) error {
	if f.progress == nil {
		f.progress = func(contract.Progress) {}
	}
	f.stored = map[[sha256.Size]byte]int{}
	if err := f.follow(ctx); err != nil {
		return err
	}
	for {
		if err := f.job.check(ctx); err != nil {
			return err
		}
		gaps, err := f.next(ctx)
		if err != nil {
			return err
		}
		f.progress(*f.p)
		if len(gaps) == 0 {
			return nil
		}
		if err := f.fill(ctx, gaps); err != nil {
			return err
		}
	}
}

// next returns what to embed next, and sets the progress.
func (f *filling) next(ctx context.Context) (out []gap, err error) {
	for {
		more := false
		err = f.m.readToWrite(ctx, "reading what has no vectors", func(tx pgx.Tx) (err error) {
			out, more, err = f.read(ctx, tx)
			return err
		})
		if err != nil || !more {
			return out, err
		}
		if err := f.queueOlder(ctx); err != nil {
			return nil, err
		}
	}
}

// read reads what to embed next. more reports that there are documents to be queued first.
func (f *filling) read(ctx context.Context, tx pgx.Tx) (out []gap, more bool, err error) {
	m := f.m
	have, err := m.counted(ctx, tx, f.space.id)
	if err != nil {
		return nil, false, err
	}
	total, err := m.counted(ctx, tx, 0)
	if err != nil {
		return nil, false, err
	}
	f.p.Done = max(f.p.Done, int(have.documents))
	f.p.Total = max(int(total.documents), f.p.Done)
	if have.documents >= total.documents {
		return nil, false, nil
	}
	query := missingQuery
	if f.newest {
		query = newestQuery
	}
	docs, err := column[int64](ctx, tx, query, m.tenant, f.space.id, f.docs)
	if err != nil {
		return nil, false, err
	}
	if len(docs) < f.docs || !f.newest {
		if err := tx.QueryRow(ctx, "select backlog > 0 from model where tenant = $1 and id = $2", m.tenant, f.space.id).Scan(&more); err != nil || more {
			return nil, more, err
		}
	}
	if len(docs) == 0 && !f.looked { // one is missing in the queue, which is damaged
		f.looked, f.restart = true, true
		return nil, true, nil
	}
	if len(docs) == 0 {
		return nil, false, &evidence.Problem{What: fmt.Sprintf("the counters of the memory in %s are damaged: they say that %d of %d documents have vectors of the model %s, and none is without",
			m.server.name, have.documents, total.documents, contract.ModelText(f.space.model)), Try: "`research-mcp memory check` says what differs, and what to do", Cause: contract.ErrDamaged}
	}
	n := 0
	for _, doc := range docs {
		g, err := f.readGap(ctx, tx, doc)
		if err != nil {
			return nil, false, err
		}
		if f.stored[g.key()] >= mostStored {
			return nil, false, fmt.Errorf("the vectors of document %d were stored %d times, and are not there", doc, mostStored)
		}
		out = append(out, g)
		if n += len(g.ords); n >= f.chunks {
			break
		}
	}
	return out, false, nil
}

// readGap reads the passages of a document that have no vector.
func (f *filling) readGap(ctx context.Context, tx pgx.Tx, doc int64) (gap, error) {
	g := gap{doc: doc}
	var title string
	var turn bool
	if err := tx.QueryRow(ctx, "select hash, chunks, title, turn is not null from doc where tenant = $1 and id = $2", f.m.tenant, doc).Scan(&g.hash, &g.chunks, &title, &turn); err != nil {
		return g, fmt.Errorf("reading a document: %w", err)
	}
	err := eachRow(ctx, tx, func(row pgx.Row) error {
		var ord, start, stop int32
		var text []byte
		err := row.Scan(&ord, &start, &stop, &text)
		s := string(text)
		if f.titled {
			s = contract.EmbeddedText(title, turn, s)
		}
		g.ords, g.starts, g.stops, g.texts = append(g.ords, ord), append(g.starts, start), append(g.stops, stop), append(g.texts, s)
		return err
	}, fmt.Sprintf(`select p.ord, p.start, p.stop, substring(b.text from p.start + 1 for p.stop - p.start) from passage p join body b on b.tenant = p.tenant and b.doc = p.doc
		where p.tenant = $1 and p.doc = $2 and not exists(select 1 from %s v where v.tenant = $1 and v.doc = p.doc and v.ord = p.ord) order by p.ord`, f.space.table()), f.m.tenant, doc)
	return g, err
}

// fill embeds gaps and stores their vectors: of a document of very many passages in parts,
// and of others together.
func (f *filling) fill(ctx context.Context, gaps []gap) error {
	if len(gaps) > 1 || len(gaps[0].ords) <= f.chunks {
		_, err := f.fillPart(ctx, gaps)
		return err
	}
	whole, zeros := gaps[0], 0
	for from := 0; from < len(whole.ords); from += f.chunks {
		to := min(from+f.chunks, len(whole.ords))
		part := whole
		part.ords, part.starts, part.stops, part.texts = whole.ords[from:to], whole.starts[from:to], whole.stops[from:to], whole.texts[from:to]
		part.later, part.zeros = whole.ords[to:], zeros
		kept, err := f.fillPart(ctx, []gap{part})
		if err != nil || len(kept) == 0 { // what the document has now is read again
			return err
		}
		if err := f.job.check(ctx); err != nil {
			return err
		}
		for v := range slices.Chunk(kept[0].found, f.space.model.Dims) {
			if intake.IsZero(v) {
				zeros++
			}
		}
	}
	return nil
}

// fillPart embeds gaps, and stores those in one transaction whose documents are still as
// they were read, which it returns.
func (f *filling) fillPart(ctx context.Context, gaps []gap) (kept []gap, err error) {
	var texts []string
	var docs []int64
	for _, g := range gaps {
		texts, docs = append(texts, g.texts...), append(docs, g.doc)
	}
	found, err := embedAll(ctx, f.embed, texts, f.space.model)
	if err != nil {
		return nil, err
	}
	for i := range gaps {
		n := len(gaps[i].ords) * f.space.model.Dims
		gaps[i].found, found = found[:n], found[n:]
	}
	err = f.m.write(ctx, "storing vectors", func(tx attempt) error {
		kept = nil
		if err := f.m.lockDocs(ctx, tx, "id", docs); err != nil {
			return err
		}
		for _, g := range gaps {
			same, err := f.m.isAsRead(ctx, tx, f.space, g)
			if err != nil {
				return err
			}
			if !same {
				continue
			}
			if _, err := f.m.keepVectors(ctx, tx, f.space, g, len(g.later)); err != nil {
				return err
			}
			kept = append(kept, g)
		}
		return nil
	})
	for _, g := range kept {
		f.stored[g.key()]++
	}
	return kept, err
}

// isAsRead reports whether the document of a gap, which is locked, still has its passages,
// and vectors of all others: with another text in between it would have lost those.
func (m *Memory) isAsRead(ctx context.Context, tx pgx.Tx, s space, g gap) (same bool, err error) {
	err = tx.QueryRow(ctx, `select exists(select 1 from doc where tenant = $1 and id = $2 and hash = $3 and chunks = $4) and not exists(
			select 1 from unnest($5::int[], $6::int[], $7::int[]) g(ord, start, stop)
			left join passage p on p.tenant = $1 and p.doc = $2 and p.ord = g.ord where (p.start, p.stop) is distinct from (g.start, g.stop))`,
		m.tenant, g.doc, g.hash, g.chunks, g.ords, g.starts, g.stops).Scan(&same)
	rest := slices.Concat(g.ords, g.later)
	if err != nil || !same || len(rest) == g.chunks {
		return same, err
	}
	err = tx.QueryRow(ctx, "select count(*) + $4 >= $5 from "+s.table()+" where tenant = $1 and doc = $2 and ord <> all($3)",
		m.tenant, g.doc, rest, g.zeros, g.chunks-len(rest)).Scan(&same)
	return same, err
}

// embedAll returns vectors of unit length, one after the other. One that cannot be used is
// zero: its passage is found by words.
func embedAll(ctx context.Context, embed contract.EmbedFunc, texts []string, m evidence.Model) (vectors, error) {
	out := make(vectors, 0, len(texts)*m.Dims)
	for at := 0; at < len(texts); at += reindexChunks {
		part := texts[at:min(at+reindexChunks, len(texts))]
		vs, err := embed(ctx, part)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			return nil, fmt.Errorf("embedding: %w", err)
		}
		if len(vs) != len(part) {
			return nil, fmt.Errorf("embedding: got %d vectors for %d texts", len(vs), len(part))
		}
		for _, v := range vs {
			if len(v) != m.Dims {
				return nil, &evidence.Problem{What: intake.OtherDims(m, len(v)), Try: "give the model another revision"}
			}
			dst := make(vectors, m.Dims)
			if intake.Unit(dst, v) != nil {
				clear(dst)
			}
			out = append(out, dst...)
		}
	}
	return out, nil
}

// keepVectors stores the vectors of a gap, whose document is locked, and returns how many
// are new. left is how many of its other passages are still to be embedded.
func (m *Memory) keepVectors(ctx context.Context, tx pgx.Tx, s space, g gap, left int) (int, error) {
	was, err := m.setEmbedded(ctx, tx, s, g.doc, int64(g.chunks), left)
	if err != nil || !was { // another process has completed it
		return 0, err
	}
	var ords []int32
	var some []float32
	for i, ord := range g.ords {
		if v := g.found[i*s.model.Dims : (i+1)*s.model.Dims]; !intake.IsZero(v) {
			ords, some = append(ords, ord), append(some, v...)
		}
	}
	b := &pgx.Batch{}
	added := 0
	if len(ords) > 0 {
		queueSome(b, s, m.tenant, g.doc, ords, some)
		added = len(ords)
	}
	queueStored(b, s, m.tenant, g.doc)
	b.Queue("insert into change(tenant, doc) values($1, $2)", m.tenant, g.doc)
	return added, tx.SendBatch(ctx, b).Close()
}
