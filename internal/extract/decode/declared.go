package decode

import (
	"bytes"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/ianaindex"

	"github.com/research-mcp/research-mcp/internal/text"
)

// declaration is an encoding that was declared.
type declaration struct {
	label   string // as it was written
	name    string // of the standard; "" if it is unknown
	decoder encoding.Encoding
}

func (c declaration) decode(raw []byte, cut bool) Result {
	return convert(c.decoder.NewDecoder(), c.name, raw, cut)
}

// maxPrescan is how many bytes of a page are searched for a <meta> element: browsers
// stop after 1024, and pages with long scripts in their head name it later.
const maxPrescan = 256 << 10

var (
	charsetParameter = text.Pattern(`(?i)charset\s*=\s*["']?\s*([^\s"';,>]{1,64})`)
	xmlDeclaration   = text.Pattern(`^\s*<\?xml\s[^>]{0,200}?encoding\s*=\s*["']([^"']{1,64})["']`)
)

// declarations are the encodings that the bytes and the header name, in the order in
// which they count. A label that no standard knows has no decoder.
func declarations(raw []byte, h Hints) []declaration {
	var out []declaration
	add := func(label string) {
		if label = strings.ToLower(strings.TrimSpace(label)); label != "" {
			out = append(out, lookup(label))
		}
	}
	if m := charsetParameter().FindStringSubmatch(h.ContentType); m != nil {
		add(m[1])
	}
	if m := xmlDeclaration().FindSubmatch(raw[:min(len(raw), 512)]); m != nil {
		add(string(m[1]))
	}
	if h.Markup {
		add(metaCharset(raw[:min(len(raw), maxPrescan)]))
	}
	if h.XML && len(out) == 0 {
		add("utf-8")
	}
	return out
}

// metaCharset is the encoding that a <meta> element of a page names, or "". Elements
// in comments and scripts do not count.
func metaCharset(head []byte) string {
	z := html.NewTokenizer(bytes.NewReader(head))
	for {
		switch z.Next() {
		case html.ErrorToken:
			return ""
		case html.StartTagToken, html.SelfClosingTagToken:
			name, more := z.TagName()
			if atom.Lookup(name) != atom.Meta || !more {
				continue
			}
			if label := metaLabel(z); label != "" {
				return label
			}
		}
	}
}

// metaLabel is the encoding that the attributes of a <meta> element name, or "".
func metaLabel(z *html.Tokenizer) string {
	label, content, isType := "", "", false
	for more := true; more; {
		var key, value []byte
		key, value, more = z.TagAttr()
		switch string(key) {
		case "charset":
			label = string(value)
		case "content":
			content = string(value)
		case "http-equiv":
			isType = strings.EqualFold(string(value), "content-type")
		}
	}
	if m := charsetParameter().FindStringSubmatch(content); label == "" && isType && m != nil {
		label = m[1]
	}
	return label
}

// aliases are names that programs write and the standards lack.
var aliases = map[string]string{
	"cp932": "shift_jis", "cp936": "gbk", "cp949": "euc-kr", "cp950": "big5", "cp65001": "utf-8", "utf8mb4": "utf-8",
	"cp1250": "windows-1250", "cp1251": "windows-1251", "cp1252": "windows-1252", "gb2312-80": "gbk", "iso8859-1": "windows-1252",
}

// lookup finds the encoding of a label in the WHATWG standard, else in IANA's list.
func lookup(label string) declaration {
	c := declaration{label: label}
	known := label
	if other, ok := aliases[label]; ok {
		known = other
	}
	enc, err := htmlindex.Get(known)
	if err == nil {
		c.name, err = htmlindex.Name(enc)
	}
	if err != nil || c.name == "replacement" {
		if name, enc := ownEncoding(known); enc != nil {
			return declaration{label: label, name: name, decoder: enc}
		}
		if enc, err = ianaindex.IANA.Encoding(known); err != nil || enc == nil {
			return declaration{label: label}
		}
		c.name = label
	}
	if !strings.HasPrefix(c.name, "utf-") { // those are decoded by what the bytes say
		c.decoder = enc
	}
	return c
}
