package office

import (
	"encoding/xml"
	"errors"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/research-mcp/research-mcp/internal/text"
)

// Bounds of a sheet.
const (
	maxColumns = 200
	maxRows    = 50_000
)

// workbook reads a workbook of SpreadsheetML: each sheet is a section with a table.
type workbook struct {
	archive *archive
	strings []string
	formats []numberFormat // by style
	from    time.Time      // day 0 of dates
	out     builder
	partial bool
}

// numberFormat is how a number is shown.
type numberFormat uint8

const (
	general numberFormat = iota
	percent
	date
	dateTime
	clock
)

func readSheets(a *archive, maxText int) (Document, error) {
	var doc Document
	main := a.mainPart("xl/workbook.xml")
	root, err := a.tree(main)
	if err != nil {
		return doc, err
	}
	byID, related := a.relations(main)
	if properties, err := a.tree("docProps/core.xml"); err == nil {
		doc.properties(properties)
	}
	w := &workbook{archive: a, from: time.Date(1899, 12, 30, 0, 0, 0, 0, time.UTC), out: builder{room: maxText}}
	if v := root.find("workbookPr").attr("date1904"); v == "1" || v == "true" {
		w.from = time.Date(1904, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	if err := w.readStrings(related["sharedStrings"]); err != nil {
		return doc, err
	}
	w.readFormats(related["styles"])
	found := false
	for _, s := range root.find("sheets").elements() {
		part := byID[s.relation("id")]
		if state := s.attr("state"); state == "hidden" || state == "veryHidden" || !a.has(part) {
			continue
		}
		found = true
		if err := w.sheet(s.attr("name"), part); err != nil {
			if errors.Is(err, ErrBomb) || errors.Is(err, ErrEncrypted) {
				return doc, err
			}
			w.partial = true
		}
	}
	if !found {
		return doc, ErrUnknown
	}
	doc.Truncated = w.partial || w.out.full()
	doc.Parts = []Part{{HTML: []byte(w.out.String())}}
	return doc, nil
}

func (w *workbook) readStrings(part string) error {
	root, err := w.archive.tree(part)
	if err != nil && (errors.Is(err, ErrBomb) || errors.Is(err, ErrEncrypted)) {
		return err
	}
	w.partial = w.partial || err != nil
	for _, si := range root.all("si") {
		w.strings = append(w.strings, richText(si))
	}
	return nil
}

// richText is the HTML of a text with runs, without the readings of its letters.
func richText(si *node) string {
	var b strings.Builder
	for _, k := range si.elements() {
		switch k.name {
		case "t":
			b.WriteString(escape(k.allText()))
		case "r":
			script := map[string]int{"superscript": 1, "subscript": -1}[k.child("rPr", "vertAlign").attr("val")]
			struck := k.child("rPr", "strike")
			b.WriteString(marked(escape(k.child("t").allText()), script, struck != nil && struck.on(), false))
		}
	}
	return b.String()
}

var quotedFormat = text.Pattern(`"[^"]*"|\\.|\[[^\]]*\]|_.|\*.`)

func (w *workbook) readFormats(part string) {
	root, _ := w.archive.tree(part)
	custom := map[string]string{}
	for _, f := range root.find("numFmts").elements() {
		custom[f.attr("numFmtId")] = f.attr("formatCode")
	}
	for _, x := range root.find("cellXfs").elements() {
		id := x.attr("numFmtId")
		n, _ := strconv.Atoi(id)
		f := general
		switch {
		case custom[id] != "":
			f = formatOf(custom[id])
		case n == 9 || n == 10:
			f = percent
		case n >= 14 && n <= 17, n >= 27 && n <= 31, n == 36, n >= 50 && n <= 58:
			f = date
		case n >= 18 && n <= 21, n >= 45 && n <= 47:
			f = clock
		case n == 22:
			f = dateTime
		}
		w.formats = append(w.formats, f)
	}
}

// formatOf reads a format code as far as it changes what a number is.
func formatOf(code string) numberFormat {
	code, _, _ = strings.Cut(code, ";")
	code = strings.ToLower(quotedFormat().ReplaceAllString(code, ""))
	days, hours := strings.ContainsAny(code, "yd"), strings.ContainsAny(code, "hs")
	switch {
	case strings.Contains(code, "general"):
		return general
	case days && hours:
		return dateTime
	case days, strings.Contains(code, "mmm"):
		return date
	case hours:
		return clock
	case strings.Contains(code, "%"):
		return percent
	}
	return general
}

// sheetRow is a row as encoding/xml reads it.
type sheetRow struct {
	Hidden string `xml:"hidden,attr"`
	Cells  []struct {
		Ref    string `xml:"r,attr"`
		Type   string `xml:"t,attr"`
		Style  int    `xml:"s,attr"`
		Value  string `xml:"v"`
		Inline inline `xml:"is"`
	} `xml:"c"`
}

type inline struct {
	Text []string `xml:"t"`
	Runs []string `xml:"r>t"`
}

// sheet writes a sheet, row by row.
func (w *workbook) sheet(name, part string) error {
	raw, err := w.archive.read(part)
	if err != nil {
		return err
	}
	d := newDecoder(raw)
	var rows [][]cell
	size := 0
	for len(rows) < maxRows && size < w.out.room {
		t, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		start, ok := t.(xml.StartElement)
		if err == nil && ok && start.Name.Local == "row" {
			var r sheetRow
			if err = d.DecodeElement(&r, &start); err == nil && r.Hidden != "1" && r.Hidden != "true" {
				cells := w.row(r)
				for _, c := range cells {
					size += len(c.html) + 3
				}
				if len(cells) > 0 {
					rows = append(rows, cells)
				}
			}
		}
		if err != nil || w.archive.ctx.Err() != nil {
			w.partial = true
			break
		}
	}
	w.partial = w.partial || len(rows) >= maxRows || size >= w.out.room
	w.write(name, rows)
	return nil
}

// write writes the rows of a sheet, as many columns as the widest has.
func (w *workbook) write(name string, rows [][]cell) {
	if len(rows) == 0 {
		return
	}
	columns := widest(rows)
	for i := range rows {
		for len(rows[i]) < columns && columns*len(rows) < 1<<20 {
			rows[i] = append(rows[i], cell{})
		}
	}
	w.out.heading(2, escape(name))
	w.out.raw(tableHTML(rows, true))
}

// row returns the cells of a row until there is no room: many cells may show one long
// text.
func (w *workbook) row(r sheetRow) (cells []cell) {
	size := 0
	for i, c := range r.Cells {
		at := column(c.Ref)
		if at < 0 {
			at = i
		}
		if at >= maxColumns {
			w.partial = true
			break
		}
		style := general
		if c.Style >= 0 && c.Style < len(w.formats) {
			style = w.formats[c.Style]
		}
		var s string
		switch c.Type {
		case "s":
			if n, err := strconv.Atoi(c.Value); err == nil && n >= 0 && n < len(w.strings) {
				s = w.strings[n]
			}
		case "inlineStr":
			s = escape(strings.Join(c.Inline.Text, "") + strings.Join(c.Inline.Runs, ""))
		case "b":
			s = map[string]string{"1": "TRUE", "0": "FALSE"}[c.Value]
		case "str", "e", "d":
			s = escape(c.Value)
		default:
			s = escape(w.number(c.Value, style))
		}
		if strings.TrimSpace(s) == "" {
			continue
		}
		if size += len(s); size > w.out.room {
			w.partial = true
			break
		}
		for len(cells) < at {
			cells = append(cells, cell{})
		}
		cells = append(cells[:at], cell{html: s})
	}
	return cells
}

// column is the number of the column of "BC12" from 0, -1 if there is none.
func column(ref string) int {
	n := 0
	for _, r := range ref {
		if r < 'A' || r > 'Z' || n > 1<<16 {
			break
		}
		n = n*26 + int(r-'A') + 1
	}
	return n - 1
}

// number writes a number as its format shows what it is; without rounding, but without
// the noise of binary fractions.
func (w *workbook) number(s string, f numberFormat) string {
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
		return s
	}
	if f == date || f == dateTime || f == clock {
		if v < 0 || v > 3_000_000 {
			return s
		}
		at := w.from.Add(time.Duration(v*86_400+0.5) * time.Second)
		switch {
		case f == clock && v < 1:
			return at.Format("15:04:05")
		case f == date && v == math.Trunc(v):
			return at.Format("2006-01-02")
		}
		return at.Format("2006-01-02 15:04:05")
	}
	if f == percent {
		return strconv.FormatFloat(round15(v*100), 'f', -1, 64) + "%"
	}
	if math.Abs(v) >= 1e15 || v != 0 && math.Abs(v) < 1e-6 {
		return s
	}
	return strconv.FormatFloat(round15(v), 'f', -1, 64)
}

// round15 rounds to 15 digits, which is what a sheet shows at most.
func round15(v float64) float64 {
	r, err := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 15, 64), 64)
	if err != nil {
		return v
	}
	return r
}
