// Package transfer is the format in which a memory is exported: one JSON record a line,
// the same for all backends. It reads lines and checks them; a backend stores them.
package transfer

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
)

// Format is the version of the format.
const Format = 1

// Line is one record of an export; exactly one of its fields is set. The order
// is: header, models, documents, sessions, end.
type Line struct {
	Header   *HeaderLine   `json:"memory,omitempty"`
	Model    *ModelLine    `json:"model,omitempty"`
	Document *DocumentLine `json:"document,omitempty"`
	Session  *SessionLine  `json:"session,omitempty"`
	End      *EndLine      `json:"end,omitempty"` // without it the export is incomplete
}

// HeaderLine is the first line.
type HeaderLine struct {
	Format  int       `json:"format"`
	Written time.Time `json:"written_at"`
}

// ModelLine is a vector space.
type ModelLine struct {
	Name     string `json:"name"`
	Revision string `json:"revision"`
	Dims     int    `json:"dims"`
	Kind     string `json:"kind"`
	Active   bool   `json:"active,omitempty"`
}

// DocumentLine is a document with its chunks.
type DocumentLine struct {
	evidence.Document
	Hash     string       `json:"content_hash"`
	Own      bool         `json:"own,omitempty"` // put outside of sessions
	Pinned   bool         `json:"pinned,omitempty"`
	Chunks   [][2]int     `json:"chunks"` // byte offsets into the text
	Sessions []LinkLine   `json:"sessions,omitempty"`
	Vectors  []VectorLine `json:"vectors,omitempty"`
}

// LinkLine is a session of a document.
type LinkLine struct {
	ID  string `json:"id"`
	Put bool   `json:"put,omitempty"` // the session put the document; false: it cites it
}

// VectorLine is the vectors of a document in one space.
type VectorLine struct {
	Model    string `json:"model"`
	Revision string `json:"revision"`
	Data     []byte `json:"data"` // float32, little endian, one vector a chunk; all zeros: none
}

// SessionLine is a session with its turns.
type SessionLine struct {
	ID        string     `json:"id"`
	Title     string     `json:"title"`
	Summary   string     `json:"summary,omitempty"`
	SummaryTo int64      `json:"summary_to,omitempty"`
	Created   time.Time  `json:"created_at"`
	Updated   time.Time  `json:"updated_at"`
	Turns     []TurnLine `json:"turns"`
}

// TurnLine is a turn with its answer.
type TurnLine struct {
	Seq  int64            `json:"seq"`
	Role string           `json:"role"`
	Text string           `json:"text"`
	At   time.Time        `json:"at"`
	Run  *evidence.Answer `json:"run,omitempty"`
	Used []string         `json:"used,omitempty"` // documents that the answer was made from and does not cite
}

// EndLine says what came before it.
type EndLine struct {
	Documents int `json:"documents"`
	Sessions  int `json:"sessions"`
}

// ErrLine is the cause of a record that has no JSON form, such as one with a time after
// the year 9999.
var ErrLine = errors.New("it has a value that cannot be written")

// Write writes one line.
func Write(w io.Writer, l Line) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(l); err != nil {
		return fmt.Errorf("%w: %w", ErrLine, err)
	}
	_, err := w.Write(b.Bytes())
	return err
}

// Encode makes the data of a VectorLine.
func Encode(v []float32) []byte {
	out := make([]byte, 4*len(v))
	for i, x := range v {
		binary.LittleEndian.PutUint32(out[4*i:], math.Float32bits(x))
	}
	return out
}

// Decode is the inverse of Encode for n vectors, each of which is zero or of unit length.
func Decode(b []byte, n int) ([]float32, error) {
	if n <= 0 || len(b)%(4*n) != 0 {
		return nil, fmt.Errorf("got %d bytes for %d vectors", len(b), n)
	}
	out := make([]float32, len(b)/4)
	for i := range out {
		out[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	dims := len(out) / n
	for at := 0; at < len(out); at += dims {
		sum := 0.0
		for _, x := range out[at : at+dims] {
			sum += float64(x) * float64(x)
		}
		if math.IsNaN(sum) || sum != 0 && math.Abs(sum-1) > unitError {
			return nil, fmt.Errorf("vector %d is not of unit length", at/dims)
		}
	}
	return out, nil
}

// unitError is how far from 1 the square of a vector's length may be: a backend may keep
// numbers of half precision.
const unitError = 0.01
