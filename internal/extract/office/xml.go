package office

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"io"
	"strings"

	"github.com/research-mcp/research-mcp/internal/extract/decode"
)

// Bounds of a part.
const (
	maxElements = 700_000
	maxDepth    = 200 // elements within each other; what is deeper is left out
)

// errTooLarge: a tree was cut.
var errTooLarge = errors.New("the part has too many elements")

// node is an element. Names have no prefix: within a part they do not collide where it
// matters.
type node struct {
	name  string
	attrs []xml.Attr
	kids  []*node // a text is a node without a name
	text  string
}

// parseXML reads XML. If it is damaged or too large, the tree has what comes before,
// and err says so.
func parseXML(ctx context.Context, raw []byte) (*node, error) {
	d := newDecoder(raw)
	root := &node{}
	stack := []*node{root}
	skipped := 0
	for count := 0; ; count++ {
		if count > maxElements {
			return root, errTooLarge
		}
		if count%4096 == 0 && ctx.Err() != nil {
			return root, ctx.Err()
		}
		t, err := d.Token()
		if errors.Is(err, io.EOF) {
			return root, nil
		}
		if err != nil {
			return root, errors.New("a part is no well-formed XML")
		}
		top := stack[len(stack)-1]
		switch t := t.(type) {
		case xml.StartElement:
			if len(stack) > maxDepth {
				skipped++
				continue
			}
			n := &node{name: t.Name.Local, attrs: copyAttrs(t.Attr)}
			top.kids = append(top.kids, n)
			stack = append(stack, n)
		case xml.EndElement:
			if skipped > 0 {
				skipped--
			} else if len(stack) > 1 {
				stack = stack[:len(stack)-1]
			}
		case xml.CharData:
			if skipped == 0 && len(stack) > 1 {
				top.kids = append(top.kids, &node{text: string(t)})
			}
		}
	}
}

// newDecoder decodes any encoding. encoding/xml expands no entities of a DTD.
func newDecoder(raw []byte) *xml.Decoder {
	d := xml.NewDecoder(bytes.NewReader(raw))
	d.CharsetReader = func(string, io.Reader) (io.Reader, error) {
		return nil, errors.New("an encoding")
	}
	if !bytes.HasPrefix(raw, []byte("<?xml")) || bytes.Contains(raw[:min(len(raw), 100)], []byte("encoding")) {
		d = xml.NewDecoder(strings.NewReader(decode.Bytes(raw, decode.Hints{XML: true}).Text))
	}
	d.CharsetReader = func(_ string, in io.Reader) (io.Reader, error) { return in, nil } // it is UTF-8 by now
	return d
}

func copyAttrs(attrs []xml.Attr) []xml.Attr {
	if len(attrs) == 0 {
		return nil
	}
	return append([]xml.Attr(nil), attrs...)
}

// attr is the value of an attribute by its name without a prefix.
func (n *node) attr(name string) string {
	if n == nil {
		return ""
	}
	for _, a := range n.attrs {
		if a.Name.Local == name && a.Name.Space != relationSpace {
			return a.Value
		}
	}
	return ""
}

const relationSpace = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"

// relation is the id of a relation that an attribute names.
func (n *node) relation(name string) string {
	for _, a := range n.attrs {
		if a.Name.Local == name && (a.Name.Space == relationSpace || strings.HasSuffix(a.Name.Space, "/relationships")) {
			return a.Value
		}
	}
	return ""
}

// child is the first child of a name, nil if there is none.
func (n *node) child(path ...string) *node {
	for _, name := range path {
		if n == nil {
			return nil
		}
		var found *node
		for _, k := range n.kids {
			if k.name == name {
				found = k
				break
			}
		}
		n = found
	}
	return n
}

// find is the first descendant of a name, nil if there is none.
func (n *node) find(name string) *node {
	if n == nil {
		return nil
	}
	for _, k := range n.kids {
		if k.name == name {
			return k
		}
		if found := k.find(name); found != nil {
			return found
		}
	}
	return nil
}

// all are the descendants of a name that are not within each other.
func (n *node) all(name string) (out []*node) {
	if n == nil {
		return nil
	}
	for _, k := range n.kids {
		if k.name == name {
			out = append(out, k)
		} else {
			out = append(out, k.all(name)...)
		}
	}
	return out
}

// elements are the children that are no text.
func (n *node) elements() (out []*node) {
	if n == nil {
		return nil
	}
	for _, k := range n.kids {
		if k.name != "" {
			out = append(out, k)
		}
	}
	return out
}

// allText is the text of n and its descendants.
func (n *node) allText() string {
	if n == nil {
		return ""
	}
	var b strings.Builder
	n.writeText(&b)
	return b.String()
}

func (n *node) writeText(b *strings.Builder) {
	b.WriteString(n.text)
	for _, k := range n.kids {
		k.writeText(b)
	}
}

// on reports whether an element switches a property on: it is there, and says nothing
// else.
func (n *node) on() bool {
	switch n.attr("val") {
	case "0", "false", "off", "none":
		return false
	}
	return n != nil
}
