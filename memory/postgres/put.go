package postgres

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/intake"
	"github.com/research-mcp/research-mcp/memory/rank"
)

// entry is a document prepared for writing before a lock is taken.
type entry struct {
	*intake.Entry
	vectors vectors // none if the space is zero
	model   space
}

// Put stores a document; see contract.Store.
func (m *Memory) Put(ctx context.Context, doc evidence.Document, chunks evidence.Chunks) (evidence.Receipt, error) {
	if err := ctx.Err(); err != nil {
		return evidence.Receipt{}, err
	}
	in, err := intake.Take(m.storable(doc), chunks.Items, m.voc, m.cfg.MaxText, m.now())
	if err != nil {
		return evidence.Receipt{}, err
	}
	e := &entry{Entry: in}
	if doc.Text != in.Document.Text && len(in.Notes) == 0 {
		in.Notes = append(in.Notes, "the text was not valid UTF-8: invalid bytes were replaced by '?'")
	}
	if err := m.takeVectors(ctx, e, chunks); err != nil {
		return evidence.Receipt{}, err
	}
	r := evidence.Receipt{DocumentID: doc.ID}
	err = m.write(ctx, "storing a document", func(tx attempt) error {
		r.Documents, r.Chunks, r.Deduplicated, r.Warnings = 0, 0, false, slices.Clone(e.Notes)
		return m.putEntry(ctx, tx, e, &r)
	})
	if err != nil {
		return evidence.Receipt{}, err
	}
	return r, nil
}

// storable removes what PostgreSQL cannot store: zero bytes in tags and metadata, and
// times outside of its range.
func (m *Memory) storable(doc evidence.Document) evidence.Document {
	doc.Published, doc.Retrieved = within(doc.Published), within(doc.Retrieved)
	doc.Tags = slices.Clone(doc.Tags)
	for i := range doc.Tags {
		doc.Tags[i] = withoutZero(doc.Tags[i])
	}
	meta := make(map[string]string, len(doc.Meta))
	for k, v := range doc.Meta {
		meta[withoutZero(k)] = withoutZero(v)
	}
	doc.Meta = meta
	return doc
}

func withoutZero(s string) string { return strings.ReplaceAll(s, "\x00", " ") }

// within is t to the microsecond, or zero if PostgreSQL has no such time.
func within(t time.Time) time.Time {
	if t.Year() < intake.FirstYear || t.Year() > intake.LastYear {
		return time.Time{}
	}
	return t.UTC().Truncate(time.Microsecond)
}

// putEntry writes e and fills r.
func (m *Memory) putEntry(ctx context.Context, tx pgx.Tx, e *entry, r *evidence.Receipt) error {
	old, err := m.lockDoc(ctx, tx, e.Document.ID)
	if err != nil {
		return err
	}
	return m.putOver(ctx, tx, old, e, r)
}

// putOver writes e where old is, which is locked.
func (m *Memory) putOver(ctx context.Context, tx pgx.Tx, old storedDoc, e *entry, r *evidence.Receipt) (err error) {
	it := *e // what it takes over from the stored document is not there if the transaction fails
	e = &it
	r.Chunks = len(e.Pieces)
	if old.id != 0 && old.hash == e.Hash {
		r.Deduplicated = true
		if slices.Equal(old.cuts, cutsOf(e.Pieces)) {
			return m.refresh(ctx, tx, old, e)
		}
		// The text is the same; its chunks have changed.
	}
	if !r.Deduplicated {
		r.Documents = 1
	}
	if old.id != 0 {
		if err := m.removePassages(ctx, tx, []int64{old.id}); err != nil {
			return err
		}
		err = m.updateDoc(ctx, tx, old, e)
	} else {
		old.id, err = m.insertDoc(ctx, tx, e)
	}
	if err != nil {
		return err
	}
	return m.insertPassages(ctx, tx, old.id, e)
}

// storedDoc is what Put needs to know of a stored document.
type storedDoc struct {
	id     int64
	hash   string
	bytes  int64
	pinned bool
	tags   []string
	cuts   []int32 // start and stop of each passage
}

func (m *Memory) findDoc(ctx context.Context, tx pgx.Tx, uid string) (storedDoc, error) {
	var k storedDoc
	err := tx.QueryRow(ctx, `select id, hash, bytes, pinned, tags,
			coalesce((select array_agg(c order by ord, n) from passage p, unnest(array[p.start, p.stop]) with ordinality u(c, n) where p.tenant = d.tenant and p.doc = d.id), '{}')
		from doc d where tenant = $1 and uid = $2`, m.tenant, uid).Scan(&k.id, &k.hash, &k.bytes, &k.pinned, &k.tags, &k.cuts)
	if errors.Is(err, pgx.ErrNoRows) {
		return storedDoc{}, nil
	}
	return k, err
}

func cutsOf(pieces []intake.Piece) []int32 {
	out := make([]int32, 0, 2*len(pieces))
	for _, p := range pieces {
		out = append(out, int32(p.Start), int32(p.Stop)) //nolint:gosec // MaxText is smaller
	}
	return out
}

func (e *entry) terms() int64 {
	n := int64(0)
	for _, p := range e.Pieces {
		n += int64(p.Count)
	}
	return n
}

// docFields are the columns that Put sets, in the order of docValues, from $2 on.
const docFields = `uid, source, url, title, language, license, revision, published, retrieved, score, untrusted, truncated,
	pinned, own, turn, hash, bytes, chunks, terms, words, tags, meta`

const docMarks = "$2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23"

func (m *Memory) docValues(e *entry) []any {
	d := e.Document
	var published *time.Time
	if !d.Published.IsZero() {
		published = &d.Published
	}
	var turn *int64
	if e.Turn {
		turn = &e.Seq
	}
	return []any{m.tenant, d.ID, d.Source, d.URL, d.Title, d.Language, d.License, d.Revision, published, d.Retrieved, d.Score, d.Untrusted, d.Truncated,
		e.Pinned, e.Session == "", turn, e.Hash, int64(len(d.Text)), len(e.Pieces), e.terms(), rank.WordsVersion, d.Tags, d.Meta}
}

func (m *Memory) insertDoc(ctx context.Context, tx pgx.Tx, e *entry) (id int64, err error) {
	err = tx.QueryRow(ctx, "insert into doc(tenant, "+docFields+") values($1, "+docMarks+") returning id", m.docValues(e)...).Scan(&id)
	if err != nil {
		return 0, err
	}
	_, err = tx.Exec(ctx, "insert into body(tenant, doc, text) values($1, $2, $3)", m.tenant, id, []byte(e.Document.Text))
	return id, errors.Join(err, m.count(ctx, tx, 0, tally{documents: 1, bytes: int64(len(e.Document.Text))}))
}

// updateDoc replaces a document under its id. It stays pinned, and put outside
// of sessions, if it was.
func (m *Memory) updateDoc(ctx context.Context, tx pgx.Tx, old storedDoc, e *entry) error {
	e.Pinned = e.Pinned || old.pinned
	if old.hash == e.Hash {
		e.Document.Tags = union(old.tags, e.Document.Tags)
	}
	_, err := tx.Exec(ctx, "update doc set ("+docFields+") = ("+strings.Replace(docMarks, "$15,", "own or $15,", 1)+") where tenant = $1 and id = $24", append(m.docValues(e), old.id)...)
	if err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, "update body set text = $3 where tenant = $1 and doc = $2", m.tenant, old.id, []byte(e.Document.Text)); err != nil {
		return err
	}
	return m.count(ctx, tx, 0, tally{bytes: int64(len(e.Document.Text)) - old.bytes})
}

// insertPassages stores the passages of a document with their vectors and its session.
func (m *Memory) insertPassages(ctx context.Context, tx pgx.Tx, doc int64, e *entry) error {
	n := len(e.Pieces)
	starts, stops, hashes, stems := make([]int32, n), make([]int32, n), make([]int64, n), make([]string, n)
	for i, p := range e.Pieces {
		starts[i], stops[i], hashes[i], stems[i] = int32(p.Start), int32(p.Stop), int64(p.Simhash), codedAll(p.Terms) //nolint:gosec // MaxText is smaller; bits
	}
	b := &pgx.Batch{}
	b.Queue(`insert into passage(tenant, doc, ord, start, stop, simhash, stems)
		select $1, $2, n - 1, a, b, h, s from unnest($3::int[], $4::int[], $5::bigint[], $6::text[]) with ordinality u(a, b, h, s, n)`,
		m.tenant, doc, starts, stops, hashes, stems)
	m.attach(b, doc, e)
	m.queueCount(b, 0, tally{chunks: int64(n), terms: e.terms()})
	e.queueVectors(b, m.tenant, doc)
	m.queueDocument(b, doc, n)
	b.Queue("insert into change(tenant, doc) values($1, $2)", m.tenant, doc)
	if err := tx.SendBatch(ctx, b).Close(); err != nil {
		return err
	}
	if e.model.id == 0 {
		return nil
	}
	return m.count(ctx, tx, e.model.id, tally{documents: 1, chunks: int64(n)})
}

// attach links a document to its session.
func (m *Memory) attach(b *pgx.Batch, doc int64, e *entry) {
	if e.Session != "" {
		b.Queue("insert into link(tenant, session, doc, put) values($1, $2, $3, true) on conflict(tenant, session, doc) do update set put = true where not link.put", m.tenant, e.Session, doc)
	}
}

// refresh records that a stored text was retrieved again: it updates the
// retrieval time, and adds tags, a session and vectors of another model.
func (m *Memory) refresh(ctx context.Context, tx pgx.Tx, old storedDoc, e *entry) error {
	b := &pgx.Batch{}
	b.Queue(`update doc set retrieved = greatest(retrieved, $3), revision = case when $4 = '' then revision else $4 end,
		own = own or $5, pinned = pinned or $6, tags = $7 where tenant = $1 and id = $2`,
		m.tenant, old.id, e.Document.Retrieved, e.Document.Revision, e.Session == "", e.Pinned, union(old.tags, e.Document.Tags))
	m.attach(b, old.id, e)
	if err := tx.SendBatch(ctx, b).Close(); err != nil || e.model.id == 0 {
		return err
	}
	return m.completeVectors(ctx, tx, old.id, e)
}

func union(have, tags []string) []string {
	out := slices.Clone(have)
	for _, t := range tags {
		if !slices.Contains(out, t) {
			out = append(out, t)
		}
	}
	slices.Sort(out)
	if out == nil {
		out = []string{}
	}
	return out
}
