package local

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/text"
	"github.com/research-mcp/research-mcp/memory/contract"
)

// entry is a document prepared for writing before a lock is taken.
type entry struct {
	doc     evidence.Document // cleaned; Meta without the session
	session string
	pinned  bool
	turn    sql.NullInt64
	hash    string
	chunks  []chunkRow
	model   evidence.Model // zero if there are no vectors
	vectors []float32      // len(chunks)*model.Dims; each of unit length or zero
	notes   []string
}

type chunkRow struct {
	start, end int
	simhash    uint64
	terms      string
	n          int // terms
}

// Put stores a document; see contract.Store.
func (l *Local) Put(ctx context.Context, doc evidence.Document, chunks evidence.Chunks) (evidence.Receipt, error) {
	if err := ctx.Err(); err != nil {
		return evidence.Receipt{}, err
	}
	e, err := l.prepareEntry(doc, chunks)
	if err != nil {
		return evidence.Receipt{}, err
	}
	r := evidence.Receipt{DocumentID: doc.ID}
	err = l.write(ctx, "storing a document", func(tx *sql.Tx) error {
		r.Documents, r.Chunks, r.Deduplicated, r.Warnings = 0, 0, false, slices.Clone(e.notes)
		return putEntry(ctx, tx, e, &r)
	})
	if err != nil {
		return evidence.Receipt{}, err
	}
	return r, nil
}

// prepareEntry checks and cleans a document, and does the work that needs no
// lock.
func (l *Local) prepareEntry(doc evidence.Document, chunks evidence.Chunks) (*entry, error) {
	if doc.ID == "" {
		return nil, evidence.BadInput("a document without an id cannot be stored", "give it the id of its source and URL")
	}
	if len(doc.ID) > contract.MaxID {
		return nil, evidence.BadInput(fmt.Sprintf("the id %.40q… of a document is %d bytes; the limit is %d", doc.ID, len(doc.ID), contract.MaxID), "give it a shorter one")
	}
	if len(doc.Text) > l.cfg.MaxText {
		return nil, evidence.BadInput(fmt.Sprintf("the text of %q is %d bytes; the limit is %d", name(doc), len(doc.Text), l.cfg.MaxText),
			"split it into parts")
	}
	e := &entry{doc: cleaned(doc)}
	if e.doc.Text != doc.Text {
		e.notes = append(e.notes, "the text was not valid UTF-8: invalid bytes were replaced by '?'")
	}
	if e.doc.Retrieved.IsZero() {
		e.doc.Retrieved = l.now()
	}
	e.session, e.pinned = e.doc.Meta[evidence.MetaSession], e.doc.Meta[evidence.MetaPinned] == "true"
	delete(e.doc.Meta, evidence.MetaSession)
	if e.doc.Meta[evidence.MetaKind] == evidence.KindTurn {
		seq, _ := strconv.ParseInt(e.doc.Meta[evidence.MetaSeq], 10, 64) // absent: ordered as they were put
		e.turn = sql.NullInt64{Int64: seq, Valid: true}
	}
	e.hash = evidence.ContentHash(e.doc.Title, e.doc.Text)
	if err := e.splitChunks(l.voc, chunks.Items); err != nil {
		return nil, err
	}
	e.takeVectors(chunks)
	return e, nil
}

func name(doc evidence.Document) string {
	for _, s := range []string{doc.Title, doc.URL, doc.ID} {
		if s != "" {
			s, _ = text.Cut(s, 80)
			return s
		}
	}
	return ""
}

// cleaned returns a copy that shares nothing with the caller. Each invalid byte
// is replaced by one byte, so that offsets into the text stay valid.
func cleaned(doc evidence.Document) evidence.Document {
	doc.Text = validSameLength(doc.Text)
	for _, s := range []*string{&doc.ID, &doc.Source, &doc.URL, &doc.Title, &doc.Language, &doc.License, &doc.Revision} {
		*s = strings.ToValidUTF8(strings.ReplaceAll(*s, "\x00", " "), "\uFFFD")
	}
	tags := make([]string, 0, min(len(doc.Tags), contract.MaxTags))
	for _, t := range doc.Tags {
		t, _ = text.Cut(strings.TrimSpace(strings.ToValidUTF8(t, "\uFFFD")), contract.MaxTag)
		if t != "" && len(tags) < contract.MaxTags && !slices.Contains(tags, t) {
			tags = append(tags, t)
		}
	}
	slices.Sort(tags)
	doc.Tags = tags
	if len(doc.URL) > contract.MaxURL {
		doc.URL = "" // an address cut short would be another one
	}
	doc.Title, _ = text.Cut(doc.Title, contract.MaxTitle)
	meta := make(map[string]string, min(len(doc.Meta), contract.MaxMeta))
	for _, k := range slices.Sorted(maps.Keys(doc.Meta)) {
		own := k == evidence.MetaSession || k == evidence.MetaPinned || k == evidence.MetaKind || k == evidence.MetaSeq
		if len(k) <= contract.MaxTag && (own || len(meta) < contract.MaxMeta) {
			v, _ := text.Cut(strings.ToValidUTF8(doc.Meta[k], "\uFFFD"), contract.MaxMetaValue)
			meta[strings.ToValidUTF8(k, "\uFFFD")] = v
		}
	}
	doc.Meta = meta
	if math.IsNaN(doc.Score) || math.IsInf(doc.Score, 0) {
		doc.Score = 0
	}
	return doc
}

func validSameLength(s string) string {
	if utf8.ValidString(s) && !strings.Contains(s, "\x00") {
		return s
	}
	b := []byte(s)
	for i := 0; i < len(b); {
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && n == 1 {
			b[i] = '?'
		} else if r == 0 {
			b[i] = ' '
		}
		i += n
	}
	return string(b)
}

// indexedTitle is how many bytes of the title are indexed with each chunk: with
// all of a long title, the size of the memory would be quadratic.
const indexedTitle = 300

func titleHead(title string) string {
	head, _ := text.Cut(title, indexedTitle)
	return head
}

// indexedHead is what is indexed with each chunk: the title, and the date of a turn.
func indexedHead(title string, published time.Time, turn bool) string {
	head := titleHead(title)
	if turn && !published.IsZero() {
		head += " " + published.UTC().Format("2 January 2006")
	}
	return head
}

func (e *entry) splitChunks(voc *vocabulary, items []evidence.Chunk) error {
	if len(items) == 0 {
		items = []evidence.Chunk{{Start: 0, End: len(e.doc.Text)}}
	}
	language := text.DetectLanguage(e.doc.Text)
	title := voc.Document(indexedHead(e.doc.Title, e.doc.Published, e.turn.Valid), language)
	for i, c := range items {
		if c.Start < 0 || c.End < c.Start || c.End > len(e.doc.Text) || !onRunes(e.doc.Text, c.Start) || !onRunes(e.doc.Text, c.End) {
			return evidence.BadInput(fmt.Sprintf("chunk %d of %q is not a piece of its text: bytes %d to %d of %d", i, name(e.doc), c.Start, c.End, len(e.doc.Text)),
				"cut the text of the document, on rune boundaries")
		}
		body := e.doc.Text[c.Start:c.End]
		terms := append(slices.Clone(title), voc.Document(body, language)...)
		e.chunks = append(e.chunks, chunkRow{start: c.Start, end: c.End, simhash: fingerprint(body), terms: strings.Join(terms, " "), n: len(terms)})
	}
	return nil
}

func onRunes(s string, i int) bool { return i == len(s) || utf8.RuneStart(s[i]) }

// minFingerprint is the fewest words of a text that can be a near-duplicate:
// shorter texts are alike by chance.
const minFingerprint = 12

func fingerprint(s string) uint64 {
	if len(strings.Fields(s)) < minFingerprint {
		return 0
	}
	return text.SimHash(s)
}

// putEntry writes e and fills r.
func putEntry(ctx context.Context, tx *sql.Tx, e *entry, r *evidence.Receipt) error {
	old, err := findDoc(ctx, tx, e.doc.ID)
	if err != nil {
		return err
	}
	if old.id != 0 && old.hash == e.hash {
		same, err := sameChunks(ctx, tx, old.id, e.chunks)
		if err != nil {
			return err
		}
		if same {
			r.Deduplicated, r.Chunks = true, len(e.chunks)
			return refresh(ctx, tx, old, e, r)
		}
		r.Deduplicated = true // the text is the same; its chunks have changed
	}
	if old.id != 0 {
		if err := removeChunks(ctx, tx, jsonIDs([]int64{old.id})); err != nil {
			return err
		}
		err = updateDoc(ctx, tx, old, e)
	} else {
		old.id, err = insertDoc(ctx, tx, e)
		r.Documents = 1
	}
	if err != nil {
		return err
	}
	if !r.Deduplicated {
		r.Documents = 1
	}
	r.Chunks = len(e.chunks)
	first, err := insertChunks(ctx, tx, old.id, e.chunks)
	if err != nil {
		return err
	}
	if err := attach(ctx, tx, old.id, e); err != nil {
		return err
	}
	if err := addVectors(ctx, tx, old.id, first, e, r); err != nil {
		return err
	}
	return logChange(ctx, tx, old.id)
}

// storedDoc is what Put needs to know of a stored document.
type storedDoc struct {
	id        int64
	hash      string
	bytes     int
	retrieved int64
	own       bool
	pinned    bool
	tags      string
}

func findDoc(ctx context.Context, tx *sql.Tx, uid string) (storedDoc, error) {
	var k storedDoc
	err := tx.QueryRowContext(ctx, "SELECT id, hash, bytes, retrieved, own, pinned, tags FROM doc WHERE uid=?", uid).
		Scan(&k.id, &k.hash, &k.bytes, &k.retrieved, &k.own, &k.pinned, &k.tags)
	if errors.Is(err, sql.ErrNoRows) {
		return storedDoc{}, nil
	}
	return k, err
}

func sameChunks(ctx context.Context, tx *sql.Tx, doc int64, cuts []chunkRow) (bool, error) {
	rows, err := tx.QueryContext(ctx, "SELECT start, stop FROM chunk WHERE doc=? ORDER BY ord", doc)
	if err != nil {
		return false, err
	}
	defer rows.Close()
	i := 0
	for ; rows.Next(); i++ {
		var start, stop int
		if err := rows.Scan(&start, &stop); err != nil {
			return false, err
		}
		if i >= len(cuts) || cuts[i].start != start || cuts[i].end != stop {
			return false, rows.Close()
		}
	}
	return i == len(cuts), rows.Err()
}

// refresh records that a stored text was retrieved again: it updates the
// retrieval time, and adds tags, a session and vectors of another model.
func refresh(ctx context.Context, tx *sql.Tx, old storedDoc, e *entry, r *evidence.Receipt) error {
	e.doc.Tags = union(old.tags, e.doc.Tags)
	tags, err := json.Marshal(e.doc.Tags)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `UPDATE doc SET retrieved=max(retrieved, ?), revision=CASE WHEN ?='' THEN revision ELSE ? END,
		own=max(own, ?), pinned=max(pinned, ?), tags=? WHERE id=?`,
		micros(e.doc.Retrieved), e.doc.Revision, e.doc.Revision, e.session == "", e.pinned, string(tags), old.id)
	if err != nil {
		return err
	}
	if err := attach(ctx, tx, old.id, e); err != nil {
		return err
	}
	if e.model.IsZero() {
		return nil
	}
	var first int64
	if err := tx.QueryRowContext(ctx, "SELECT id FROM chunk WHERE doc=? AND ord=0", old.id).Scan(&first); err != nil {
		return err
	}
	return addVectors(ctx, tx, old.id, first, e, r)
}

func union(stored string, tags []string) []string {
	var have []string
	_ = json.Unmarshal([]byte(stored), &have) // unreadable: no tags
	for _, t := range tags {
		if !slices.Contains(have, t) {
			have = append(have, t)
		}
	}
	slices.Sort(have)
	if have == nil {
		have = []string{}
	}
	return have
}

func micros(t time.Time) sql.NullInt64 {
	return sql.NullInt64{Int64: t.UnixMicro(), Valid: !t.IsZero()}
}

func fromMicros(n sql.NullInt64) time.Time {
	if !n.Valid {
		return time.Time{}
	}
	return time.UnixMicro(n.Int64).UTC()
}
