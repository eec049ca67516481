// Package intake checks and cleans what is to be stored, and cuts it into the pieces
// that are indexed. All backends use it, so that the same document is the same in each.
package intake

import (
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
	"github.com/research-mcp/research-mcp/memory/rank"
)

// Entry is a document as it is to be stored.
type Entry struct {
	Document evidence.Document // cleaned; Meta without the session
	Session  string            // that puts it; empty: none
	Pinned   bool
	Turn     bool
	Seq      int64 // of a turn, in its conversation
	Hash     string
	Pieces   []Piece // at least one
	Notes    []string
}

// Piece is a chunk with what it is found by.
type Piece struct {
	Start, Stop int
	Simhash     uint64
	Terms       string // separated by single spaces
	Count       int    // of the terms
}

// Take checks and cleans a document; see contract.Store.Put for what is refused. now is
// the time of retrieval where the document has none.
func Take(doc evidence.Document, chunks []evidence.Chunk, voc *rank.Vocabulary, maxText int, now time.Time) (*Entry, error) {
	if doc.ID == "" {
		return nil, evidence.BadInput("a document without an id cannot be stored", "give it the id of its source and URL")
	}
	if err := checkLength("the id of a document", doc.ID, contract.MaxID); err != nil {
		return nil, err
	}
	if err := CheckName("the source of a document", doc.Source); err != nil {
		return nil, err
	}
	if err := CheckName("the session of a document", doc.Meta[evidence.MetaSession]); err != nil {
		return nil, err
	}
	if len(doc.Text) > maxText {
		return nil, evidence.BadInput(fmt.Sprintf("the text of %q is %d bytes; the limit is %d", Name(doc), len(doc.Text), maxText),
			"split it into parts")
	}
	e := &Entry{Document: Clean(doc)}
	d := &e.Document
	if d.Text != doc.Text {
		e.Notes = append(e.Notes, "the text was not valid UTF-8: invalid bytes were replaced by '?'")
	}
	if d.Retrieved.IsZero() {
		d.Retrieved = now
	}
	e.Session, e.Pinned = d.Meta[evidence.MetaSession], d.Meta[evidence.MetaPinned] == "true"
	delete(d.Meta, evidence.MetaSession)
	if d.Meta[evidence.MetaKind] == evidence.KindTurn {
		e.Turn = true
		e.Seq, _ = strconv.ParseInt(d.Meta[evidence.MetaSeq], 10, 64) // absent: ordered as they were put
	}
	e.Hash = evidence.ContentHash(d.Title, d.Text)
	return e, e.cut(chunks, voc)
}

// Name is what a message calls a document.
func Name(doc evidence.Document) string {
	for _, s := range []string{doc.Title, doc.URL, doc.ID} {
		if s != "" {
			s, _ = text.Cut(s, 80)
			return s
		}
	}
	return ""
}

// Clean returns a copy that shares nothing with the caller. Each invalid byte
// is replaced by one byte, so that offsets into the text stay valid.
func Clean(doc evidence.Document) evidence.Document {
	doc.Text = SameLength(doc.Text)
	for _, s := range []*string{&doc.ID, &doc.Source, &doc.URL, &doc.Title, &doc.Language, &doc.License, &doc.Revision} {
		*s = strings.ToValidUTF8(strings.ReplaceAll(*s, "\x00", " "), "\uFFFD")
	}
	tags := make([]string, 0, min(len(doc.Tags), contract.MaxTags))
	for _, t := range doc.Tags {
		if t = Tag(t); t != "" && len(tags) < contract.MaxTags && !slices.Contains(tags, t) {
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

// Tag is a tag as it is stored, and as filters look for it.
func Tag(t string) string {
	t = strings.ToValidUTF8(strings.ReplaceAll(t, "\x00", " "), "\uFFFD")
	t, _ = text.Cut(strings.TrimSpace(t), contract.MaxTag)
	return strings.TrimSpace(t)
}

// SameLength replaces each invalid or zero byte of s by one byte, so that offsets into
// it stay valid.
func SameLength(s string) string {
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

// TitleHead is what is compared of a title with each chunk.
func TitleHead(title string) string {
	head, _ := text.Cut(title, indexedTitle)
	return head
}

// IndexedHead is what is indexed with each chunk: the title, and the date of a turn.
func IndexedHead(title string, published time.Time, turn bool) string {
	head := TitleHead(title)
	if turn && !published.IsZero() {
		head += " " + published.UTC().Format("2 January 2006")
	}
	return head
}

// cut makes the pieces.
func (e *Entry) cut(items []evidence.Chunk, voc *rank.Vocabulary) error {
	d := &e.Document
	if len(items) == 0 {
		items = []evidence.Chunk{{Start: 0, End: len(d.Text)}}
	}
	language := text.DetectLanguage(d.Text)
	title := voc.Document(IndexedHead(d.Title, d.Published, e.Turn), language)
	for i, c := range items {
		if !IsPiece(d.Text, c.Start, c.End) {
			return evidence.BadInput(fmt.Sprintf("chunk %d of %q is not a piece of its text: bytes %d to %d of %d", i, Name(*d), c.Start, c.End, len(d.Text)),
				"cut the text of the document, on rune boundaries")
		}
		body := d.Text[c.Start:c.End]
		terms := append(slices.Clone(title), voc.Document(body, language)...)
		e.Pieces = append(e.Pieces, Piece{Start: c.Start, Stop: c.End, Simhash: fingerprint(body), Terms: strings.Join(terms, " "), Count: len(terms)})
	}
	return nil
}

// IsPiece reports whether bytes start to stop are a range of s on rune boundaries.
func IsPiece(s string, start, stop int) bool {
	return start >= 0 && stop >= start && stop <= len(s) && onRunes(s, start) && onRunes(s, stop)
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
