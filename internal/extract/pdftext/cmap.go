package pdftext

import (
	"strings"
	"unicode"
	"unicode/utf16"
)

// maxMapped is the number of codes that a CMap may map. Unicode has fewer.
const maxMapped = 1 << 17

// cmap maps codes of a font: to text (ToUnicode), or to glyph numbers (Encoding).
type cmap struct {
	text   map[uint32]string
	glyph  map[uint32]uint32
	spaces [4][][2]uint32 // codespace ranges by length of the code
	steps  int            // entries that were set, again or not
}

// parseCMap reads a CMap. What it does not understand is left out.
func parseCMap(raw []byte) *cmap {
	m := &cmap{text: map[uint32]string{}, glyph: map[uint32]uint32{}}
	l := &lexer{b: raw}
	var args []token
	for {
		t := l.next()
		switch {
		case t.kind == tokenEnd:
			return m
		case t.kind != tokenOperator || t.s == "[" || t.s == "]":
			if args = append(args, t); len(args) > 4*maxMapped {
				return m
			}
			continue
		}
		switch t.s {
		case "endcodespacerange":
			m.codespace(args)
		case "endbfchar":
			for i := 0; i+1 < len(args); i += 2 {
				m.set(code(args[i].s), args[i+1].s)
			}
		case "endbfrange":
			m.ranges(args)
		case "endcidchar":
			for i := 0; i+1 < len(args); i += 2 {
				m.setGlyphs(code(args[i].s), code(args[i].s), args[i+1].n)
			}
		case "endcidrange":
			for i := 0; i+2 < len(args); i += 3 {
				m.setGlyphs(code(args[i].s), code(args[i+1].s), args[i+2].n)
			}
		}
		args = args[:0]
	}
}

func code(s string) uint32 {
	n := uint32(0)
	for i := range min(len(s), 4) {
		n = n<<8 | uint32(s[i])
	}
	return n
}

func (m *cmap) codespace(args []token) {
	for i := 0; i+1 < len(args); i += 2 {
		if n := len(args[i].s); n >= 1 && n <= 4 && len(m.spaces[n-1]) < 256 {
			m.spaces[n-1] = append(m.spaces[n-1], [2]uint32{code(args[i].s), code(args[i+1].s)})
		}
	}
}

func (m *cmap) set(c uint32, text string) {
	if m.steps++; m.steps > maxMapped {
		return
	}
	if s := utf16Text(text); s != "" {
		m.text[c] = s
	}
}

func (m *cmap) ranges(args []token) {
	for i := 0; i+2 < len(args); {
		lo, hi := code(args[i].s), code(args[i+1].s)
		i += 2
		if args[i].kind == tokenOperator && args[i].s == "[" {
			i++
			for c := lo; i < len(args) && args[i].kind == tokenString; i, c = i+1, c+1 {
				m.set(c, args[i].s)
			}
			i++ // ]
			continue
		}
		m.run(lo, hi, []byte(args[i].s))
		i++
	}
}

// run maps a range of codes to consecutive characters.
func (m *cmap) run(lo, hi uint32, text []byte) {
	for c := lo; c <= hi && c-lo < 1<<16 && m.steps < maxMapped; c++ {
		m.set(c, string(text))
		for i := len(text) - 1; i >= 0; i-- {
			if text[i]++; text[i] != 0 {
				break
			}
		}
	}
}

func (m *cmap) setGlyphs(lo, hi uint32, first float64) {
	for c := lo; c <= hi && c-lo < 1<<16 && m.steps < maxMapped; c++ {
		m.steps++
		m.glyph[c] = uint32(max(0, first)) + c - lo
	}
}

// length returns the bytes of the code that s begins with, 0 if the map does not say.
func (m *cmap) length(s string) int {
	known := false
	for n := range m.spaces {
		if len(m.spaces[n]) == 0 {
			continue
		}
		known = true
		if n+1 > len(s) {
			continue
		}
		c := code(s[:n+1])
		for _, r := range m.spaces[n] {
			if inSpace(c, r, n+1) {
				return n + 1
			}
		}
	}
	if known {
		for n := len(m.spaces) - 1; n >= 0; n-- {
			if len(m.spaces[n]) > 0 {
				return min(n+1, len(s))
			}
		}
	}
	return 0
}

// inSpace compares byte by byte, as a codespace range is a box.
func inSpace(c uint32, r [2]uint32, n int) bool {
	for i := range n {
		shift := 8 * i
		if b := byte(c >> shift); b < byte(r[0]>>shift) || b > byte(r[1]>>shift) {
			return false
		}
	}
	return true
}

// utf16Text decodes UTF-16BE. Text that says nothing, such as control and private
// use characters, is "".
func utf16Text(s string) string {
	if len(s) == 1 {
		s = "\x00" + s
	}
	units := make([]uint16, 0, len(s)/2)
	for i := 0; i+1 < min(len(s), 64); i += 2 {
		units = append(units, uint16(s[i])<<8|uint16(s[i+1]))
	}
	return readable(string(utf16.Decode(units)))
}

// readable removes characters that are no text.
func readable(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t', r == '\n', r == '\r', unicode.Is(unicode.Zs, r):
			return ' '
		case r == unicode.ReplacementChar, unicode.In(r, unicode.Cc, unicode.Co, unicode.Cs):
			return -1
		}
		return r
	}, s)
}
