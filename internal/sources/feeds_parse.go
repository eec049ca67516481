package sources

import (
	"cmp"
	"encoding/xml"
	"errors"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/mmcdole/gofeed"

	"github.com/research-mcp/research-mcp/internal/extract/decode"
	"github.com/research-mcp/research-mcp/internal/text"
)

var (
	errNoFeed       = errors.New("neither RSS nor Atom nor JSON Feed")
	errFeedTooLarge = errors.New("larger than a feed may be")
	errFeedShape    = errors.New("it has entries, none of which can be read")
)

// parsedFeed is a feed with what may be wrong in its text.
type parsedFeed struct {
	*gofeed.Feed
	warnings []string
	damaged  bool // entries may be missing or incomplete
}

// parseFeed reads RSS, Atom and JSON Feed. What is not quite XML is repaired first; if
// that does not suffice, each entry is repaired on its own, and a warning says so.
// contentType is the header of the answer, which may name the character encoding.
//
// A feed without items is one that was understood: one whose entries are not
// recognised is an error.
func parseFeed(raw []byte, contentType string) (parsedFeed, error) {
	body, warnings := decodeFeed(raw, contentType)
	if isJSON(body) {
		feed, damaged, err := parseJSON(body)
		if damaged {
			warnings = append(warnings, "the feed is cut off, or has items of another form: an item may be missing or incomplete")
		}
		return parsedFeed{Feed: feed, warnings: warnings, damaged: damaged}, err
	}
	body = repairXML(body)
	feed, err := parseXML(body)
	if errors.Is(err, errFeedTooLarge) || errors.Is(err, errNoFeed) || err == nil && isWellFormed(body) {
		return parsedFeed{Feed: feed, warnings: warnings}, err
	}
	if again, ok := repairEntries(body, feed); ok {
		return parsedFeed{Feed: again, warnings: append(warnings, "the feed is not well-formed or cut off: an item may be incomplete"), damaged: true}, nil
	}
	return parsedFeed{Feed: feed, warnings: warnings}, err
}

// repairEntries parses a feed entry by entry. ok is true if there is more in it than in
// feed, which the parser made of it as a whole: the parser is lenient, and may lose
// entries of what is not well-formed. feed may be nil.
func repairEntries(body string, feed *gofeed.Feed) (again *gofeed.Feed, ok bool) {
	recovered, ok := recoverEntries(body)
	if !ok {
		return nil, false
	}
	again, err := parseXML(recovered)
	return again, err == nil && (feed == nil || compareContent(again, feed) > 0)
}

// compareContent is positive if a has more fields in its items than b, or as many and
// more text.
func compareContent(a, b *gofeed.Feed) int {
	size := func(f *gofeed.Feed) (fields, bytes int) {
		for _, it := range f.Items {
			for _, s := range []string{it.Title, it.Link, it.Description, it.Content} {
				bytes += len(s)
				fields += min(len(s), 1)
			}
		}
		return fields, bytes
	}
	fieldsA, bytesA := size(a)
	fieldsB, bytesB := size(b)
	return cmp.Or(cmp.Compare(fieldsA, fieldsB), cmp.Compare(bytesA, bytesB))
}

// parseXML reads a feed that was repaired.
func parseXML(body string) (*gofeed.Feed, error) {
	entries, err := checkSize(body)
	if err != nil {
		return nil, err
	}
	switch gofeed.DetectFeedType(strings.NewReader(body)) {
	case gofeed.FeedTypeAtom, gofeed.FeedTypeRSS:
	default:
		return nil, errNoFeed
	}
	feed, err := gofeed.NewParser().Parse(strings.NewReader(body))
	switch {
	case err != nil:
		return nil, err
	case len(feed.Items) == 0 && entries > 0:
		return nil, errFeedShape
	case len(feed.Items) == 0 && feed.Title == "" && feed.Link == "" && feed.Description == "" && feed.Updated == "":
		return nil, errNoFeed // a root element and nothing that a feed has
	}
	return feed, nil
}

// entryStart matches the beginning of an item of RSS or an entry of Atom.
var entryStart = text.Pattern(`(?i)<(?:[a-z][\w.-]{0,40}:)?(?:item|entry)[\s>/]`)

// maxGuesses is how many items of a feed may each have an encoding that is guessed, or
// a declared one that is compared with a guess. Either takes up to a few milliseconds.
const maxGuesses = 50

// decodeFeed converts a feed to UTF-8. Items of feeds that programs compile from
// others may differ in their encoding, so that each is decoded on its own where the
// whole is not valid.
func decodeFeed(raw []byte, contentType string) (body string, warnings []string) {
	whole := decode.Bytes(raw, decode.Hints{ContentType: contentType, XML: true})
	cuts := entryStart().FindAllIndex(raw, maxFeedEntries+1)
	if utf8.Valid(raw) || len(cuts) < 2 || strings.HasPrefix(whole.Charset, "utf-16") || strings.HasPrefix(whole.Charset, "utf-32") {
		return whole.Text, whole.Warnings()
	}
	var out strings.Builder
	start, replaced, invalid := 0, 0, 0
	for i := 0; i <= len(cuts); i++ {
		end := len(raw)
		if i < len(cuts) {
			end = cuts[i][0]
		}
		part := raw[start:end]
		start = end
		if !utf8.Valid(part) {
			invalid++
		}
		decoded := decode.Bytes(part, decode.Hints{ContentType: "text/xml; charset=" + whole.Charset, NoGuess: invalid > maxGuesses})
		out.WriteString(decoded.Text)
		replaced += decoded.Replaced
	}
	whole.Replaced = replaced
	return out.String(), whole.Warnings()
}

var (
	feedStart      = text.Pattern(`(?i)<(?:[a-z][\w.-]*:)?(?:feed|rss|rdf)[\s>/]`)
	lessThan       = text.Pattern(`<([^a-zA-Z_:/!?]|$)`)
	charReference  = text.Pattern(`&#(?:[xX][0-9a-fA-F]{1,8}|[0-9]{1,9});`)
	namespaceValue = text.Pattern(`(\sxmlns(?::([\w.-]+))?\s*=\s*)(?:"([^"<>]*)"|'([^'<>]*)')`)
	rootStart      = text.Pattern(`^(?:\s|<\?[^>]*\?>|<!--(?s:.*?)-->|<![^>]*>)*<([\w.-]+:)?(?:[fF][eE][eE][dD]|[rR][sS][sS]|RDF)[^>]*>`)
)

// maxPreamble is how far into the text of a feed its root element may begin, in bytes.
const maxPreamble = 8 << 10

// repairXML makes XML of a text that is not quite: it removes what is before the root
// element (the declaration of an encoding, messages of a script) and characters that no
// XML may have, also as references, escapes what is no tag, and writes the names of
// namespaces as the parser knows them.
func repairXML(body string) string {
	body, _ = text.Clean(strings.ReplaceAll(body, "\x00", ""))
	if at := feedStart().FindStringIndex(body[:min(len(body), maxPreamble)]); at != nil {
		body = body[at[0]:]
	}
	body = lessThan().ReplaceAllString(body, "&lt;$1")
	body = charReference().ReplaceAllStringFunc(body, func(ref string) string {
		digits, base := strings.ToLower(ref[2:len(ref)-1]), 10
		if rest, ok := strings.CutPrefix(digits, "x"); ok {
			digits, base = rest, 16
		}
		n, err := strconv.ParseUint(digits, base, 32)
		if clean, changed := text.Clean(string(rune(n))); err != nil || n > utf8.MaxRune || changed && clean == "" {
			return ""
		}
		return ref
	})
	body = withKnownNamespaces(body)
	return strings.TrimSpace(body)
}

// checkSize refuses XML that nests deeper, or has more elements, than any feed, and
// returns the number of items and entries. It counts every end tag once: the lenient
// parser closes at least one element for each, so its depth is never greater.
func checkSize(body string) (entries int, err error) {
	d := xml.NewDecoder(strings.NewReader(body))
	d.Strict = false
	for depth, elements := 0, 0; ; {
		token, err := d.RawToken()
		switch {
		case errors.Is(err, io.EOF):
			return entries, nil
		case err != nil:
			return entries, err // the parser would fail here, too
		}
		switch tag := token.(type) {
		case xml.StartElement:
			if depth++; depth > maxFeedDepth {
				return entries, errFeedTooLarge
			}
			if name := tag.Name.Local; strings.EqualFold(name, "item") || strings.EqualFold(name, "entry") {
				entries++
			}
			if elements += 1 + len(tag.Attr); elements > maxFeedElements || entries > maxFeedEntries {
				return entries, errFeedTooLarge
			}
		case xml.EndElement:
			depth = max(depth-1, 0)
		}
	}
}

// namespaces are the vocabularies that are read, by what their names have in common
// however they are written.
var namespaces = map[string]string{
	"w3.org/2005/atom":                  "http://www.w3.org/2005/Atom",
	"purl.org/atom/ns":                  "http://purl.org/atom/ns#",
	"w3.org/1999/02/22-rdf-syntax-ns":   "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
	"purl.org/rss/1.0":                  "http://purl.org/rss/1.0/",
	"purl.org/rss/1.0/modules/content":  "http://purl.org/rss/1.0/modules/content/",
	"purl.org/dc/elements/1.1":          "http://purl.org/dc/elements/1.1/",
	"purl.org/dc/terms":                 "http://purl.org/dc/terms/",
	"search.yahoo.com/mrss":             "http://search.yahoo.com/mrss/",
	"rssboard.org/media-rss":            "http://search.yahoo.com/mrss/",
	"itunes.com/dtds/podcast-1.0.dtd":   "http://www.itunes.com/dtds/podcast-1.0.dtd",
	"purl.org/rss/1.0/modules/encoding": "http://purl.org/rss/1.0/modules/content/",
}

// prefixes are what the prefixes of elements mean whose namespace is another one, as
// a wrong copy has it.
var prefixes = map[string]string{
	"atom": "http://www.w3.org/2005/Atom", "content": "http://purl.org/rss/1.0/modules/content/",
	"dc": "http://purl.org/dc/elements/1.1/", "media": "http://search.yahoo.com/mrss/",
	"rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
}

// withKnownNamespaces writes namespaces as the parser compares them. The root
// element's own namespace, if it is none of them, is that of its vocabulary.
func withKnownNamespaces(body string) string {
	root := rootStart().FindStringSubmatchIndex(body)
	if root == nil {
		return body
	}
	own := "" // the prefix of the root element
	if root[2] >= 0 {
		own = strings.TrimSuffix(body[root[2]:root[3]], ":")
	}
	rewrite := func(s string, inRoot bool) string {
		return namespaceValue().ReplaceAllStringFunc(s, func(m string) string {
			p := namespaceValue().FindStringSubmatch(m)
			prefix, value := p[2], p[3]+p[4]
			name, known := namespaces[namespaceKey(value)]
			switch {
			case known:
			case prefixes[strings.ToLower(prefix)] != "":
				name = prefixes[strings.ToLower(prefix)]
			case inRoot && prefix == own && prefix == "":
				return p[1] + `""` // no namespace is the vocabulary of the root
			case inRoot && prefix == own:
				name = prefixes["atom"]
			default:
				return m
			}
			return p[1] + `"` + name + `"`
		})
	}
	return rewrite(body[:root[1]], true) + rewrite(body[root[1]:], false)
}

// namespaceKey is what the spellings of a namespace have in common.
func namespaceKey(value string) string {
	value = strings.ToLower(strings.TrimSpace(value))
	value = strings.TrimPrefix(strings.TrimPrefix(value, "http://"), "https://")
	return strings.TrimRight(strings.TrimPrefix(value, "www."), "/#")
}
