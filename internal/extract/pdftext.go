package extract

import (
	"errors"
	"io"
	"math"
	"strings"
	"unicode/utf8"

	"github.com/ledongthuc/pdf"
)

// pageText is the text of a page in the order in which it is written, at most
// about room bytes. What was read before something went wrong comes with the
// error.
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

// checkContents unpacks a page's streams once, to refuse bombs before anything
// is made of them.
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
			return errors.New("a page's content is no stream")
		}
		n, err := io.CopyN(io.Discard, s.Reader(), left+1)
		if left -= n; left < 0 {
			return errors.New("a page is too long")
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
	}
	return nil
}

// pdfFont is what is asked of a font for each string, read once.
type pdfFont struct {
	encoding pdf.TextEncoding
	first    int
	widths   []float64 // in thousandths of the font's size; empty if unknown
}

// width of a string in this font at size 1, of which decoded is the text; known
// is false for an estimate: half the height for each character.
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

// pdfText writes what a page's operators show, and tells by their places on the
// page where words, lines and paragraphs end. The page's own coordinates are not
// followed, only those of its text.
type pdfText struct {
	page  pdf.Page
	room  int
	out   strings.Builder
	fonts map[string]*pdfFont

	font    *pdfFont
	size    float64
	leading float64
	scaleX  float64 // of the text's matrix
	scaleY  float64
	lineX   float64 // where the line begins
	x, y    float64 // where the next string stands

	shown      bool // something was, and ended at:
	endX, endY float64
	sure       bool // endX is known rather than estimated
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

// gap writes what lies between the last string and the next.
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
	// A font that cannot be read leaves its text as it is.
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

// asIs is the encoding of a font that says none.
type asIs struct{}

func (asIs) Decode(raw string) string { return raw }

// errFull ends the interpreter when there is text enough; see tooLate.
type errFull struct{}

func (errFull) Error() string { return "there is more text than is read" }
func (errFull) RuntimeError() {}
