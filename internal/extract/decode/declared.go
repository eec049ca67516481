package decode

import (
	"bytes"
	"strings"
	stdunicode "unicode"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/ianaindex"
	"golang.org/x/text/encoding/unicode"
	utf32enc "golang.org/x/text/encoding/unicode/utf32"

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

// utf16 decodes UTF-16 without its byte order mark. An incomplete last unit is dropped
// if the bytes were cut.
func utf16(raw []byte, name string, cut bool) Result {
	order := unicode.LittleEndian
	if name == "utf-16be" {
		order = unicode.BigEndian
	}
	if cut {
		raw = raw[:len(raw)&^1]
	}
	return convert(unicode.UTF16(order, unicode.IgnoreBOM).NewDecoder(), name, raw, cut)
}

func utf32(raw []byte, bigEndian bool) Result {
	order, name := utf32enc.LittleEndian, "utf-32le"
	if bigEndian {
		order, name = utf32enc.BigEndian, "utf-32be"
	}
	return convert(utf32enc.UTF32(order, utf32enc.IgnoreBOM).NewDecoder(), name, raw, true)
}

// unmarkedUTF16 returns the name of the UTF-16 form in which the bytes are mostly ASCII,
// or a text of another script with some ASCII, or "".
func unmarkedUTF16(raw []byte) string {
	raw = raw[:min(len(raw), 4096)&^1]
	if len(raw) < 4 || bytes.IndexByte(raw, 0) < 0 {
		return ""
	}
	little, big := 0, 0
	for i := 0; i < len(raw); i += 2 {
		switch a, b := raw[i], raw[i+1]; {
		case b == 0 && isTextByte(a):
			little++
		case a == 0 && isTextByte(b):
			big++
		}
	}
	switch most := len(raw) / 2 * 3 / 5; {
	case little > most && big == 0:
		return "utf-16le"
	case big > most && little == 0:
		return "utf-16be"
	case little > 8*big && isScriptInUTF16(raw, "utf-16le", little): // U+3000 looks like ASCII of the other form
		return "utf-16le"
	case big > 8*little && isScriptInUTF16(raw, "utf-16be", big):
		return "utf-16be"
	}
	return ""
}

// minUnits is how many UTF-16 units without a mark tell a text from data.
const minUnits = 24

// isScriptInUTF16 reports whether raw is a text in a form of UTF-16 in which ascii of
// its units are ASCII, which no text is without: spaces, digits, markup.
func isScriptInUTF16(raw []byte, name string, ascii int) bool {
	units := len(raw) / 2
	if units < minUnits || ascii*20 < units {
		return false
	}
	r := utf16(raw, name, true)
	return r.Replaced == 0 && strings.ContainsAny(r.Text, " \n<") && !strings.ContainsFunc(r.Text, func(c rune) bool {
		return !stdunicode.IsGraphic(c) && !stdunicode.IsSpace(c) && !stdunicode.Is(stdunicode.Cf, c)
	})
}

func isTextByte(c byte) bool { return c >= ' ' && c < 0x7F || c == '\n' || c == '\r' || c == '\t' }
