package sources

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
)

// loose reads a JSON string or number as text and anything else as empty, so
// that one odd field does not cost the whole answer.
type loose string

// UnmarshalJSON never fails.
func (l *loose) UnmarshalJSON(b []byte) error {
	*l = ""
	var s string
	var n json.Number
	switch {
	case len(b) > 0 && b[0] == '"' && json.Unmarshal(b, &s) == nil:
		*l = loose(s)
	case json.Unmarshal(b, &n) == nil:
		*l = loose(n.String())
	}
	return nil
}

// maybe reads a JSON value of the expected shape and leaves out any other, so
// that one odd field does not cost the whole document.
type maybe[T any] struct{ v T }

// UnmarshalJSON never fails.
func (m *maybe[T]) UnmarshalJSON(b []byte) error {
	var v T
	if json.Unmarshal(b, &v) == nil {
		m.v = v
	}
	return nil
}

// decodeEach decodes the items of a list one by one and leaves out those of
// another shape. It reports false when there are items and none can be read.
func decodeEach[T any](items []json.RawMessage) ([]T, bool) {
	out := make([]T, 0, len(items))
	for _, raw := range items {
		var v T
		if json.Unmarshal(raw, &v) == nil {
			out = append(out, v)
		}
	}
	return out, len(items) == 0 || len(out) > 0
}

// decodeHits is decodeEach for the services that send an empty list when they
// found nothing: it reports false where there is no list at all, too.
func decodeHits[T any](items []json.RawMessage) ([]T, bool) {
	out, ok := decodeEach[T](items)
	return out, ok && items != nil
}

// maxItems is how many items of one list are read: far more than any source
// asks for. An answer of five megabytes may hold a million empty ones, each of
// which would cost a hundred times its own bytes.
const maxItems = 1000

// capped is a list in an answer, of at most maxItems items. Further ones are
// skipped and take no memory. It is nil where the answer has no list, and empty
// where it has an empty one.
type capped[T any] []T

var errNoList = errors.New("not a list")

// UnmarshalJSON reads a list or null. An item of another shape is an error, as
// it is for a slice.
func (c *capped[T]) UnmarshalJSON(b []byte) error {
	*c = nil
	if string(b) == "null" {
		return nil
	}
	if len(b) == 0 || b[0] != '[' {
		return errNoList
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	if _, err := dec.Token(); err != nil {
		return err
	}
	out := capped[T]{}
	for dec.More() && len(out) < maxItems {
		var item T
		if err := dec.Decode(&item); err != nil {
			return err
		}
		out = append(out, item)
	}
	*c = out
	return nil
}

// UnmarshalXML reads one element of the list.
func (c *capped[T]) UnmarshalXML(d *xml.Decoder, start xml.StartElement) error {
	if len(*c) >= maxItems {
		return d.Skip()
	}
	var item T
	if err := d.DecodeElement(&item, &start); err != nil {
		return err
	}
	*c = append(*c, item)
	return nil
}
