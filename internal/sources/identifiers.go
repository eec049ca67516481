package sources

import (
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

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
			if !isArxivNumber(id) {
				continue
			}
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

// isArxivNumber reports whether arXiv gave numbers of this length in the month that id
// begins with: four digits from April 2007, five from January 2015.
func isArxivNumber(id string) bool {
	month, number, isNew := strings.Cut(id, ".")
	if !isNew || strings.Contains(id, "/") {
		return true
	}
	if len(number) == 4 {
		return month >= "0704" && month <= "1412"
	}
	return month >= "1501"
}

// doiPattern also matches the angle brackets of DOIs that are made of SICI numbers.
var doiPattern = text.Pattern(`(?i)\b10\.[0-9]{4,9}(?:\.[0-9]+)*/(?:[^\s"<>“”«»{}|^` + "`" + `\x{3000}-\x{9FFF}\x{AC00}-\x{D7A3}\x{FF00}-\x{FFEF}]|<[^<>\s]{1,60}>[0-9])+`)

var (
	webAddress = text.Pattern(`(?i)(?:\b[a-z]{3,5}://|\bwww\.|doi\.org/)[^\s"<>]*$`)
	// doiView is what publishers add to a DOI in the addresses of their pages.
	doiView = text.Pattern(`(?i)(?:/(?:full|full-?text|abstract|abs|e?pdf|html|meta|summary|references|figures|citations?|metrics|suppl_file|supplementary|suppinfo)` +
		`|(?:v[0-9]{1,2})?\.(?:full|abstract|short|full-text)(?:\.pdf)?(?:\+html)?|\.pdf)$`)
	preprint = text.Pattern(`^(10\.1101/[0-9.]+)v[0-9]{1,2}$`) // bioRxiv and medRxiv: versions have no DOI
)

// doisOf are the DOIs that a query names, alone or in addresses, each once.
func doisOf(q evidence.Query) []string {
	var out []string
	for _, s := range []string{q.Text, q.Question} {
		for _, at := range doiPattern().FindAllStringIndex(s, -1) {
			found := []string{s[at[0]:at[1]]}
			if webAddress().MatchString(s[:at[0]]) {
				found = ofAddress(found[0])
			}
			for _, doi := range found {
				doi = preprint().ReplaceAllString(withoutEnding(doi), "$1")
				same := func(d string) bool { return strings.EqualFold(d, doi) }
				if doiOf(doi) != "" && !slices.ContainsFunc(out, same) && len(out) < maxIdentifiers {
					out = append(out, doi)
				}
			}
		}
	}
	return out
}

// ofAddress are the DOIs that an address may end with, without what is not their own:
// escapes, parameters, a fragment, the view of the page. The name of a file behind a slash
// may be a part of the DOI or not, so that the address has one with it and one without.
func ofAddress(doi string) []string {
	if i := strings.IndexAny(doi, "?#&"); i >= 0 {
		doi = doi[:i]
	}
	if plain, err := url.PathUnescape(doi); err == nil {
		doi = plain
	}
	doi = withoutEnding(doi)
	isFile := strings.HasSuffix(strings.ToLower(doi), ".pdf")
	if short := doiView().ReplaceAllString(doi, ""); strings.Contains(short, "/") {
		doi = short
	}
	out := []string{doi}
	for rest := doi; isFile && strings.Count(rest, "/") > 1; {
		rest = rest[:strings.LastIndexByte(rest, '/')]
		out = append(out, rest)
		isFile = isNumber(rest[strings.LastIndexByte(rest, '/')+1:]) // the folder of the file
	}
	return out
}

func isNumber(s string) bool { return strings.Trim(s, "0123456789") == "" }

// withoutEnding is s without the punctuation of the sentence that it stands in. A
// bracket stays if it is opened in s.
func withoutEnding(s string) string {
	for s != "" {
		last := s[len(s)-1]
		switch {
		case strings.IndexByte(".,;:!?'*_", last) >= 0:
		case last == ')' && strings.Count(s, "(") < strings.Count(s, ")"):
		case last == ']' && strings.Count(s, "[") < strings.Count(s, "]"):
		case last >= utf8.RuneSelf:
			r, n := utf8.DecodeLastRuneInString(s)
			if !unicode.IsPunct(r) {
				return s
			}
			s = s[:len(s)-n]
			continue
		default:
			return s
		}
		s = s[:len(s)-1]
	}
	return s
}
