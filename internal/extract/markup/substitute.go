package markup

import (
	"encoding/csv"
	"regexp"
	"strings"

	"github.com/research-mcp/research-mcp/internal/text"
)

var (
	adocValue     = text.Pattern(`^:([\w-]+):\s+(\S.*)$`)
	adocReference = text.Pattern(`\{([\w-]+)\}`)
	rstReplace    = text.Pattern(`^\s*\.\. \|([^|]+)\| replace::\s*(.*)$`)
	rstReference  = text.Pattern(`\|([^|\s](?:[^|]*[^|\s])?)\|`)
)

// Bounds of what names of a document stand for, in bytes.
const (
	maxSubstitution = 200       // of one
	maxGrowth       = 256 << 10 // of the document by all
)

// substitutions are what the names of a document stand for.
type substitutions struct {
	values map[string]string
	grown  int
}

// define gives a name its meaning, if that is short.
func (s *substitutions) define(name, value string) {
	if len(value) > maxSubstitution {
		return
	}
	if s.values == nil {
		s.values = map[string]string{}
	}
	s.values[name] = value
}

// replace replaces the references that re finds in l and that have a meaning.
func (s *substitutions) replace(re *regexp.Regexp, l string) string {
	if len(s.values) == 0 {
		return l
	}
	return re.ReplaceAllStringFunc(l, func(m string) string {
		v, ok := s.values[re.FindStringSubmatch(m)[1]]
		if !ok || s.grown+len(v)-len(m) > maxGrowth {
			return m
		}
		s.grown += max(len(v)-len(m), 0)
		return v
	})
}

// resolveAdoc removes the attributes of an AsciiDoc document's header, and writes what
// attributes stand for where text refers to them.
func resolveAdoc(lines []string) []string {
	var values substitutions
	out := make([]string, 0, len(lines))
	header, begun, verbatim := false, false, ""
	for i, l := range lines {
		trimmed := strings.TrimRight(l, " \t")
		underlines := i > 0 && !isBlank(lines[i-1]) && !strings.HasPrefix(lines[i-1], "[") && isNear(len(lines[i-1]), len(trimmed))
		switch {
		case verbatim != "":
			if trimmed == verbatim {
				verbatim = ""
			}
			out = append(out, l)
			continue
		case isDelimiter(trimmed) && strings.IndexByte("-.+/", trimmed[0]) >= 0 && trimmed != "--" && !underlines, trimmed == "```":
			verbatim = trimmed
		case isBlank(l):
			header = false
		case strings.HasPrefix(l, "= ") && !begun:
			header = true
		}
		begun = begun || !isBlank(l) && !adocAttribute().MatchString(l) && !strings.HasPrefix(l, "//")
		if m := adocValue().FindStringSubmatch(trimmed); m != nil {
			values.define(m[1], m[2])
		}
		if header && adocAttribute().MatchString(trimmed) {
			continue
		}
		out = append(out, values.replace(adocReference(), l))
	}
	return out
}

// isNear reports whether a line may underline the title above it, by their lengths.
func isNear(a, b int) bool { return a-b <= 3 && b-a <= 3 }

// resolveRST writes what the substitutions of a document stand for where text refers
// to them. Rows of tables stay as they are, because their columns are counted.
func resolveRST(lines []string) {
	var values substitutions
	for _, l := range lines {
		if m := rstReplace().FindStringSubmatch(l); m != nil {
			values.define(m[1], m[2])
		}
	}
	for i, l := range lines {
		if trimmed := strings.TrimSpace(l); !strings.HasPrefix(trimmed, ".. |") && !strings.HasPrefix(trimmed, "|") {
			lines[i] = values.replace(rstReference(), l)
		}
	}
}

// csvTable reads a table written as comma-separated values; header is its first row,
// and may be empty. ok is false if it is no such table.
func (r *rstReader) csvTable(header string, body []string) (ok bool) {
	text := strings.Join(body, "\n")
	if header != "" {
		text = header + "\n" + text
	}
	in := csv.NewReader(strings.NewReader(text))
	in.FieldsPerRecord, in.LazyQuotes, in.TrimLeadingSpace = -1, true, true
	rows, err := in.ReadAll()
	if err != nil || len(rows) == 0 {
		return false
	}
	for i, row := range rows {
		for j, cell := range row {
			rows[i][j] = rstInline(strings.Join(strings.Fields(cell), " "))
		}
	}
	r.w.line(0, "")
	writeTable(r.w, r.base, rows)
	return true
}
