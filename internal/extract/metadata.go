package extract

import (
	"strings"
	"time"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"github.com/research-mcp/research-mcp/internal/text"
)

// metadata is what the head of a page says about it. It is not shown, so that
// nothing of it becomes text but the title, which the browser shows.
type metadata struct {
	titleElement string
	language     string
	published    time.Time
	linked       linkedText
}

func readMetadata(doc *html.Node) metadata {
	var m metadata
	var ld []string
	var dates [3]string // by trust
	for n := range doc.Descendants() {
		switch n.DataAtom {
		case atom.Html:
			m.language = attribute(n.Attr, "lang")
			if m.language == "" {
				m.language = attribute(n.Attr, "xml:lang")
			}
		case atom.Title:
			if m.titleElement == "" && n.Namespace == "" {
				m.titleElement = text.Squash(textOf(n))
			}
		case atom.Meta:
			m.meta(n, &dates)
		case atom.Script:
			if n.FirstChild != nil && strings.EqualFold(strings.TrimSpace(attribute(n.Attr, "type")), "application/ld+json") && len(ld) < 20 {
				ld = append(ld, n.FirstChild.Data)
			}
		case atom.Time:
			if dates[2] == "" && (attribute(n.Attr, "itemprop") == "datePublished" || has(n.Attr, "pubdate")) {
				dates[2] = attribute(n.Attr, "datetime")
			}
		}
	}
	for _, s := range ld {
		m.linked.read(s)
	}
	dates[1] = m.linked.published
	for _, d := range dates {
		if t, ok := parseDate(d); ok && m.published.IsZero() {
			m.published = t
		}
	}
	return m
}

func (m *metadata) meta(n *html.Node, dates *[3]string) {
	name := strings.ToLower(attribute(n.Attr, "property") + attribute(n.Attr, "name") + attribute(n.Attr, "itemprop"))
	content := attribute(n.Attr, "content")
	switch name {
	case "article:published_time", "datepublished", "og:published_time":
		dates[0] = content
	case "dc.date", "dcterms.created", "dc.date.issued", "date", "citation_publication_date", "parsely-pub-date", "pubdate":
		if dates[2] == "" {
			dates[2] = content
		}
	case "og:locale", "content-language":
		if m.language == "" {
			m.language = content
		}
	}
	if strings.EqualFold(attribute(n.Attr, "http-equiv"), "content-language") && m.language == "" {
		m.language = content
	}
}

var dateLayouts = []string{time.RFC3339, "2006-01-02T15:04:05Z0700", "2006-01-02T15:04:05", "2006-01-02 15:04:05 -0700", "2006-01-02 15:04:05", "2006-01-02T15:04Z07:00", "2006-01-02T15:04", "2006-01-02", "2006/01/02", time.RFC1123Z, time.RFC1123, "January 2, 2006", "2 January 2006"}

func parseDate(s string) (time.Time, bool) {
	s = strings.TrimSpace(s)
	if len(s) < 8 || len(s) > 40 {
		return time.Time{}, false
	}
	for _, layout := range dateLayouts {
		if t, err := time.Parse(layout, s); err == nil && t.Year() > 1500 && t.Year() < 2200 {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}

var titleBreak = text.Pattern(`\s+[|\-–—»·•/>\\]\s+|\s*::\s*|:\s+`)

// title returns the title of the page without the name of the site: the part of
// the title element that a heading repeats, or all of it.
func (m *metadata) title(doc *html.Node) string {
	title := m.titleElement
	headings := map[string]bool{}
	first := ""
	for n := range doc.Descendants() {
		if n.DataAtom == atom.H1 || n.DataAtom == atom.H2 && first == "" {
			s := text.Squash(strings.Trim(text.Squash(textOf(n)), "¶#§"))
			headings[strings.ToLower(s)] = true
			if n.DataAtom == atom.H1 && first == "" {
				first = s
			}
		}
	}
	if title == "" {
		return first
	}
	if headings[strings.ToLower(title)] {
		return title
	}
	parts := titleBreak().Split(title, -1)
	for _, p := range parts {
		if p = strings.TrimSpace(p); headings[strings.ToLower(p)] {
			return p
		}
	}
	if cut := titleBreak().FindAllStringIndex(title, -1); len(cut) > 0 {
		last := cut[len(cut)-1]
		if head := strings.TrimSpace(title[:last[0]]); len(strings.Fields(head)) >= 3 && title[last[0]] != ':' {
			return head
		}
	}
	return title
}

var subtag = text.Pattern(`^[A-Za-z]{2,3}`)

func primarySubtag(lang string) string {
	first, _, _ := strings.Cut(strings.ReplaceAll(strings.TrimSpace(lang), "_", "-"), "-")
	if subtag().FindString(first) != first {
		return ""
	}
	return strings.ToLower(first)
}
