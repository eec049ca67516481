package sources

import (
	"net/url"
	"slices"
	"strings"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/text"
)

// arxivDOI is the beginning of the DOIs of arXiv.
const arxivDOI = "10.48550/arxiv."

// maxIdentifiers is how many papers a query may name.
const maxIdentifiers = 10

// arXiv numbers since 2007 have a year and month; older ones an archive before them.
// A number alone counts if its month exists.
var arxivNumber = text.Pattern(`(?i)\b(?:[0-9]{2}(?:0[1-9]|1[0-2])\.[0-9]{4,5}|(?:acc-phys|adap-org|alg-geom|ao-sci|astro-ph|atom-ph|bayes-an|chao-dyn|chem-ph|` +
	`cmp-lg|comp-gas|cond-mat|cs|dg-ga|funct-an|gr-qc|hep-(?:ex|lat|ph|th)|math|math-ph|mtrl-th|nlin|nucl-(?:ex|th)|patt-sol|physics|plasm-ph|q-alg|` +
	`q-bio|quant-ph|solv-int|supr-con)(?:\.[A-Z]{2})?/[0-9]{2}(?:0[1-9]|1[0-2])[0-9]{3})(?:v[0-9]{1,3})?\b`)

var (
	arxivVersion = text.Pattern(`(?i)v[0-9]+$`)
	otherDOI     = text.Pattern(`(?i)\b10\.[0-9]{4,9}/\S+`)
)

// arxivIDs are the papers of arXiv that a query names by their numbers or addresses,
// without versions, each once.
func arxivIDs(q evidence.Query) []string {
	var out []string
	for _, s := range []string{q.Text, q.Question} {
		s = otherDOI().ReplaceAllStringFunc(s, func(doi string) string { // other DOIs may hold such numbers
			if strings.HasPrefix(strings.ToLower(doi), arxivDOI) {
				return doi
			}
			return " "
		})
		for _, id := range arxivNumber().FindAllString(s, -1) {
			id = arxivVersion().ReplaceAllString(id, "")
			if archive, number, old := strings.Cut(id, "/"); old {
				archive, class, _ := strings.Cut(archive, ".")
				if id = strings.ToLower(archive); class != "" {
					id += "." + strings.ToUpper(class)
				}
				id += "/" + number
			}
			if !slices.Contains(out, id) && len(out) < maxIdentifiers {
				out = append(out, id)
			}
		}
	}
	return out
}

var doiPattern = text.Pattern(`(?i)\b10\.[0-9]{4,9}(?:\.[0-9]+)*/[^\s"<>“”«»{}|^` + "`" + `]+`)

// doisOf are the DOIs that a query names, alone or in addresses, each once.
func doisOf(q evidence.Query) []string {
	var out []string
	for _, s := range []string{q.Text, q.Question} {
		for _, doi := range doiPattern().FindAllString(s, -1) {
			if i := strings.Index(strings.ToLower(s), "doi.org/"+strings.ToLower(doi)); i >= 0 { // in an address, escapes and parameters are not its own
				doi, _, _ = strings.Cut(doi, "?")
				if plain, err := url.PathUnescape(doi); err == nil {
					doi = plain
				}
			}
			doi = withoutEnding(doi)
			same := func(d string) bool { return strings.EqualFold(d, doi) }
			if doiOf(doi) != "" && !slices.ContainsFunc(out, same) && len(out) < maxIdentifiers {
				out = append(out, doi)
			}
		}
	}
	return out
}

// withoutEnding is s without the punctuation of the sentence that it stands in. A
// bracket stays if it is opened in s.
func withoutEnding(s string) string {
	for s != "" {
		last := s[len(s)-1]
		switch {
		case strings.IndexByte(".,;:!?'*_", last) >= 0:
		case last == ')' && strings.Count(s, "(") < strings.Count(s, ")"):
		case last == ']' && strings.Count(s, "[") < strings.Count(s, "]"):
		case strings.HasSuffix(s, "’"):
			s = strings.TrimSuffix(s, "’")
			continue
		default:
			return s
		}
		s = s[:len(s)-1]
	}
	return s
}
