package sources

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"slices"
	"strings"

	"github.com/research-mcp/research-mcp/internal/fetch"
)

// maxXMLDepth is far beyond what any service nests.
const maxXMLDepth = 64

// getXML asks for a URL and decodes its body into v, whose root element must
// match. What is not announced as XML is not decoded. accept is the service's
// own type of XML; host is named in errors.
func getXML(ctx context.Context, door *fetch.Client, req fetch.Request, host, accept string, v any) (fetch.Response, error) {
	req.Accept = accept
	resp, err := door.Get(ctx, req)
	if err != nil {
		return fetch.Response{}, err
	}
	if !slices.Contains([]string{accept, "application/xml", "text/xml", "application/atom+xml"}, resp.ContentType) {
		return fetch.Response{}, &fetch.Error{Kind: fetch.ContentType, Host: host, Detail: "answered something else instead of XML"}
	}
	if err := decodeXML(resp.Body, v); err != nil {
		return fetch.Response{}, notXML(host)
	}
	return resp, nil
}

// notXML is an answer that is cut, garbage or of another shape.
func notXML(host string) error {
	return &fetch.Error{Kind: fetch.Malformed, Host: host, Detail: "the answer is not the XML that was expected"}
}

// decodeXML reads a document to the end of its root. Entities other than
// XML's own five are an error, so nothing expands.
func decodeXML(body []byte, v any) error {
	return xml.NewTokenDecoder(&shallow{dec: xml.NewDecoder(bytes.NewReader(body))}).Decode(v)
}

// shallow passes tokens on until they nest too deep: the decoder keeps every
// open element, however useless, in memory.
type shallow struct {
	dec   *xml.Decoder
	depth int
}

var errTooDeep = errors.New("elements nest too deep")

// Token is the next raw one.
func (s *shallow) Token() (xml.Token, error) {
	t, err := s.dec.RawToken()
	switch t.(type) {
	case xml.StartElement:
		if s.depth++; s.depth > maxXMLDepth {
			return nil, errTooDeep
		}
	case xml.EndElement:
		s.depth--
	}
	return t, err
}

// rich is the text of an element with that of all elements inside it.
type rich string

// UnmarshalXML reads to the element's end.
func (r *rich) UnmarshalXML(d *xml.Decoder, _ xml.StartElement) error {
	var b strings.Builder
	for depth := 1; depth > 0; {
		t, err := d.Token()
		if err != nil {
			return err
		}
		switch t := t.(type) {
		case xml.StartElement:
			depth++
		case xml.EndElement:
			depth--
		case xml.CharData:
			b.Write(t)
		}
	}
	*r = rich(b.String())
	return nil
}
