package sources

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
)

// maxItems is how many items of one list are read: far more than any source
// asks for. An answer of five megabytes may hold a million empty ones, each of
// which would cost a hundred times its own bytes.
const maxItems = 1000

// few is a list in an answer: its first maxItems items. The others are passed
// over and take no memory. It is nil where the answer has none, and empty where
// it has an empty one.
type few[T any] []T

var errNoList = errors.New("not a list")

// UnmarshalJSON reads a list or null. An item of another shape is an error, as
// it is for a slice.
func (f *few[T]) UnmarshalJSON(b []byte) error {
	*f = nil
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
	out := few[T]{}
	for dec.More() && len(out) < maxItems {
		var item T
		if err := dec.Decode(&item); err != nil {
			return err
		}
		out = append(out, item)
	}
	*f = out
	return nil
}

// UnmarshalXML reads one element of the list.
func (f *few[T]) UnmarshalXML(d *xml.Decoder, start xml.StartElement) error {
	if len(*f) >= maxItems {
		return d.Skip()
	}
	var item T
	if err := d.DecodeElement(&item, &start); err != nil {
		return err
	}
	*f = append(*f, item)
	return nil
}
