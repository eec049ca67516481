package extract

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/extract/decode"
	"github.com/research-mcp/research-mcp/internal/text"
)

// Bounds of a notebook.
const (
	maxCells    = 20_000
	maxOutput   = 20 << 10  // bytes of one output of a cell
	maxHTMLPart = 200 << 10 // bytes of one output that is HTML
	maxHTML     = 100       // outputs that are HTML, of one notebook
)

// notebook is what is read of a Jupyter notebook, of format 3 or 4.
type notebook struct {
	cells    []cell
	metadata struct {
		Title    string `json:"title"`
		Language struct {
			Name string `json:"name"`
		} `json:"language_info"`
		Kernel struct {
			Language string `json:"language"`
		} `json:"kernelspec"`
	}
	html int // outputs that were HTML so far
}

type cell struct {
	Type     string       `json:"cell_type"`
	Source   lines        `json:"source"`
	Input    lines        `json:"input"`    // of code, in format 3
	Language string       `json:"language"` // of code, in format 3
	Level    int          `json:"level"`    // of a heading, in format 3
	Outputs  []cellOutput `json:"outputs"`
}

type cellOutput struct {
	Text  lines                      `json:"text"`
	Data  map[string]json.RawMessage `json:"data"`
	HTML  lines                      `json:"html"` // in format 3
	Name  string                     `json:"ename"`
	Value string                     `json:"evalue"`
}

// lines is a text that is a string or a list of strings. Anything else is empty.
type lines string

// UnmarshalJSON implements json.Unmarshaler.
func (l *lines) UnmarshalJSON(raw []byte) error {
	var one string
	if json.Unmarshal(raw, &one) == nil {
		*l = lines(one)
		return nil
	}
	var many []string
	if json.Unmarshal(raw, &many) == nil {
		*l = lines(strings.Join(many, ""))
	}
	return nil
}

// fromNotebook reads a notebook as Markdown: text as it is, code and its output as
// blocks of code, tables as tables. Pictures are left out. Of a notebook that ends in
// the middle, the whole cells are read.
func fromNotebook(ctx context.Context, raw []byte) (Page, error) {
	decoded := decode.Bytes(raw, decode.Hints{})
	var n notebook
	err := n.parse(decoded.Text)
	if err := ctx.Err(); err != nil {
		return Page{}, err
	}
	if err != nil && len(n.cells) == 0 {
		return Page{}, &evidence.Problem{What: "the notebook cannot be read: " + printableReason(err), Try: "open it with Jupyter and save it again, or export it as Markdown"}
	}
	page := Page{Warnings: decoded.Warnings()}
	if err != nil {
		page.Truncated = true
		page.Warnings = append(page.Warnings, fmt.Sprintf("the notebook ends in the middle: its first %d cells were read", len(n.cells)))
	}
	var out []string
	for _, c := range n.cells {
		if err := ctx.Err(); err != nil {
			return Page{}, err
		}
		out = append(out, n.markdown(ctx, c)...)
	}
	page.Text = strings.TrimSpace(visible(strings.Join(out, "\n\n")))
	page.Title = n.metadata.Title
	if page.Title == "" {
		page.Title = firstTitle(page.Text)
	}
	return page, nil
}

var errNoCells = errors.New("it has no cells")

// parse reads the JSON of a notebook. After an error the cells before it are known.
func (n *notebook) parse(body string) error {
	d := json.NewDecoder(strings.NewReader(body))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return errors.Join(err, errNoCells)
	}
	found := false
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return err
		}
		switch key {
		case "cells":
			found = true
			err = n.parseCells(d)
		case "worksheets": // format 3
			found = true
			var sheets []struct {
				Cells []cell `json:"cells"`
			}
			err = d.Decode(&sheets)
			for _, s := range sheets {
				n.cells = append(n.cells, s.Cells...)
			}
		case "metadata":
			var raw json.RawMessage
			if err = d.Decode(&raw); err == nil {
				_ = json.Unmarshal(raw, &n.metadata) // of another shape: it has no title
			}
		default:
			var skipped json.RawMessage
			err = d.Decode(&skipped)
		}
		if err != nil {
			return err
		}
	}
	if !found {
		return errNoCells
	}
	_, err := d.Token() // the end of the object
	return err
}

// parseCells reads a list of cells. A cell of another shape is left out.
func (n *notebook) parseCells(d *json.Decoder) error {
	if t, err := d.Token(); err != nil || t != json.Delim('[') {
		return errors.Join(err, errNoCells)
	}
	for d.More() {
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			return err
		}
		var c cell
		if json.Unmarshal(raw, &c) == nil && len(n.cells) < maxCells {
			n.cells = append(n.cells, c)
		}
	}
	_, err := d.Token()
	return err
}

// embedded matches a picture inside Markdown, with its data.
var embedded = text.Pattern(`\]\(\s*data:[^)]*\)`)

// markdown is a cell as blocks of Markdown.
func (n *notebook) markdown(ctx context.Context, c cell) []string {
	source := strings.Trim(string(c.Source), "\n")
	switch c.Type {
	case "code":
		if source == "" {
			source = strings.Trim(string(c.Input), "\n")
		}
		var out []string
		if strings.TrimSpace(source) != "" {
			out = append(out, fenced(n.language(c), source))
		}
		for _, o := range c.Outputs {
			if s := n.output(ctx, o); s != "" {
				out = append(out, "Output:", s)
			}
		}
		return out
	case "heading":
		return []string{strings.Repeat("#", min(max(c.Level, 1), 6)) + " " + text.Squash(source)}
	}
	if strings.TrimSpace(source) == "" {
		return nil
	}
	return []string{embedded().ReplaceAllString(source, "]()")}
}

func (n *notebook) language(c cell) string {
	for _, name := range []string{c.Language, n.metadata.Language.Name, n.metadata.Kernel.Language} {
		if name != "" && !strings.ContainsAny(name, " `\n") {
			return strings.ToLower(name)
		}
	}
	return ""
}

// output is one output of a cell in its best form, or "".
func (n *notebook) output(ctx context.Context, o cellOutput) string {
	data := func(kind string) string {
		var l lines
		if raw, ok := o.Data[kind]; ok {
			_ = l.UnmarshalJSON(raw) // never fails
		}
		return strings.Trim(string(l), "\n")
	}
	if o.Name != "" {
		return fenced("", clipped(o.Name+": "+o.Value))
	}
	if s := data("text/markdown"); s != "" {
		return embedded().ReplaceAllString(clipped(s), "]()")
	}
	table := data("text/html")
	if table == "" {
		table = string(o.HTML)
	}
	if strings.Contains(table, "<table") && len(table) <= maxHTMLPart && n.html < maxHTML {
		n.html++
		if s := wholeHTML(ctx, table); s != "" {
			return s
		}
	}
	for _, s := range []string{string(o.Text), data("text/plain")} {
		if s = terminal(s); strings.TrimSpace(s) != "" {
			return fenced("", clipped(s))
		}
	}
	return clipped(data("text/latex"))
}

// clipped is the beginning of a long output.
func clipped(s string) string {
	if short, cut := text.Cut(s, maxOutput); cut {
		return short + "\n…"
	}
	return s
}

// escapeSequence matches what terminals do not print: colours and movements.
var escapeSequence = text.Pattern(`\x1b\[[0-9;?]*[ -/]*[@-~]`)

// terminal is the text that a terminal shows: without colours, and of a line that was
// written over the last state.
func terminal(s string) string {
	s = escapeSequence().ReplaceAllString(strings.ReplaceAll(s, "\r\n", "\n"), "")
	if !strings.Contains(s, "\r") {
		return strings.Trim(s, "\n")
	}
	all := strings.Split(s, "\n")
	for i, l := range all {
		l = strings.TrimRight(l, "\r")
		all[i] = l[strings.LastIndexByte(l, '\r')+1:]
	}
	return strings.Trim(strings.Join(all, "\n"), "\n")
}

// fenced is a block of code. The fence is longer than any in the code.
func fenced(language, code string) string {
	fence := "```"
	for strings.Contains(code, fence) {
		fence += "`"
	}
	return fence + language + "\n" + code + "\n" + fence
}

// firstTitle is the first heading of level one or two, or "".
func firstTitle(markdown string) string {
	for line := range strings.Lines(markdown) {
		rest := strings.TrimLeft(line, "#")
		if n := len(line) - len(rest); (n == 1 || n == 2) && strings.HasPrefix(rest, " ") {
			return strings.TrimSpace(rest)
		}
	}
	return ""
}

// MaxNotebook is how many bytes of a notebook's file are read. Most of a large one is
// pictures.
const MaxNotebook = 128 << 20

// ReadNotebook reads a notebook from r without the pictures in it, at most MaxInput
// bytes of the rest.
func ReadNotebook(r io.Reader) ([]byte, error) {
	f := pictureFilter{in: newByteReader(io.LimitReader(r, MaxNotebook))}
	return f.run()
}
