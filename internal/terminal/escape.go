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
)

// Escaping returns a writer for everything that a person sees: control and format
// characters that are written to it are shown escaped as \u009b, but newline and
// tab, and the joiners and signs that letters and numbers need. With styles, the
// codes of this package pass too. The escapes are those of JSON, so that JSON stays
// the same value. It is safe for concurrent use.
func Escaping(w io.Writer, styles bool) io.Writer { return &escaper{w: w, styles: styles} }

type escaper struct {
	w      io.Writer
	styles bool

	mu   sync.Mutex
	tail []byte // of the last write: the beginning of a character or of a code
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
	if e.styles && in[0] == '\x1b' {
		if n, whole := code(in); n > 0 || !whole {
			out.Write(in[:n])
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
	case e.styles && r == '\r', !escaped(r):
		out.Write(in[:n])
	default:
		writeEscape(out, r)
	}
	return n, true
}

// longestCode bounds a code that this program writes.
const longestCode = 20

// code returns the length of the code of ECMA-48 that in begins with, 0 if it is
// none that this program writes: the end of a line removed, or its own styles.
// whole is false if in may be the beginning of one.
func code(in []byte) (n int, whole bool) {
	for i, b := range in[:min(len(in), longestCode)] {
		switch {
		case i == 0, i == 1 && b == '[', i > 1 && (b >= '0' && b <= '9' || b == ';'):
		case i == 2 && b == 'K':
			return i + 1, true
		case i > 2 && b == 'm' && ours(string(in[2:i])):
			return i + 1, true
		default:
			return 0, true
		}
	}
	return 0, len(in) >= longestCode
}

// ours reports whether the parameters of a style are all of this package.
func ours(parameters string) bool {
	for _, p := range strings.Split(parameters, ";") {
		switch style(p) {
		case "0", bold, dim, italic, underline, struck, cyan:
		default:
			return false
		}
	}
	return true
}

// escaped reports whether a character is shown escaped.
func escaped(r rune) bool {
	switch {
	case r == '\n' || r == '\t' || r == 0x200C || r == 0x200D: // joiners of Persian words and of emoji
		return false
	case unicode.Is(unicode.Cc, r), r == 0x2028, r == 0x2029:
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
