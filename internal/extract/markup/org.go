package markup

import (
	"strings"

	"github.com/research-mcp/research-mcp/internal/text"
)

var (
	orgHeading  = text.Pattern(`^(\*+)\s+(?:(?:TODO|DONE|NEXT|WAITING)\s+)?(?:\[#[A-Z]\]\s+)?(.*?)(?:\s+:[\w@:]+:)?$`)
	orgBegin    = text.Pattern(`(?i)^\s*#\+begin_(\w+)(?:\s+(\S+))?`)
	orgKeyword  = text.Pattern(`(?i)^\s*#\+(\w+):\s*(.*)$`)
	orgDrawer   = text.Pattern(`^\s*:[A-Z_]+:\s*$`)
	orgLink     = text.Pattern(`\[\[([^\]]+)\](?:\[([^\]]+)\])?\]`)
	orgVerbatim = text.Pattern(`(^|[\s({'"])[=~]([^\s=~](?:[^=~]*[^\s=~])?)[=~]($|[\s)}'".,;:!?-])`)
	orgBold     = text.Pattern(`(^|[\s({'"])\*([^\s*](?:[^*]*[^\s*])?)\*($|[\s)}'".,;:!?-])`)
	orgItalic   = text.Pattern(`(^|[\s({'"])/([^\s/](?:[^/]*[^\s/])?)/($|[\s)}'".,;:!?-])`)
	orgStrike   = text.Pattern(`(^|[\s({'"])\+([^\s+](?:[^+]*[^\s+])?)\+($|[\s)}'".,;:!?-])`)
	orgTerm     = text.Pattern(`^(\s*)[-+]\s+(.+?)\s+::\s+(.*)$`)
	orgRule     = text.Pattern(`^\s*\|[-+]+\|?\s*$`)
)

// convertOrg converts Org mode text line by line.
func convertOrg(body string) string {
	var w writer
	lines := strings.Split(body, "\n")
	for i := 0; i < len(lines); i++ {
		l := strings.TrimRight(expandTabs(lines[i]), " ")
		switch {
		case orgHeading().MatchString(l) && strings.HasPrefix(l, "*"):
			m := orgHeading().FindStringSubmatch(l)
			w.heading(len(m[1]), orgInline(m[2]))
		case orgBegin().MatchString(l):
			i = orgBlock(&w, lines, i)
		case orgDrawer().MatchString(l):
			for i+1 < len(lines) && !strings.EqualFold(strings.TrimSpace(lines[i]), ":END:") {
				i++
			}
		case orgKeyword().MatchString(l):
			if m := orgKeyword().FindStringSubmatch(l); strings.EqualFold(m[1], "title") {
				w.heading(1, orgInline(m[2]))
			}
		case strings.HasPrefix(strings.TrimSpace(l), "# "):
		case strings.HasPrefix(strings.TrimSpace(l), "|"):
			i = orgTable(&w, lines, i)
		case strings.HasPrefix(strings.TrimSpace(l), ": "):
			begin := i
			for i+1 < len(lines) && strings.HasPrefix(strings.TrimSpace(lines[i+1]), ":") {
				i++
			}
			var code []string
			for _, c := range lines[begin : i+1] {
				code = append(code, strings.TrimPrefix(strings.TrimPrefix(strings.TrimSpace(c), ":"), " "))
			}
			w.code(0, "", code)
		case orgTerm().MatchString(l):
			m := orgTerm().FindStringSubmatch(l)
			w.line(0, "")
			w.line(0, orgInline(m[2]))
			w.line(0, ": "+orgInline(m[3]))
		default:
			w.line(0, orgInline(l))
		}
	}
	return w.String()
}

// orgBlock writes a #+begin_… block and returns the index of its last line.
func orgBlock(w *writer, lines []string, i int) int {
	m := orgBegin().FindStringSubmatch(lines[i])
	end := i + 1
	for end < len(lines) && !strings.EqualFold(strings.TrimSpace(lines[end]), "#+end_"+m[1]) {
		end++
	}
	body := lines[i+1 : end]
	switch strings.ToLower(m[1]) {
	case "src", "example", "export", "verse":
		w.code(0, strings.TrimPrefix(m[2], ":"), body)
	case "comment":
	case "quote":
		w.line(0, "")
		for _, l := range dedent(body) {
			w.line(0, "> "+orgInline(l))
		}
		w.line(0, "")
	default:
		for _, l := range body {
			w.line(0, orgInline(l))
		}
	}
	return end
}

// orgTable writes a table and returns the index of its last line.
func orgTable(w *writer, lines []string, i int) int {
	var rows [][]string
	for ; i < len(lines) && strings.HasPrefix(strings.TrimSpace(lines[i]), "|"); i++ {
		if orgRule().MatchString(lines[i]) {
			continue
		}
		cells := strings.SplitN(strings.Trim(strings.TrimSpace(lines[i]), "|"), "|", maxColumns)
		for c := range cells {
			cells[c] = orgInline(strings.TrimSpace(cells[c]))
		}
		rows = append(rows, cells)
	}
	w.line(0, "")
	writeTable(w, 0, rows)
	return i - 1
}

func orgInline(s string) string {
	s = orgLink().ReplaceAllStringFunc(s, func(m string) string {
		p := orgLink().FindStringSubmatch(m)
		switch {
		case p[2] == "":
			return p[1]
		case strings.HasPrefix(p[1], "http"):
			return "[" + p[2] + "](" + p[1] + ")"
		}
		return p[2]
	})
	s = orgVerbatim().ReplaceAllString(s, "$1`$2`$3")
	s = orgBold().ReplaceAllString(s, "$1**$2**$3")
	s = orgItalic().ReplaceAllString(s, "$1*$2*$3")
	return orgStrike().ReplaceAllString(s, "$1~~$2~~$3")
}
