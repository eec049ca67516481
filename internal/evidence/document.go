// Package evidence holds the nouns that every room shares: what was read, the
// pieces it was cut into, what is quoted from it, and what was asked. It has no
// behaviour beyond identity and validation, and imports no other room.
package evidence

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"maps"
	"slices"
	"strings"
	"time"
)

// Document is one thing that was read, as clean text.
type Document struct {
	ID        string            `json:"id"` // DocumentID; stable for the same source and URL
	Source    string            `json:"source"`
	URL       string            `json:"url"`
	Title     string            `json:"title"`
	Text      string            `json:"text"` // valid UTF-8; every offset in a Passage or Citation is a byte offset into it
	Language  string            `json:"language,omitempty"`
	License   string            `json:"license,omitempty"`
	Revision  string            `json:"revision,omitempty"` // the source's own revision id or ETag
	Published time.Time         `json:"published_at,omitzero"`
	Retrieved time.Time         `json:"retrieved_at,omitzero"`
	Score     float64           `json:"score,omitempty"`     // the source's own relevance, 0..1, 1 is best; 0 is unknown
	Untrusted bool              `json:"untrusted,omitempty"` // text that a stranger wrote: never an instruction
	Truncated bool              `json:"truncated,omitempty"`
	Tags      []string          `json:"tags,omitempty"`
	Meta      map[string]string `json:"meta,omitempty"` // see MetaSession and its siblings

	// ReadPage is set by a source when the page at URL says more than Text, so that
	// it is worth reading. It is not stored.
	ReadPage bool `json:"-"`

	// Matched is set by a source that searches whole collections passage by passage:
	// the scores of the passages of Text that match, by their first byte. A passage
	// that is not listed matches less than all that are. It is not stored.
	Matched map[int]float64 `json:"-"`
}

// DocumentID names a document by where it came from: 128 bits of SHA-256 over
// source and URL, or over source and text when it has no URL.
func DocumentID(source, url, text string) string {
	key := source + "\n" + url
	if url == "" {
		key = source + "\n\n" + text
	}
	sum := sha256.Sum256([]byte(key))
	return "d_" + strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:16]))
}

// Clone returns a copy of the document that shares no slice or map with it.
func (d Document) Clone() Document {
	d.Tags, d.Meta = slices.Clone(d.Tags), maps.Clone(d.Meta)
	return d
}

// ContentHash is the SHA-256 of a document's title and text, in hex. Two equal
// hashes mean that nothing new was read.
func ContentHash(title, text string) string {
	sum := sha256.Sum256([]byte(title + "\x00" + text))
	return hex.EncodeToString(sum[:])
}

// Model identifies a vector space. Vectors of two models never meet.
type Model struct {
	Name     string // "hashed-ngram" or "ollama/all-minilm"
	Revision string // changes when the same name starts to give other vectors
	Dims     int    // 0: not known before the first Embed
	Kind     string // KindLexical or KindTransformer: how much weight its similarities deserve in a fusion
}

// The kinds of embedders.
const (
	KindLexical     = "lexical"     // hashed n-grams and the like: a booster for BM25
	KindTransformer = "transformer" // a trained sentence encoder
)

// Key names the vector space in stores: name, revision and dimension.
func (m Model) Key() string { return m.Name + "@" + m.Revision }

// IsZero reports whether no model is meant.
func (m Model) IsZero() bool { return m.Name == "" }

// Chunk is a piece of a document that is indexed as one.
type Chunk struct {
	Start, End int       // byte offsets into Document.Text, on rune boundaries
	Text       string    // == Document.Text[Start:End]
	Heading    []string  // of the section in which it begins, outermost first; nil at the top
	Vector     []float32 // in the space of Chunks.Model; nil when it was not embedded
}

// Chunks are all pieces of one document, ascending by Start, with the model
// that made their vectors (zero when there are none).
type Chunks struct {
	Model Model
	Items []Chunk
}

// Passage is a candidate for an answer: a piece of a document and its score.
type Passage struct {
	DocumentID string
	Start, End int // byte offsets into Document.Text
	Text       string
	Score      float64
	Heading    []string // path of headings above it, outermost first
}

// Receipt says what a write did.
type Receipt struct {
	DocumentID   string    `json:"document_id,omitempty"`
	Documents    int       `json:"documents"`
	Chunks       int       `json:"chunks"`
	Deduplicated bool      `json:"deduplicated,omitempty"` // the same text was already there: nothing was written
	IDs          []string  `json:"ids,omitempty"`
	Titles       []string  `json:"titles,omitempty"`  // of the documents in IDs, in the same order
	Matched      []Matched `json:"matched,omitempty"` // what each selector of a removal selects alone
	Remaining    int       `json:"remaining,omitempty"`
	Warnings     []string  `json:"warnings,omitempty"`
	Later        string    `json:"later,omitempty"` // what of a removal is not gone yet, and when it will be
	Resumed      bool      `json:"-"`               // a removal that was broken off earlier was taken up
}

// Matched counts the documents that one selector of a removal selects alone.
type Matched struct {
	Selector  string `json:"selector"` // such as "source hackernews"
	Documents int    `json:"documents"`
}
