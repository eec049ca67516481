package sources

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"html"
	"slices"
	"strings"

	"github.com/research-mcp/research-mcp/internal/fetch"
)

// maxXMLDepth is far more than any service nests.
const maxXMLDepth = 64

// getXML sends a request and decodes the answer into v, whose root element must
// match. An answer that is not declared as XML is not decoded. accept is the
// service's own media type.
func (e endpoint) getXML(ctx context.Context, req fetch.Request, accept string, v any) (fetch.Response, error) {
	req.Accept = accept
	resp, err := e.client.Get(ctx, req)
	if err != nil {
		return fetch.Response{}, err
	}
	if !slices.Contains([]string{accept, "application/xml", "text/xml", "application/atom+xml"}, resp.ContentType) {
		return fetch.Response{}, &fetch.Error{Kind: fetch.ContentType, Host: e.base.Host, Detail: "answered something else instead of XML"}
	}
	if err := decodeXML(resp.Body, v); err != nil {
		return fetch.Response{}, notXML(e.base.Host)
	}
	return resp, nil
}

// notXML is the error for an answer that is cut off, garbage or of another shape.
func notXML(host string) error {
	return &fetch.Error{Kind: fetch.Malformed, Host: host, Detail: "the answer is not the XML that was expected"}
}

// decodeXML reads a document to the end of its root. Entities other than
// XML's own five are an error, so nothing expands.
func decodeXML(body []byte, v any) error {
	return xml.NewTokenDecoder(&depthLimiter{dec: xml.NewDecoder(bytes.NewReader(body))}).Decode(v)
}

// depthLimiter passes on raw tokens and fails when elements nest too deep: the
// decoder has every open element in memory, whether or not anything reads it.
type depthLimiter struct {
	dec   *xml.Decoder
	depth int
}

var errTooDeep = errors.New("elements nest too deep")

// Token returns the next raw token.
func (l *depthLimiter) Token() (xml.Token, error) {
	t, err := l.dec.RawToken()
	switch t.(type) {
	case xml.StartElement:
		if l.depth++; l.depth > maxXMLDepth {
			return nil, errTooDeep
		}
	case xml.EndElement:
		l.depth--
	}
	return t, err
}

// innerText is the text of an element with that of all elements inside it.
type innerText string

// UnmarshalXML reads to the element's end.
func (i *innerText) UnmarshalXML(d *xml.Decoder, _ xml.StartElement) error {
	var b strings.Builder
	err := readInside(d, func(t xml.Token) {
		if t, ok := t.(xml.CharData); ok {
			b.Write(t)
		}
	})
	*i = innerText(b.String())
	return err
}

// readInside calls visit for each token between the start tag that was read last and
// its end tag.
func readInside(d *xml.Decoder, visit func(xml.Token)) error {
	for depth := 1; ; {
		t, err := d.Token()
		if err != nil {
			return err
		}
		switch t.(type) {
		case xml.StartElement:
			depth++
		case xml.EndElement:
			if depth--; depth == 0 {
				return nil
			}
		}
		visit(t)
	}
}

// innerMarkup is the content of an element as HTML: the elements inside it by their
// names without prefixes, with their attributes, and text escaped.
type innerMarkup string

// UnmarshalXML reads to the element's end.
func (i *innerMarkup) UnmarshalXML(d *xml.Decoder, _ xml.StartElement) error {
	var b strings.Builder
	err := readInside(d, func(t xml.Token) {
		switch t := t.(type) {
		case xml.StartElement:
			b.WriteString("<" + t.Name.Local)
			for _, a := range t.Attr {
				b.WriteString(" " + a.Name.Local + `="` + html.EscapeString(a.Value) + `"`)
			}
			b.WriteByte('>')
		case xml.EndElement:
			b.WriteString("</" + t.Name.Local + ">")
		case xml.CharData:
			b.WriteString(html.EscapeString(string(t)))
		}
	})
	*i = innerMarkup(strings.TrimSpace(b.String()))
	return err
}
