package text

import (
	"bytes"

	"github.com/yuin/goldmark/ast"
	east "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/parser"
	mdtext "github.com/yuin/goldmark/text"
)

// tableLines makes a table of the lines of a paragraph, from the header on. Unlike
// goldmark's own transformer it makes no cells: rows are padded there to the width
// of the header, so that a page of 1 MB made 150 million of them.
type tableLines struct{}

// Transform implements parser.ParagraphTransformer.
func (tableLines) Transform(node *ast.Paragraph, reader mdtext.Reader, _ parser.Context) {
	lines := node.Lines()
	line := func(i int) []byte {
		at := lines.At(i)
		return at.Value(reader.Source())
	}
	for i := 1; i < lines.Len(); i++ {
		columns := delimiterColumns(line(i))
		if columns == 0 {
			continue
		}
		if headerColumns(line(i-1)) != columns {
			return
		}
		table := east.NewTable()
		table.SetLines(mdtext.NewSegments())
		for j := i - 1; j < lines.Len(); j++ {
			table.Lines().Append(lines.At(j))
		}
		lines.SetSliced(0, i-1)
		node.Parent().InsertAfter(node.Parent(), node, table)
		if lines.Len() == 0 {
			node.Parent().RemoveChild(node.Parent(), node)
		}
		return
	}
}

// delimiterColumns returns the number of columns of a line such as |---|:-:|, or 0
// if the line is of another kind.
func delimiterColumns(line []byte) int {
	line = trimPipes(line)
	if len(line) == 0 {
		return 0
	}
	n := 0
	for cell := range bytes.SplitSeq(line, []byte("|")) {
		cell = bytes.TrimSpace(cell)
		cell = bytes.TrimSuffix(bytes.TrimPrefix(cell, []byte(":")), []byte(":"))
		if len(cell) == 0 || len(bytes.Trim(cell, "-")) != 0 {
			return 0
		}
		n++
	}
	return n
}

// headerColumns returns the number of cells of a line of a table.
func headerColumns(line []byte) int {
	line = trimPipes(line)
	if len(line) == 0 {
		return 0
	}
	n := 1
	for i := range line {
		if line[i] == '|' && (i == 0 || line[i-1] != '\\') {
			n++
		}
	}
	return n
}

// trimPipes returns a line without the pipes around it.
func trimPipes(line []byte) []byte {
	line = bytes.TrimSpace(line)
	line = bytes.TrimPrefix(line, []byte("|"))
	if n := len(line); n > 1 && line[n-1] == '|' && line[n-2] == '\\' {
		return line
	}
	return bytes.TrimSuffix(line, []byte("|"))
}
