package pdftext

import (
	"context"
	"math"
	"strings"
	"unicode/utf16"

	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/types"
)

// Bounds of one page.
const (
	maxFormDepth = 12      // of forms in forms
	maxWords     = 200_000 // that are drawn
	maxOperators = 4_000_000
	maxPainted   = 4000 // areas that are remembered to tell whether white text is seen
	smallest     = 1.0  // size in points below which text cannot be read
)

// matrix is [a b c d e f] of the PDF standard.
type matrix [6]float64

var identity = matrix{1, 0, 0, 1, 0, 0}

// times is m applied before n.
func (m matrix) times(n matrix) matrix {
	return matrix{
		m[0]*n[0] + m[1]*n[2], m[0]*n[1] + m[1]*n[3],
		m[2]*n[0] + m[3]*n[2], m[2]*n[1] + m[3]*n[3],
		m[4]*n[0] + m[5]*n[2] + n[4], m[4]*n[1] + m[5]*n[3] + n[5],
	}
}

func (m matrix) apply(x, y float64) (float64, float64) {
	return x*m[0] + y*m[2] + m[4], x*m[1] + y*m[3] + m[5]
}

// state is the part of the graphics state that text depends on.
type state struct {
	ctm                         matrix
	font                        *font
	size, leading, rise         float64
	charSpace, wordSpace, scale float64
	mode                        int
	white                       bool // the colour that text is filled with
	tint                        bool // colours are no grey, RGB or CMYK
}

// initialState has a size, so that text without a font is read.
var initialState = state{ctm: identity, scale: 1, size: 10}

// painter interprets the content streams of a page.
type painter struct {
	ctx       context.Context //nolint:containedctx // a painter's life is one page
	file      *file
	out       page
	room      int // bytes of text
	operators int
	state     state
	saved     []state
	text      matrix // Tm
	line      matrix // Tlm
	open      *word  // the word that letters are still added to
	path      area
	painted   []area // what is not white, in which white text is seen
	shaded    bool   // an area of unknown extent was painted
	box       []float64
	marks     []mark // open marked content
	resources types.Dict
}

// mark is a sequence of marked content.
type mark struct {
	artifact    bool   // a page number or such, not part of the text
	replacement string // ActualText
	replaces    bool
	letters     int
	first       *letter
}

// letter is where a replacement is written.
type letter struct {
	x, y, size float64
	dir        int
}

// read returns what a page draws, with the text of its forms and annotations.
func (f *file) read(ctx context.Context, p pageDict, room int) page {
	t := &painter{ctx: ctx, file: f, room: room, box: p.box, resources: p.resources}
	t.state = initialState
	t.text, t.line, t.path = identity, identity, emptyArea
	content, damaged := f.contents(p.dict["Contents"])
	t.out.damaged = damaged
	t.run(content, p.resources, 0)
	t.annotations(p.dict)
	t.flush()
	return t.out
}

// contents joins the content streams of a page.
func (f *file) contents(o types.Object) (content []byte, damaged bool) {
	parts := f.array(o)
	if parts == nil && f.object(o) != nil {
		parts = types.Array{o}
	}
	for _, part := range parts {
		raw, bad := f.stream(part)
		damaged = damaged || bad
		if len(content)+len(raw) > maxStream {
			return content, true
		}
		content = append(append(content, raw...), '\n')
	}
	return content, damaged
}

// run interprets a stream.
func (t *painter) run(content []byte, resources types.Dict, depth int) {
	outer := t.resources
	t.resources = resources
	defer func() { t.resources = outer }()
	l := &lexer{b: content}
	var args []token
	for {
		tok := l.next()
		switch {
		case tok.kind == tokenEnd:
			return
		case tok.kind != tokenOperator, tok.s == "[", tok.s == "]", tok.s == "<<", tok.s == ">>":
			if len(args) < 1<<16 {
				args = append(args, tok)
			}
			continue
		case tok.s == "ID":
			l.skipImage()
			args = args[:0]
			continue
		}
		if t.operators++; t.operators%1024 == 0 && t.ctx.Err() != nil || t.operators > maxOperators || len(t.out.words) > maxWords || t.room < 0 {
			t.out.damaged = true
			return
		}
		t.operator(tok.s, args, depth)
		args = args[:0]
	}
}

func numberAt(args []token, i int) float64 {
	if i < 0 || i >= len(args) || math.IsNaN(args[i].n) || math.Abs(args[i].n) > 1e9 {
		return 0
	}
	return args[i].n
}

func stringAt(args []token, i int) string {
	if i < 0 || i >= len(args) {
		return ""
	}
	return args[i].s
}

func matrixOf(args []token) matrix {
	var m matrix
	for i := range m {
		m[i] = numberAt(args, i)
	}
	return m
}

func (t *painter) operator(op string, args []token, depth int) {
	switch op {
	case "q":
		if len(t.saved) < 256 {
			t.saved = append(t.saved, t.state)
		}
	case "Q":
		if n := len(t.saved); n > 0 {
			t.state, t.saved = t.saved[n-1], t.saved[:n-1]
		}
	case "cm":
		t.state.ctm = matrixOf(args).times(t.state.ctm)
	case "Do":
		t.do(stringAt(args, 0), depth)
	case "sh":
		t.shaded = true
	case "BMC", "BDC":
		t.begin(op, args)
	case "EMC":
		t.end()
	default:
		if !t.textOperator(op, args) && !t.colour(op, args) {
			t.pathOperator(op, args)
		}
	}
}

// textOperator interprets the operators of text and its state.
func (t *painter) textOperator(op string, args []token) bool {
	s := &t.state
	switch op {
	case "BT":
		t.text, t.line = identity, identity
	case "ET":
	case "Tf":
		s.font = t.file.fontOf(t.resource("Font", stringAt(args, len(args)-2)))
		s.size = numberAt(args, len(args)-1)
	case "TL":
		s.leading = numberAt(args, 0)
	case "Tc":
		s.charSpace = numberAt(args, 0)
	case "Tw":
		s.wordSpace = numberAt(args, 0)
	case "Tz":
		s.scale = numberAt(args, 0) / 100
	case "Ts":
		s.rise = numberAt(args, 0)
	case "Tr":
		s.mode = int(numberAt(args, 0))
	case "Td", "TD":
		if op == "TD" {
			s.leading = -numberAt(args, 1)
		}
		t.move(numberAt(args, 0), numberAt(args, 1))
	case "Tm":
		t.line = matrixOf(args)
		t.text = t.line
	case "T*":
		t.move(0, -s.leading)
	case "Tj":
		t.show(stringAt(args, 0))
	case "'":
		t.move(0, -s.leading)
		t.show(stringAt(args, 0))
	case "\"":
		s.wordSpace, s.charSpace = numberAt(args, 0), numberAt(args, 1)
		t.move(0, -s.leading)
		t.show(stringAt(args, 2))
	case "TJ":
		for _, a := range args {
			switch a.kind {
			case tokenString:
				t.show(a.s)
			case tokenNumber:
				t.advance(-a.n / 1000 * s.size * s.scale)
			}
		}
	default:
		return false
	}
	return true
}

func (t *painter) move(x, y float64) {
	t.line = matrix{1, 0, 0, 1, x, y}.times(t.line)
	t.text = t.line
}

func (t *painter) advance(x float64) { t.text = matrix{1, 0, 0, 1, x, 0}.times(t.text) }

// resource returns an entry of the resources of the stream that is interpreted.
func (t *painter) resource(kind, name string) types.Object {
	return t.file.dict(t.resources[kind])[name]
}

// do draws a form, or marks the area of an image.
func (t *painter) do(name string, depth int) {
	o := t.resource("XObject", name)
	dict := t.file.dict(o)
	switch t.file.name(dict["Subtype"]) {
	case "Image":
		t.paint(unitSquare(t.state.ctm))
	case "Form":
		t.form(o, dict, identity, depth)
	}
}

// form interprets the stream of a form, placed by at.
func (t *painter) form(o types.Object, dict types.Dict, at matrix, depth int) {
	if depth >= maxFormDepth {
		t.out.damaged = true
		return
	}
	content, damaged := t.file.stream(o)
	t.out.damaged = t.out.damaged || damaged
	state, text, line, saved, marks := t.state, t.text, t.line, t.saved, len(t.marks)
	t.saved = nil
	t.state.ctm = at.times(t.state.ctm)
	if m := t.file.numbers(dict["Matrix"], 6); m != nil {
		t.state.ctm = matrix(m).times(t.state.ctm)
	}
	resources := t.file.dict(dict["Resources"])
	if resources == nil {
		resources = t.resources
	}
	t.run(content, resources, depth+1)
	t.state, t.text, t.line, t.saved = state, text, line, saved
	for len(t.marks) > marks {
		t.end()
	}
}

// annotations draws what is filled into form fields, and text that was put on the
// page.
func (t *painter) annotations(p types.Dict) {
	for i, o := range t.file.array(p["Annots"]) {
		a := t.file.dict(o)
		flags, _ := t.file.number(a["F"])
		kind := t.file.name(a["Subtype"])
		if i > 1000 || int(flags)&(2|32) != 0 || kind != "Widget" && kind != "FreeText" && kind != "Stamp" {
			continue
		}
		look := t.file.dict(a["AP"])["N"]
		dict := t.file.dict(look)
		if t.file.name(dict["Subtype"]) != "Form" && a["AS"] != nil {
			look = dict[t.file.name(a["AS"])]
			dict = t.file.dict(look)
		}
		rect := t.file.numbers(a["Rect"], 4)
		bounds := t.file.numbers(dict["BBox"], 4)
		if rect == nil || bounds == nil {
			continue
		}
		t.state = initialState
		t.saved, t.marks = nil, nil
		t.form(look, dict, matrix{1, 0, 0, 1, min(rect[0], rect[2]) - bounds[0], min(rect[1], rect[3]) - bounds[1]}, 0)
	}
}

// begin opens marked content.
func (t *painter) begin(op string, args []token) {
	m := mark{artifact: stringAt(args, 0) == "Artifact"}
	if op == "BDC" {
		for i, a := range args {
			if a.kind == tokenName && a.s == "ActualText" && i+1 < len(args) && args[i+1].kind == tokenString {
				m.replacement, m.replaces = textString(args[i+1].s), true
			}
		}
		if len(args) == 2 && args[1].kind == tokenName {
			if o, ok := t.file.dict(t.resource("Properties", args[1].s))["ActualText"]; ok {
				m.replacement, _ = t.file.table.DereferenceText(o)
				m.replaces = true
			}
		}
	}
	if len(t.marks) < 1000 {
		t.marks = append(t.marks, m)
	}
}

// end closes marked content. A replacement is written where its first letter stands,
// unless it is much longer than what a reader sees.
func (t *painter) end() {
	n := len(t.marks)
	if n == 0 {
		return
	}
	m := t.marks[n-1]
	t.marks = t.marks[:n-1]
	if s := readable(m.replacement); m.replaces && m.first != nil && s != "" && len([]rune(s)) <= 2+3*m.letters {
		x, y := t.position()
		t.add(s, *m.first, x, y)
	}
}

// textString decodes a text string of a dictionary.
func textString(s string) string {
	if rest, ok := strings.CutPrefix(s, "\xFE\xFF"); ok {
		units := make([]uint16, 0, len(rest)/2)
		for i := 0; i+1 < len(rest); i += 2 {
			units = append(units, uint16(rest[i])<<8|uint16(rest[i+1]))
		}
		return string(utf16.Decode(units))
	}
	t, _ := namedTable("WinAnsiEncoding")
	var out strings.Builder
	for i := range len(s) {
		out.WriteString(t[s[i]])
	}
	return out.String()
}
