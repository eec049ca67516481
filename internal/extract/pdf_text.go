package extract

import (
	"errors"
	"io"
	"math"
	"strings"
	"unicode/utf8"

	"github.com/ledongthuc/pdf"
)

// pageText returns the text of a page in the order of its content stream, about
// room bytes at most. With an error it returns the text read before it.
func pageText(p pdf.Page, room int) (string, error) {
	t := &pdfText{page: p, room: room, fonts: map[string]*pdfFont{}}
	err := caught(func() error {
		contents := p.V.Key("Contents")
		if contents.IsNull() {
			return nil
		}
		if err := checkContents(contents); err != nil {
			return err
		}
		pdf.Interpret(contents, t.operator)
		return nil
	})
	return t.out.String(), err
}

// checkContents decompresses streams once and refuses those larger than
// maxContent.
func checkContents(v pdf.Value) error {
	streams := []pdf.Value{v}
	if v.Kind() == pdf.Array {
		streams = streams[:0]
		for i := range v.Len() {
			streams = append(streams, v.Index(i))
		}
	}
	left := int64(maxContent)
	for _, s := range streams {
		if s.Kind() != pdf.Stream {
			return errors.New("the content of a page is not a stream")
		}
		n, err := io.CopyN(io.Discard, s.Reader(), left+1)
		if left -= n; left < 0 {
			return errors.New("the content of a page is too long")
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
	}
	return nil
}

// pdfFont caches what is needed of a font for each string.
type pdfFont struct {
	encoding pdf.TextEncoding
	first    int
	widths   []float64 // in thousandths of the font size; empty if unknown
}

// width returns the width of raw at font size 1. decoded is its text. If the font
// has no widths, known is false and the width is half an em per character.
func (f *pdfFont) width(raw, decoded string) (width float64, known bool) {
	if len(f.widths) == 0 {
		return float64(utf8.RuneCountInString(decoded)) * 0.5, false
	}
	for i := range len(raw) {
		if at := int(raw[i]) - f.first; at >= 0 && at < len(f.widths) {
			width += f.widths[at]
		}
	}
	return width / 1000, true
}

// pdfText interprets a content stream. It derives the ends of words, lines and
// paragraphs from the positions of strings in text space; the page's own
// transformations (cm) are ignored.
type pdfText struct {
	page  pdf.Page
	room  int
	out   strings.Builder
	fonts map[string]*pdfFont

	font    *pdfFont
	size    float64
	leading float64
	scaleX  float64 // of the text matrix
	scaleY  float64
	lineX   float64 // start of the line
	x, y    float64 // position of the next string

	shown      bool // a string was shown, which ended at:
	endX, endY float64
	sure       bool // endX is exact rather than estimated
}

func (t *pdfText) operator(stk *pdf.Stack, op string) {
	args := make([]pdf.Value, stk.Len())
	for i := range args {
		args[len(args)-1-i] = stk.Pop()
	}
	number := func(i int) float64 {
		if i >= len(args) {
			return 0
		}
		return args[i].Float64()
	}
	switch op {
	case "BT":
		t.scaleX, t.scaleY, t.lineX, t.x, t.y = 1, 1, 0, 0, 0
	case "Tf":
		if len(args) == 2 {
			t.font, t.size = t.fontOf(args[0].Name()), math.Abs(number(1))
		}
	case "TL":
		t.leading = number(0)
	case "Td", "TD":
		if op == "TD" {
			t.leading = -number(1)
		}
		t.move(number(0), number(1))
	case "Tm":
		t.scaleX, t.scaleY = math.Hypot(number(0), number(1)), math.Hypot(number(2), number(3))
		t.lineX, t.x, t.y = number(4), number(4), number(5)
	case "T*":
		t.move(0, -t.leading)
	case "Tj", "'", "\"":
		if op != "Tj" {
			t.move(0, -t.leading)
		}
		if len(args) > 0 {
			t.show(args[len(args)-1].RawString())
		}
	case "TJ":
		if len(args) > 0 {
			t.showArray(args[0])
		}
	}
}

func (t *pdfText) move(dx, dy float64) {
	t.lineX += dx * t.scaleX
	t.x = t.lineX
	t.y += dy * t.scaleY
}

func (t *pdfText) showArray(v pdf.Value) {
	for i := range v.Len() {
		switch x := v.Index(i); x.Kind() {
		case pdf.String:
			t.show(x.RawString())
		case pdf.Integer, pdf.Real:
			t.x -= x.Float64() / 1000 * t.size * t.scaleX
		}
	}
}

func (t *pdfText) show(raw string) {
	font := t.font
	if font == nil {
		font = &pdfFont{encoding: asIs{}}
	}
	s := strings.ToValidUTF8(font.encoding.Decode(raw), "\uFFFD")
	if s == "" {
		return
	}
	t.gap()
	t.out.WriteString(s)
	if t.out.Len() > t.room {
		panic(errFull{})
	}
	width, sure := font.width(raw, s)
	t.x += width * t.size * t.scaleX
	t.shown, t.endX, t.endY, t.sure = true, t.x, t.y, sure
}

// gap writes the space or line break between the last string and the next.
func (t *pdfText) gap() {
	if !t.shown {
		return
	}
	height := max(t.size*t.scaleY, 1)
	down, right := math.Abs(t.y-t.endY), t.x-t.endX
	enough := 0.15 * height
	if !t.sure {
		enough = 0.25 * height
	}
	switch {
	case down > 1.9*height:
		t.out.WriteString("\n\n")
	case down > 0.5*height:
		t.out.WriteString("\n")
	case right > enough || right < -2*height:
		t.out.WriteString(" ")
	}
}

func (t *pdfText) fontOf(name string) *pdfFont {
	if f, ok := t.fonts[name]; ok {
		return f
	}
	f := &pdfFont{encoding: asIs{}}
	t.fonts[name] = f
	// Without a readable font, text is passed through unchanged.
	_ = caught(func() error {
		font := t.page.Font(name)
		if font.V.IsNull() {
			return nil
		}
		if cmap := font.V.Key("ToUnicode"); cmap.Kind() == pdf.Stream {
			if err := checkContents(cmap); err != nil {
				return err
			}
		}
		f.encoding = font.Encoder()
		if font.V.Key("Widths").Len() <= 1<<16 {
			f.first, f.widths = font.FirstChar(), font.Widths()
		}
		return nil
	})
	return f
}

// asIs is the encoding of a font without one.
type asIs struct{}

func (asIs) Decode(raw string) string { return raw }

// errFull is a panic value that stops the interpreter at the size limit; see tooLate.
type errFull struct{}

func (errFull) Error() string { return "the text is longer than the limit" }
func (errFull) RuntimeError() {}
