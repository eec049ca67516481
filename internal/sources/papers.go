package sources

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/mail"
	"net/url"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/html/atom"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/extract"
	"github.com/research-mcp/research-mcp/internal/fetch"
	"github.com/research-mcp/research-mcp/internal/text"
)

// Factors of a paper's score, 1 for one with an abstract that is not retracted.
const (
	bareRecord = 0.3 // nothing beyond its title and authors
	retracted  = 0.3 // by its journal
)

// papersLifetime is for indexes that add new papers once a day.
const papersLifetime = 24 * time.Hour

// paper is a hit of a source of scholarly work. Any field may be empty.
type paper struct {
	title     string // may hold markup
	abstract  string // may hold markup
	url       string
	doi       string
	venue     string // a journal or a book
	authors   []string
	published time.Time
	language  string // ISO 639, two or three letters
	license   string // a name or an address
	revision  string
	retracted bool
	more      []string // further pairs for Meta
}

// document is the paper before it is finished. Its score is 1, or less for one
// without an abstract and for a retracted one.
func (p paper) document() evidence.Document {
	d := evidence.Document{
		URL: p.url, Title: paperLine(p.title), Text: paperText(p.abstract), Revision: p.revision,
		Language: languageTag(p.language), License: openLicense(p.license), Published: p.published, Score: 1,
	}
	if d.Text == "" {
		d.Text, d.Score = p.record(d.Title), d.Score*bareRecord
	}
	isRetracted := ""
	if p.retracted {
		isRetracted, d.Score = "yes", d.Score*retracted
		if d.Title != "" && !strings.HasPrefix(strings.ToLower(d.Title), "retracted") {
			d.Title = "Retracted: " + d.Title
		}
	}
	d.Meta = meta(append([]string{"authors", strings.Join(p.authors, ", "), "venue", paperLine(p.venue), "doi", p.doi, "retracted", isRetracted}, p.more...)...)
	return d
}

// record is a citation of the paper, as the text of one without an abstract. It
// is empty when there is no title.
func (p paper) record(title string) string {
	if title == "" {
		return ""
	}
	authors := p.authors
	if len(authors) > 5 {
		authors = append(authors[:5:5], "et al")
	}
	out := strings.TrimRight(title, ".") + "."
	for _, part := range []string{strings.Join(authors, ", "), paperLine(p.venue)} {
		if part != "" {
			out += " " + strings.TrimRight(part, ".") + "."
		}
	}
	if !p.published.IsZero() {
		out += fmt.Sprintf(" %d.", p.published.Year())
	}
	return out
}

// paperAnswer is a JSON answer that lists papers.
type paperAnswer interface {
	papers(base *url.URL) ([]paper, error) // in the answer's order
}

// searchPapers makes one request, whose answer is decoded into a.
func (e endpoint) searchPapers(ctx context.Context, path string, params url.Values, limit int, a paperAnswer) ([]evidence.Document, error) {
	resp, err := e.getJSON(ctx, path, params, a)
	if err != nil {
		return nil, err
	}
	found, err := a.papers(e.base)
	if err != nil {
		return nil, err
	}
	return paperDocuments(e.name, found, limit, resp.Retrieved), nil
}

// readPapers decodes the items of an answer, in their order.
func readPapers[T any](base *url.URL, items []json.RawMessage, read func(T) paper) ([]paper, error) {
	hits, ok := decodeHits[T](items)
	if !ok {
		return nil, malformed(base)
	}
	out := make([]paper, 0, len(hits))
	for _, hit := range hits {
		out = append(out, read(hit))
	}
	return out, nil
}

func paperDocuments(source string, found []paper, limit int, retrieved time.Time) []evidence.Document {
	return collect(source, found, retrieved, limit, paper.document)
}

// paperText converts a text of a paper to Markdown: HTML or JATS, also where it was
// escaped twice, or plain text with a bare "<".
func paperText(s string) string {
	out := extract.Fragment(escapeLoose(s))
	if strings.Contains(out, "<jats:") {
		out = extract.Fragment(escapeLoose(out))
	}
	for _, front := range []string{"### Abstract\n\n", "#### Abstract\n\n", "Abstract\n\n"} {
		if rest, ok := strings.CutPrefix(out, front); ok {
			return rest
		}
	}
	return out
}

// paperLine is paperText on one line.
func paperLine(s string) string { return extract.Line(escapeLoose(s)) }

// aTag matches what may be a tag; its name is the first group.
var aTag = text.Pattern(`</?((?:jats:|mml:)?[A-Za-z][A-Za-z0-9-]*)([^<>]*)>`)

// escapeLoose escapes each "<" that begins no tag of HTML, JATS or MathML: many
// abstracts are plain text, in which "n<m" is a comparison.
func escapeLoose(s string) string {
	if !strings.Contains(s, "<") {
		return s
	}
	var b strings.Builder
	done := 0
	for _, m := range aTag().FindAllStringSubmatchIndex(s, -1) {
		if !isMarkup(s[m[2]:m[3]], s[m[4]:m[5]]) {
			continue
		}
		b.WriteString(strings.ReplaceAll(s[done:m[0]], "<", "&lt;"))
		b.WriteString(s[m[0]:m[1]])
		done = m[1]
	}
	b.WriteString(strings.ReplaceAll(s[done:], "<", "&lt;"))
	return b.String()
}

// isMarkup reports whether an element of that name and with those attributes is
// one that abstracts have.
func isMarkup(name, attributes string) bool {
	name = strings.ToLower(name)
	if strings.HasPrefix(name, "jats:") || strings.HasPrefix(name, "mml:") || mathML()[name] {
		return true
	}
	attributes = strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(attributes), "/"))
	return atom.Lookup([]byte(name)) != 0 && (attributes == "" || strings.Contains(attributes, "=") || attributes == "hidden")
}

var mathML = sync.OnceValue(func() map[string]bool {
	out := map[string]bool{}
	for name := range strings.FieldsSeq(`math semantics annotation annotation-xml mrow mi mo mn mtext mspace msup msub msubsup mfrac msqrt mroot
		munder mover munderover mfenced mtable mtr mtd mstyle mpadded mphantom mmultiscripts mprescripts none menclose merror maction ms
		tex-math inline-formula disp-formula alternatives`) {
		out[name] = true
	}
	return out
})

// email is the operator's e-mail address, or empty.
func email(network *fetch.Network) string {
	if network == nil {
		return ""
	}
	a, err := mail.ParseAddress(strings.TrimPrefix(network.Contact(), "mailto:"))
	if err != nil {
		return ""
	}
	return a.Address
}

// doiOf is the DOI in s, which may be a URL, or empty.
func doiOf(s string) string {
	s = strings.TrimSpace(s)
	for _, front := range []string{"https://doi.org/", "http://doi.org/", "https://dx.doi.org/", "http://dx.doi.org/", "doi:"} {
		s = strings.TrimPrefix(s, front)
	}
	if !strings.HasPrefix(s, "10.") || !strings.Contains(s, "/") {
		return ""
	}
	return s
}

// doiURL is the URL of a DOI, or empty.
func doiURL(doi string) string {
	if doi = doiOf(doi); doi == "" {
		return ""
	}
	return (&url.URL{Scheme: "https", Host: "doi.org", Path: "/" + doi}).String()
}

var (
	licenseName = text.Pattern(`^cc[ -]by((?:-(?:nc|nd|sa))*)(?:[ -]([0-9.]+))?$`)
	licenseURL  = text.Pattern(`^https?://(?:www\.)?creativecommons\.org/(?:licenses/(by(?:-nc|-nd|-sa)*)|publicdomain/(zero))/([0-9.]+)/?`)
)

// openLicense is the short name of a Creative Commons license, and empty for
// anything else: a publisher's own terms do not say what may be quoted.
func openLicense(s string) string {
	s = strings.ToLower(strings.TrimSpace(s))
	if s == "cc0" {
		return "CC0 1.0"
	}
	if m := licenseName().FindStringSubmatch(s); m != nil {
		return strings.TrimSpace("CC BY" + strings.ToUpper(m[1]) + " " + m[2])
	}
	if m := licenseURL().FindStringSubmatch(s); m != nil {
		return strings.Replace("CC "+strings.ToUpper(cmp.Or(m[1], "0")), "CC 0", "CC0", 1) + " " + m[3]
	}
	return ""
}

// threeLetters maps codes of ISO 639-2, which libraries use, to BCP 47.
var threeLetters = map[string]string{
	"eng": "en", "fre": "fr", "fra": "fr", "ger": "de", "deu": "de", "spa": "es", "por": "pt", "ita": "it", "rus": "ru",
	"jpn": "ja", "chi": "zh", "zho": "zh", "kor": "ko", "pol": "pl", "dut": "nl", "nld": "nl", "tur": "tr", "ukr": "uk",
}

// languageTag is the BCP 47 subtag of a code, or empty.
func languageTag(code string) string {
	code = strings.ToLower(strings.TrimSpace(code))
	if two := threeLetters[code]; two != "" {
		return two
	}
	if len(code) == 2 && languageCode().MatchString(code) {
		return code
	}
	return ""
}

// day is a date that may lack its month or day. It is zero without a year.
func day(year, month, dayOf int) time.Time {
	if year < 1000 || year > 9999 {
		return time.Time{}
	}
	if month < 1 || month > 12 {
		month, dayOf = 1, 1
	}
	if dayOf < 1 || dayOf > 31 {
		dayOf = 1
	}
	return time.Date(year, time.Month(month), dayOf, 0, 0, 0, 0, time.UTC)
}

// dateOf reads YYYY-MM-DD; it is zero for anything else.
func dateOf(s string) time.Time {
	at, err := time.Parse(time.DateOnly, strings.TrimSpace(s))
	if err != nil {
		return time.Time{}
	}
	return at
}
