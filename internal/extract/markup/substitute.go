package markup

import (
	"encoding/csv"
	"regexp"
	"strings"
)

var (
	adocValue     = regexp.MustCompile(`^:([\w-]+):\s+(\S.*)$`)
	adocReference = regexp.MustCompile(`\{([\w-]+)\}`)
	rstReplace    = regexp.MustCompile(`^\s*\.\. \|([^|]+)\| replace::\s*(.*)$`)
	rstReference  = regexp.MustCompile(`\|([^|\s](?:[^|]*[^|\s])?)\|`)
)

// maxSubstitution bounds what names of a document stand for, in bytes: a document
// cannot grow by them.
const maxSubstitution = 200

// resolveAdoc removes the attributes of an AsciiDoc document's header, and writes what
// attributes stand for where text refers to them.
func resolveAdoc(lines []string) []string {
	values := map[string]string{}
	out := make([]string, 0, len(lines))
	header, verbatim := false, ""
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
		case strings.HasPrefix(l, "= ") && isBlankBefore(lines[:i]):
			header = true
		}
		if m := adocValue.FindStringSubmatch(trimmed); m != nil && len(m[2]) <= maxSubstitution {
			values[m[1]] = m[2]
		}
		if header && adocAttribute.MatchString(trimmed) {
			continue
		}
		out = append(out, replaceKnown(adocReference, l, values))
	}
	return out
}

// isNear reports whether a line may underline the title above it, by their lengths.
func isNear(a, b int) bool { return a-b <= 3 && b-a <= 3 }

// isBlankBefore reports whether a document has nothing but attributes and comments yet.
func isBlankBefore(lines []string) bool {
	for _, l := range lines {
		if !isBlank(l) && !adocAttribute.MatchString(l) && !strings.HasPrefix(l, "//") {
			return false
		}
	}
	return true
}

// resolveRST writes what the substitutions of a document stand for where text refers
// to them. Rows of tables stay as they are, because their columns are counted.
func resolveRST(lines []string) {
	values := map[string]string{}
	for _, l := range lines {
		if m := rstReplace.FindStringSubmatch(l); m != nil && len(m[2]) <= maxSubstitution {
			values[m[1]] = m[2]
		}
	}
	for i, l := range lines {
		if trimmed := strings.TrimSpace(l); len(values) > 0 && !strings.HasPrefix(trimmed, ".. |") && !strings.HasPrefix(trimmed, "|") {
			lines[i] = replaceKnown(rstReference, l, values)
		}
	}
}

// replaceKnown replaces the references that re finds in s and values has.
func replaceKnown(re *regexp.Regexp, s string, values map[string]string) string {
	if len(values) == 0 {
		return s
	}
	return re.ReplaceAllStringFunc(s, func(m string) string {
		if v, ok := values[re.FindStringSubmatch(m)[1]]; ok {
			return v
		}
		return m
	})
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
