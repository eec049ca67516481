// Package terminal fits text to where it is shown: paragraphs, lists, tables and
// Markdown, in the width of a terminal, with styles where they can be shown.
package terminal

import (
	"crypto/rand"
	"encoding/binary"
	"os"
	"strconv"
	"strings"

	"github.com/clipperhouse/displaywidth"
	"golang.org/x/term"
)

// Screen is where text is shown. The zero Screen is a file or a pipe: nothing is
// broken into lines, and Markdown stays as it is.
type Screen struct {
	Width int  // in columns; 0: lines may have any length
	Bold  bool // bold, italic and underlined text can be shown
	Color bool

	key string // is in every code of this package, so that Escaping knows them; see Of
}

// Widths that are used: a narrower terminal gets longer lines than it has columns, a
// wider one leaves the rest empty, because longer lines are hard to read.
const (
	minWidth = 20
	maxWidth = 200

	// plainWidth is the width of help texts in files and pipes.
	plainWidth = 80
)

// Of returns the screen behind a file. environ is the environment: NO_COLOR turns
// colours off, TERM=dumb all styles.
func Of(f *os.File, environ []string) Screen {
	columns, _, err := term.GetSize(int(f.Fd()))
	if err != nil || !term.IsTerminal(int(f.Fd())) {
		return Screen{}
	}
	if columns <= 0 {
		columns = plainWidth // a terminal that does not know its size
	}
	s := Screen{Width: min(max(columns, minWidth), maxWidth), Bold: true, Color: true, key: newKey()}
	for _, kv := range environ {
		switch name, value, _ := strings.Cut(kv, "="); {
		case name == "TERM" && value == "dumb":
			s.Bold = false
		case name == "NO_COLOR" && value != "":
			s.Color = false
		}
	}
	s.Color = s.Color && s.Bold
	return s
}

// newKey returns digits that no text can know: few enough not to look like a secret.
func newKey() string {
	var b [4]byte
	_, _ = rand.Read(b[:]) // never fails
	return strconv.FormatUint(1<<32+uint64(binary.BigEndian.Uint32(b[:])), 10)
}

// Redraw is a line that takes the place of what the cursor's line shows.
func (s Screen) Redraw(line string) string {
	if s.key == "" {
		return "\r\x1b[K" + line
	}
	return "\x1b[" + s.key + "K" + line
}

// Prose is the screen with a width even if it is a file or a pipe.
func (s Screen) Prose() Screen {
	if s.Width == 0 {
		s.Width = plainWidth
	}
	return s
}

// Columns returns how many columns a line of text takes.
func Columns(line string) int { return displaywidth.String(line) }

// Cut is text on one line, cut to n columns, with an ellipsis if anything is missing.
func Cut(text string, n int) string {
	return displaywidth.TruncateString(strings.Join(strings.Fields(text), " "), n, "…")
}

// A style is the codes of ECMA-48 that begin it.
type style string

const (
	plain     style = ""
	bold      style = "1"
	dim       style = "2"
	italic    style = "3"
	underline style = "4"
	struck    style = "9"
	cyan      style = "36"
)

func (s style) with(more style) style {
	switch {
	case s == plain:
		return more
	case more == plain:
		return s
	}
	return s + ";" + more
}

// show returns text in a style, as far as the screen has styles.
func (s Screen) show(text string, as style) string {
	if as == plain || !s.Bold || text == "" {
		return text
	}
	if !s.Color {
		as = style(strings.Trim(strings.ReplaceAll(";"+string(as)+";", ";"+string(cyan)+";", ";"), ";"))
		if as == plain {
			return text
		}
	}
	begin := "\x1b["
	if s.key != "" {
		begin += s.key + ";"
	}
	return begin + string(as) + "m" + text + begin + "0m"
}

// Heading is text that stands out.
func (s Screen) Heading(text string) string { return s.show(text, bold) }
