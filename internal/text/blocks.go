package text

import (
	"strings"

	"github.com/research-mcp/research-mcp/internal/evidence"
)

// Blocks derives the blocks of Markdown or plain text. It takes time linear in the
// length of s. What is not recognized is a paragraph.
func Blocks(s string) []evidence.Block {
	p := blockParser{s: s}
	p.frontMatter()
	for p.at < len(s) {
		p.line()
	}
	p.end()
	return p.out
}

// blockParser reads line by line. open is the block that the next line may go on.
type blockParser struct {
	s       string
	at      int // the next line
	out     []evidence.Block
	open    bool // out's last block is a paragraph, item, quotation or definition that may go on
	blank   bool // the last line was blank
	path    []string
	levels  []int
	markers []int // of the open list items: the columns of their content
}

// next returns the next line, with its start and the offset behind it.
func (p *blockParser) next() (line string, start, after int) {
	start = p.at
	if i := strings.IndexByte(p.s[start:], '\n'); i >= 0 {
		return p.s[start : start+i], start, start + i + 1
	}
	return p.s[start:], start, len(p.s)
}

func (p *blockParser) frontMatter() {
	rest, ok := strings.CutPrefix(p.s, "---\n")
	if !ok {
		return
	}
	end := strings.Index(rest, "\n---\n")
	if end < 0 || strings.Contains(rest[:end], "\n\n") || !strings.Contains(rest[:end], ":") {
		return
	}
	p.add(evidence.Block{Kind: evidence.BlockCode, Language: "yaml"}, 0, 4+end+4)
	p.open = false
	p.at = 4 + end + 5
}

func (p *blockParser) line() {
	line, start, after := p.next()
	trimmed := strings.TrimSpace(line)
	indent := indentOf(line)
	if trimmed == "" {
		p.blank = true
		p.at = after
		if p.open && p.last().Kind != evidence.BlockItem && p.last().Kind != evidence.BlockDefinition {
			p.open = false
		}
		return
	}
	from := start + len(line) - len(strings.TrimLeft(line, " \t"))
	switch {
	case p.fenced(trimmed, from, after):
	case p.formula(trimmed, from, after):
	case p.heading(trimmed, indent, from, start+len(line)):
	case p.table(trimmed, from):
	case p.quote(trimmed, from, start+len(line)):
	case p.definition(trimmed, start+len(line)):
	case p.item(trimmed, indent, from, start+len(line)):
	default:
		p.text(indent, from, start+len(line))
	}
	p.blank = false
	p.at = max(p.at, after)
}

func indentOf(line string) int {
	n := 0
	for _, c := range []byte(line) {
		switch c {
		case ' ':
			n++
		case '\t':
			n += 4 - n%4
		default:
			return n
		}
	}
	return n
}

func (p *blockParser) last() *evidence.Block { return &p.out[len(p.out)-1] }

// add appends a block of s[start:end], trimmed.
func (p *blockParser) add(b evidence.Block, start, end int) {
	sp := trim(p.s, evidence.Span{Start: start, End: end})
	b.Start, b.End, b.Heading = sp.Start, sp.End, p.path
	p.out = append(p.out, b)
	p.open = true
}

// extend makes the last block end at end.
func (p *blockParser) extend(end int) {
	b := p.last()
	b.End = trim(p.s, evidence.Span{Start: b.Start, End: end}).End
}

func (p *blockParser) end() {
	for i := range p.out {
		if b := &p.out[i]; b.Kind == evidence.BlockParagraph && captionPattern().MatchString(p.s[b.Start:min(b.End, b.Start+40)]) {
			b.Kind = evidence.BlockCaption
		}
	}
}

var captionPattern = Pattern(`^(?:Table|Figure|Fig\.|Listing|Tabelle|Abbildung|Abb\.|Tableau|Tabla|Figura) ?[0-9A-Z]+(?:\.[0-9]+)*[.:]? `)

// fenced reads a code block.
func (p *blockParser) fenced(trimmed string, from, after int) bool {
	char := trimmed[0]
	if char != '`' && char != '~' {
		return false
	}
	n := len(trimmed) - len(strings.TrimLeft(trimmed, string(char)))
	info := strings.TrimSpace(trimmed[n:])
	if n < 3 || char == '`' && strings.Contains(info, "`") {
		return false
	}
	end := len(p.s)
	p.at = after
	for p.at < len(p.s) {
		line, start, next := p.next()
		p.at = next
		t := strings.TrimSpace(line)
		if len(t) >= n && strings.Trim(t, string(char)) == "" {
			end = start + len(line)
			break
		}
	}
	language, _, _ := strings.Cut(strings.Trim(info, "{}."), " ")
	p.add(evidence.Block{Kind: evidence.BlockCode, Language: language}, from, end)
	p.open = false
	return true
}

// formula reads a block between $$ and $$, or \[ and \].
func (p *blockParser) formula(trimmed string, from, after int) bool {
	closer := ""
	switch {
	case strings.HasPrefix(trimmed, "$$"):
		closer = "$$"
	case strings.HasPrefix(trimmed, `\[`):
		closer = `\]`
	default:
		return false
	}
	if len(trimmed) > 4 && strings.HasSuffix(trimmed, closer) {
		p.add(evidence.Block{Kind: evidence.BlockFormula}, from, from+len(trimmed))
		p.open = false
		return true
	}
	if len(trimmed) > 2 {
		return false
	}
	save := p.at
	p.at = after
	for lines := 0; p.at < len(p.s) && lines < 100; lines++ {
		line, start, next := p.next()
		p.at = next
		if t := strings.TrimSpace(line); t == closer {
			p.add(evidence.Block{Kind: evidence.BlockFormula}, from, start+len(line))
			p.open = false
			return true
		}
	}
	p.at = save
	return false
}

func (p *blockParser) heading(trimmed string, indent, from, end int) bool {
	level := len(trimmed) - len(strings.TrimLeft(trimmed, "#"))
	if level >= 1 && level <= 6 && indent < 4 && (len(trimmed) == level || trimmed[level] == ' ' || trimmed[level] == '\t') {
		title := strings.TrimSpace(strings.TrimRight(strings.TrimSpace(trimmed[level:]), "#"))
		p.enter(level, title)
		p.add(evidence.Block{Kind: evidence.BlockHeading, Level: level}, from, end)
		p.open, p.markers = false, nil
		return true
	}
	// A line under a paragraph of one line: === or ---.
	if p.open && !p.blank && p.last().Kind == evidence.BlockParagraph && len(trimmed) >= 2 && indent < 4 &&
		(strings.Trim(trimmed, "=") == "" || strings.Trim(trimmed, "-") == "") {
		b := p.last()
		title := p.s[b.Start:b.End]
		if strings.Contains(title, "\n") || len(title) > 200 {
			return false
		}
		level = 1
		if trimmed[0] == '-' {
			level = 2
		}
		p.enter(level, title)
		b.Kind, b.Level, b.Heading = evidence.BlockHeading, level, p.path
		p.extend(end)
		p.open, p.markers = false, nil
		return true
	}
	return false
}

// enter opens a section. The path is copied, because blocks share it.
func (p *blockParser) enter(level int, title string) {
	n := len(p.levels)
	for n > 0 && p.levels[n-1] >= level {
		n--
	}
	p.path = append(append(make([]string, 0, n+1), p.path[:n]...), title)
	p.levels = append(p.levels[:n], level)
}

// table reads lines that begin with |, and rows without it above and below a
// rule.
func (p *blockParser) table(trimmed string, from int) bool {
	if !strings.Contains(trimmed, "|") {
		return false
	}
	line, start, after := p.next()
	end := start + len(line)
	second := ""
	if after < len(p.s) {
		save := p.at
		p.at = after
		second, _, _ = p.next()
		p.at = save
	}
	rule := isTableRule(strings.TrimSpace(second))
	if trimmed[0] != '|' && !rule {
		return false
	}
	header := 0
	if rule && strings.Trim(trimmed, "| \t") != "" {
		header = 2
	}
	p.at = after
	for p.at < len(p.s) {
		row, at, next := p.next()
		t := strings.TrimSpace(row)
		if t == "" || t[0] != '|' && (trimmed[0] == '|' || !strings.Contains(t, "|")) {
			break
		}
		end, p.at = at+len(row), next
	}
	if p.open && !p.blank && p.last().Kind == evidence.BlockParagraph {
		p.last().Kind = evidence.BlockCaption
	}
	p.add(evidence.Block{Kind: evidence.BlockTable, HeaderRows: header}, from, end)
	p.open = false
	return true
}

func isTableRule(t string) bool {
	return strings.Contains(t, "-") && strings.Contains(t, "|") && strings.Trim(t, "|-: \t") == ""
}

func (p *blockParser) quote(trimmed string, from, end int) bool {
	if trimmed[0] != '>' {
		return false
	}
	depth := 0
	rest := trimmed
	for strings.HasPrefix(rest, ">") {
		depth++
		rest = strings.TrimLeft(rest[1:], " \t")
	}
	if rest == "" { // a blank line within the quotation
		if p.open && p.last().Kind == evidence.BlockQuote {
			p.extend(end)
			p.open = false
		}
		if len(p.out) == 0 || p.last().Kind != evidence.BlockQuote {
			p.add(evidence.Block{Kind: evidence.BlockQuote, Level: depth}, from, end)
		} else {
			p.extend(end)
		}
		p.open = false
		return true
	}
	if p.open && !p.blank && p.last().Kind == evidence.BlockQuote && p.last().Level == depth && !isMarker(rest) {
		p.extend(end)
		return true
	}
	p.add(evidence.Block{Kind: evidence.BlockQuote, Level: depth}, from, end)
	return true
}

// definition joins ": text" to the term above it.
func (p *blockParser) definition(trimmed string, end int) bool {
	if !strings.HasPrefix(trimmed, ": ") || !p.open || p.blank {
		return false
	}
	switch b := p.last(); b.Kind {
	case evidence.BlockParagraph, evidence.BlockDefinition:
		b.Kind = evidence.BlockDefinition
		p.extend(end)
		return true
	}
	return false
}

func (p *blockParser) item(trimmed string, indent, from, end int) bool {
	number, width, ok := marker(trimmed)
	if !ok {
		return false
	}
	// Letters and numbers other than 1 do not interrupt a paragraph.
	if number != "" && number != "1" && p.open && !p.blank && p.last().Kind == evidence.BlockParagraph {
		return false
	}
	if isLetters(number) && !p.blank && len(p.markers) == 0 && len(p.out) > 0 {
		return false
	}
	for len(p.markers) > 0 && indent < p.markers[len(p.markers)-1] {
		p.markers = p.markers[:len(p.markers)-1]
	}
	if len(p.markers) < 64 {
		p.markers = append(p.markers, indent+width)
	}
	p.add(evidence.Block{Kind: evidence.BlockItem, Level: len(p.markers), Number: number}, from, end)
	return true
}

func isLetters(s string) bool {
	for i := range len(s) {
		if s[i] < 'A' {
			return false
		}
	}
	return s != ""
}

func isMarker(s string) bool {
	_, _, ok := marker(s)
	return ok
}

// marker reads the mark of a list item: a bullet, or a number or letter with a full
// stop or bracket. width is that of the mark and the space behind it.
func marker(s string) (number string, width int, ok bool) {
	for _, b := range []string{"-", "*", "+", "•", "–", "◦", "▪"} {
		if rest, has := strings.CutPrefix(s, b); has {
			if b == "–" || rest == "" || rest[0] != ' ' && rest[0] != '\t' {
				return "", 0, false
			}
			return "", 2, true
		}
	}
	i := 0
	for i < len(s) && i < 9 && s[i] >= '0' && s[i] <= '9' {
		i++
	}
	if i == 0 {
		for i < len(s) && i < 5 && (s[i] >= 'a' && s[i] <= 'z' || s[i] >= 'A' && s[i] <= 'Z') {
			i++
		}
		if i > 1 && strings.Trim(strings.ToLower(s[:i]), "ivxlc") != "" { // not a Roman number
			return "", 0, false
		}
	}
	if i == 0 || i+1 >= len(s) || s[i] != '.' && s[i] != ')' || s[i+1] != ' ' && s[i+1] != '\t' {
		return "", 0, false
	}
	return s[:i], i + 2, true
}

// text goes on with the open block, or begins a paragraph.
func (p *blockParser) text(indent, from, end int) {
	if p.open {
		b := p.last()
		inItem := b.Kind == evidence.BlockItem && (!p.blank || len(p.markers) > 0 && indent >= p.markers[len(p.markers)-1])
		if inItem || !p.blank && (b.Kind == evidence.BlockParagraph || b.Kind == evidence.BlockQuote || b.Kind == evidence.BlockDefinition) {
			p.extend(end)
			return
		}
	}
	for len(p.markers) > 0 && indent < p.markers[len(p.markers)-1] {
		p.markers = p.markers[:len(p.markers)-1]
	}
	p.add(evidence.Block{Kind: evidence.BlockParagraph}, from, end)
}
