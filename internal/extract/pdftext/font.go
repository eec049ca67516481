package pdftext

import (
	"strings"
	"unicode/utf8"

	metrics "github.com/pdfcpu/pdfcpu/pkg/font"
	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/types"
	"golang.org/x/text/encoding"
)

// font says what the codes of a string are and how wide they are drawn.
type font struct {
	bold, mono bool
	composite  bool // codes of more than one byte
	unicode    *cmap
	table      byteTable // of a simple font
	codes      *cmap     // of a composite font; nil: two bytes, the glyph's number
	decoder    *encoding.Decoder
	widths     map[uint32]float64 // at size 1, by code or glyph number
	missing    float64            // the width of others
	exact      bool               // widths are known
	core       string             // one of the 14 fonts whose widths every reader knows
}

// drawn is a code of a string.
type drawn struct {
	text  string // "" if unknown
	width float64
	space bool // the single byte 32, to which word spacing applies
}

// fontOf reads a font once. It never fails: without a readable font, bytes are ASCII.
func (f *file) fontOf(o types.Object) *font {
	ref, shared := o.(types.IndirectRef)
	if known := f.fonts[ref]; shared && known != nil {
		return known
	}
	out := f.readFont(f.dict(o))
	if shared {
		f.fonts[ref] = out
	}
	return out
}

func (f *file) readFont(dict types.Dict) *font {
	out := &font{widths: map[uint32]float64{}, missing: 0.5}
	name := strings.ToLower(f.name(dict["BaseFont"]))
	out.bold = strings.Contains(name, "bold") || strings.Contains(name, "black") || strings.Contains(name, "heavy") || strings.Contains(name, "cmbx")
	out.mono = strings.Contains(name, "courier") || strings.Contains(name, "mono") || strings.Contains(name, "consol") || strings.Contains(name, "cmtt") || strings.Contains(name, "typewriter")
	if raw, damaged := f.stream(dict["ToUnicode"]); !damaged {
		out.unicode = parseCMap(raw)
	}
	if f.name(dict["Subtype"]) == "Type0" {
		f.readComposite(out, dict)
		return out
	}
	out.table = f.tableOf(dict)
	scale := 1.0 / 1000
	if m := f.numbers(dict["FontMatrix"], 6); f.name(dict["Subtype"]) == "Type3" && m != nil && m[0] != 0 {
		scale = m[0]
	}
	first, _ := f.number(dict["FirstChar"])
	for i, w := range f.array(dict["Widths"]) {
		if n, ok := f.number(w); ok && i < 256 {
			out.widths[uint32(max(0, first))+uint32(i)] = n * scale //nolint:gosec // i < 256
		}
	}
	if out.exact = len(out.widths) > 0; out.exact {
		out.missing = 0
		if n, ok := f.number(f.dict(dict["FontDescriptor"])["MissingWidth"]); ok {
			out.missing = n * scale
		}
	} else if base := f.name(dict["BaseFont"]); metrics.IsCoreFont(base) {
		out.core = base
	}
	return out
}

func (f *file) readComposite(out *font, dict types.Dict) {
	out.composite, out.missing, out.exact = true, 1, true
	encoding := f.name(dict["Encoding"])
	if raw, damaged := f.stream(dict["Encoding"]); !damaged {
		out.codes = parseCMap(raw)
	} else if encoding != "Identity-H" && encoding != "Identity-V" {
		out.decoder = decoderOf(encoding)
	}
	var descendant types.Dict
	if fonts := f.array(dict["DescendantFonts"]); len(fonts) > 0 {
		descendant = f.dict(fonts[0])
	}
	if n, ok := f.number(descendant["DW"]); ok {
		out.missing = n / 1000
	}
	list := f.array(descendant["W"])
	for i := 0; i+1 < len(list) && len(out.widths) < maxMapped; {
		first, ok := f.number(list[i])
		if !ok || first < 0 || first > 1<<20 {
			return
		}
		if run := f.array(list[i+1]); run != nil {
			for j, w := range run {
				n, _ := f.number(w)
				out.widths[uint32(first)+uint32(j)] = n / 1000 //nolint:gosec // bounded by the file's size
			}
			i += 2
			continue
		}
		last, _ := f.number(list[i+1])
		if i+2 >= len(list) {
			return
		}
		n, _ := f.number(list[i+2])
		for g := first; g <= last && len(out.widths) < maxMapped; g++ {
			out.widths[uint32(g)] = n / 1000
		}
		i += 3
	}
}

// decode splits a string into its codes.
func (t *font) decode(s string, use func(drawn)) {
	if !t.composite {
		for i := range len(s) {
			c := uint32(s[i])
			text := t.mapped(c)
			if text == "" {
				text = t.table[s[i]]
			}
			use(drawn{text: text, width: t.width(c, text), space: s[i] == ' '})
		}
		return
	}
	for s != "" {
		n := t.codeLength(s)
		c := code(s[:n])
		text := t.mapped(c)
		if text == "" && t.decoder != nil {
			if decoded, err := t.decoder.String(s[:n]); err == nil {
				text = readable(decoded)
			}
		}
		use(drawn{text: text, width: t.width(t.glyphOf(c), text), space: n == 1 && s[0] == ' '})
		s = s[n:]
	}
}

func (t *font) mapped(c uint32) string {
	if t.unicode == nil {
		return ""
	}
	return t.unicode.text[c]
}

func (t *font) glyphOf(c uint32) uint32 {
	if t.codes != nil {
		if g, ok := t.codes.glyph[c]; ok {
			return g
		}
	}
	return c
}

// codeLength is the bytes of the first code of s.
func (t *font) codeLength(s string) int {
	if t.codes != nil {
		if n := t.codes.length(s); n > 0 {
			return n
		}
	}
	if t.decoder != nil && s[0] < 0x80 && len(s) > 0 {
		if out, err := t.decoder.String(s[:1]); err == nil && utf8.RuneCountInString(out) == 1 && out != "\uFFFD" {
			return 1
		}
	}
	return min(2, len(s))
}

// width is that at size 1, half an em if nothing says it.
func (t *font) width(c uint32, text string) float64 {
	if w, ok := t.widths[c]; ok {
		return w
	}
	if t.core != "" {
		if r, _ := utf8.DecodeRuneInString(text); text != "" {
			if w, err := metrics.CharWidth(t.core, r); err == nil {
				return float64(w) / 1000
			}
		}
	}
	return t.missing
}
