package terminal

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/research-mcp/research-mcp/internal/text"
)

// Escaping returns a writer for everything that a person sees: what acts on a terminal
// or is not seen (control and format characters, selectors of variants that there are
// none of, and other characters without a glyph) is shown escaped as \u009b, but newline
// and tab, and the joiners and signs that letters and numbers need. The codes of
// screen's own texts pass too, on one line with its Redraw; codes that others wrote do
// not, whatever they are. The escapes are those of JSON, so that JSON stays the same
// value. It is safe for concurrent use.
func Escaping(w io.Writer, screen Screen) io.Writer { return &escaper{w: w, key: screen.key} }

type escaper struct {
	w   io.Writer
	key string // of the codes that pass; empty: none

	mu   sync.Mutex
	tail []byte // of the last write: the beginning of a character or of a code
	last rune   // the last character that was shown as it is
}

// Write implements io.Writer.
func (e *escaper) Write(p []byte) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	in := p
	if len(e.tail) > 0 {
		in = slices.Concat(e.tail, p)
		e.tail = nil
	}
	var out bytes.Buffer
	for len(in) > 0 {
		n, whole := e.next(&out, in)
		if !whole {
			e.tail = bytes.Clone(in)
			break
		}
		in = in[n:]
	}
	if _, err := e.w.Write(out.Bytes()); err != nil {
		return 0, err
	}
	return len(p), nil
}

// next writes the first character or code of in and returns its length. whole is
// false if in ends within it.
func (e *escaper) next(out *bytes.Buffer, in []byte) (n int, whole bool) {
	if e.key != "" && in[0] == '\x1b' {
		if n, whole := e.code(out, in); n > 0 || !whole {
			return n, whole
		}
	}
	if !utf8.FullRune(in) {
		return 0, false
	}
	r, n := utf8.DecodeRune(in)
	switch {
	case r == utf8.RuneError && n == 1:
		out.WriteRune(utf8.RuneError)
	case escaped(e.last, r):
		writeEscape(out, r)
		e.last = 0
		return n, true
	default:
		out.Write(in[:n])
	}
	e.last = r
	return n, true
}

// longestCode bounds what follows the key in a code of this package.
const longestCode = 16

// code writes the code that in begins with, without the key, and returns its length in
// in, 0 if it has not the key. whole is false if in may be the beginning of one.
func (e *escaper) code(out *bytes.Buffer, in []byte) (n int, whole bool) {
	begin := "\x1b[" + e.key
	if len(in) < len(begin) {
		return 0, !strings.HasPrefix(begin, string(in))
	}
	if !bytes.HasPrefix(in, []byte(begin)) {
		return 0, true
	}
	for i, b := range in[len(begin):min(len(in), len(begin)+longestCode)] {
		switch n = len(begin) + i + 1; {
		case b >= '0' && b <= '9' || b == ';':
		case i == 0 && b == 'K':
			out.WriteString("\r\x1b[K")
			return n, true
		case i > 1 && b == 'm':
			out.WriteString("\x1b[")
			out.Write(in[len(begin)+1 : n]) // without the separator behind the key
			return n, true
		default:
			return 0, true
		}
	}
	return 0, len(in) >= len(begin)+longestCode
}

// escaped reports whether a character is shown escaped behind the one before it.
func escaped(before, r rune) bool {
	switch {
	case r == '\n' || r == '\t':
		return false
	case r == 0x200C || r == 0x200D: // joiners of Persian words and of emoji: a row of them is a message
		return before <= unicode.MaxASCII || before == 0x200C || before == 0x200D || unicode.IsSpace(before)
	case unicode.Is(unicode.Variation_Selector, r):
		return !text.HasVariant(before, r, 0x20E3) // a keycap may follow: the stream is not read ahead
	case unicode.In(r, unicode.Cc, unicode.Zl, unicode.Zp, unicode.Other_Default_Ignorable_Code_Point, unicode.Noncharacter_Code_Point):
		return true
	}
	return unicode.Is(unicode.Cf, r) && !unicode.Is(unicode.Prepended_Concatenation_Mark, r)
}

func writeEscape(out *bytes.Buffer, r rune) {
	if a, b := utf16.EncodeRune(r); a != utf8.RuneError {
		fmt.Fprintf(out, `\u%04x\u%04x`, a, b)
		return
	}
	fmt.Fprintf(out, `\u%04x`, r)
}
