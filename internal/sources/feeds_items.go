package sources

import (
	"cmp"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/itlightning/dateparse"
	"github.com/mmcdole/gofeed"
	ext "github.com/mmcdole/gofeed/extensions"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/extract"
	"github.com/research-mcp/research-mcp/internal/text"
)

// items makes documents of a feed's items, in its order.
func items(at *url.URL, f parsedFeed, retrieved time.Time) []evidence.Document {
	at = withoutQuery(at)
	base := at
	if home, err := at.Parse(strings.TrimSpace(f.Link)); err == nil {
		base = home
	}
	language, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(f.Language)), "-")
	warning := strings.Join(f.warnings, "; ")
	var out []evidence.Document
	for _, it := range f.Items[:min(len(f.Items), maxFeedItems)] {
		if it == nil {
			continue
		}
		d := evidence.Document{Source: "feeds", Title: extract.Line(it.Title), Score: 1, Language: language, Published: itemTime(it)}
		d.Text = itemText(it)
		if d.Text == "" {
			d.Text, d.Score = text.Squash(d.Title), bareTitle
		}
		d.URL = itemURL(at, base, it, d)
		d.Meta = meta("feed", f.Title, "author", authors(it), "topics", strings.Join(it.Categories, ", "), evidence.MetaWarning, warning)
		if d, ok := finish(d, retrieved); ok {
			out = append(out, d)
		}
	}
	return out
}

// itemText is what an item says: its content, else its description, else that of the
// video or recording that it is about.
func itemText(it *gofeed.Item) string {
	if s := cmp.Or(extract.Fragment(it.Content), extract.Fragment(it.Description)); s != "" {
		return s
	}
	if s := extract.Fragment(mediaDescription(it.Extensions["media"])); s != "" {
		return s
	}
	if it.ITunesExt != nil {
		return cmp.Or(extract.Fragment(it.ITunesExt.Summary), extract.Fragment(it.ITunesExt.Subtitle))
	}
	return ""
}

// mediaDescription is the first media:description of an item, which may be in a
// media:group or media:content.
func mediaDescription(media map[string][]ext.Extension) string {
	for _, e := range media["description"] {
		if strings.TrimSpace(e.Value) != "" {
			return e.Value
		}
	}
	for _, name := range []string{"group", "content"} {
		for _, e := range media[name] {
			if s := mediaDescription(e.Children); s != "" {
				return s
			}
		}
	}
	return ""
}

// withoutQuery is the address of a feed as documents show it: the query of a
// private feed often holds a key.
func withoutQuery(at *url.URL) *url.URL {
	public := *at
	public.RawQuery, public.ForceQuery = "", false
	return &public
}

// itemURL is where an item is read: its link, else its id where that is an
// address, else a fragment of the feed's address.
func itemURL(at, base *url.URL, it *gofeed.Item, d evidence.Document) string {
	for _, ref := range append([]string{it.Link, atomLink(it)}, it.Links...) {
		if link := webURL(base, strings.TrimSpace(ref)); link != "" {
			return link
		}
	}
	guid := strings.TrimSpace(it.GUID)
	if strings.HasPrefix(guid, "http://") || strings.HasPrefix(guid, "https://") {
		if link := webURL(base, guid); link != "" {
			return link
		}
	}
	item := *at
	item.Fragment = cmp.Or(guid, strings.TrimPrefix(evidence.DocumentID("feeds", "", d.Title+"\n"+d.Text), "d_"))
	return item.String()
}

// atomLink is the address in an atom:link of an RSS item, or "".
func atomLink(it *gofeed.Item) string {
	for _, e := range it.Extensions["atom"]["link"] {
		if rel := e.Attrs["rel"]; rel == "" || rel == "alternate" {
			return e.Attrs["href"]
		}
	}
	return ""
}

func authors(it *gofeed.Item) string {
	var names []string
	for _, a := range it.Authors {
		if a != nil && a.Name != "" {
			names = append(names, a.Name)
		}
	}
	return strings.Join(names, ", ")
}

// itemTime is when an item was published, else updated; zero if it does not say so.
func itemTime(it *gofeed.Item) time.Time {
	if at := cmp.Or(it.PublishedParsed, it.UpdatedParsed); at != nil {
		return at.UTC()
	}
	dates := []string{it.Published, it.Updated}
	if it.DublinCoreExt != nil {
		dates = append(dates, it.DublinCoreExt.Date...)
	}
	for _, s := range dates {
		if at, ok := oddTime(s); ok {
			return at
		}
	}
	return time.Time{}
}

var (
	weekday  = text.Pattern(`(?i)^(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*\.?,?\s+`)
	ordinal  = text.Pattern(`(?i)\b(\d{1,2})(?:st|nd|rd|th)\b`)
	halfDay  = text.Pattern(`(?i)\b(\d{1,2}(?::\d{2}){0,2})\s*([ap])\.?m\b\.?`)
	dayClock = text.Pattern(`(?i)\s+(?:at|-|–|\|)\s+|\s*,\s*`)
)

// longestDate is more than any date has, in bytes.
const longestDate = 80

// oddTime reads a date that is not in one of the formats of feeds, such as "Sun, 15
// Dec 2024 12:15 PM". A date without a zone is in UTC.
func oddTime(s string) (time.Time, bool) {
	s = text.Squash(s)
	if s == "" || len(s) > longestDate {
		return time.Time{}, false
	}
	s = inEnglish(s)
	s = ordinal().ReplaceAllString(weekday().ReplaceAllString(s, ""), "$1")
	s = halfDay().ReplaceAllStringFunc(s, in24Hours)
	s = dayClock().ReplaceAllString(s, " ")
	s, later := withoutOverflow(s)
	at, err := parseDate(s)
	at = at.Add(later)
	if err != nil || at.Year() < 1970 || at.Year() > 2200 {
		return time.Time{}, false
	}
	return at.UTC(), true
}

var (
	midnight   = text.Pattern(`([T\s])24:00(:00(?:[.,]0+)?)?`)
	leapSecond = text.Pattern(`(:[0-5]\d):60`)
)

// withoutOverflow writes the end of a day, 24:00, as its beginning, and a leap second as
// the one before it. What is missing then is later.
func withoutOverflow(s string) (short string, later time.Duration) {
	if midnight().MatchString(s) {
		s, later = midnight().ReplaceAllString(s, "${1}00:00$2"), 24*time.Hour
	}
	if leapSecond().MatchString(s) {
		s, later = leapSecond().ReplaceAllString(s, "$1:59"), later+time.Second
	}
	return s, later
}

// parseDate is dateparse.ParseIn; a panic of it is an error.
func parseDate(s string) (at time.Time, err error) {
	defer func() {
		if recover() != nil {
			err = strconv.ErrSyntax
		}
	}()
	return dateparse.ParseIn(s, time.UTC)
}

// in24Hours converts "5 PM" and "12:15:00 a.m." to "17:00" and "00:15:00".
func in24Hours(s string) string {
	m := halfDay().FindStringSubmatch(s)
	clock, rest, _ := strings.Cut(m[1], ":")
	hour, err := strconv.Atoi(clock)
	if err != nil || hour > 12 {
		return m[1] // "17:15 PM": the clock says it
	}
	hour %= 12
	if strings.EqualFold(m[2], "p") {
		hour += 12
	}
	return strconv.Itoa(100 + hour)[1:] + ":" + cmp.Or(rest, "00")
}

// monthsAbroad are the beginnings of months in the languages in which feeds name them
// beside English, as prefixes of the English names: German, French, Spanish, Italian,
// Portuguese, Dutch. A longer beginning counts before a shorter one.
var monthsAbroad = []struct{ begins, english string }{
	{"janv", "Jan"}, {"jän", "Jan"}, {"ene", "Jan"}, {"gen", "Jan"}, {"fév", "Feb"}, {"fev", "Feb"}, {"mär", "Mar"}, {"maa", "Mar"}, {"mrt", "Mar"},
	{"mars", "Mar"}, {"avr", "Apr"}, {"abr", "Apr"}, {"mai", "May"}, {"mag", "May"}, {"mei", "May"}, {"juin", "Jun"}, {"giu", "Jun"}, {"juil", "Jul"}, {"lug", "Jul"},
	{"aoû", "Aug"}, {"aou", "Aug"}, {"ago", "Aug"}, {"set", "Sep"}, {"okt", "Oct"}, {"ott", "Oct"}, {"out", "Oct"}, {"dez", "Dec"}, {"déc", "Dec"},
	{"dic", "Dec"},
}

// dayDot is the day of a month as German writes it.
var dayDot = text.Pattern(`^(\d{1,2})\.\s*`)

var dateWord = text.Pattern(`\p{L}+\.?`)

// inEnglish writes the month of a date in English, and drops a weekday in another
// language, which is a word before the first digit.
func inEnglish(s string) string {
	first := strings.IndexAny(s, "0123456789")
	found := false
	out := dateWord().ReplaceAllStringFunc(s, func(word string) string {
		for _, m := range monthsAbroad {
			if strings.HasPrefix(strings.ToLower(word), m.begins) {
				found = true
				return m.english
			}
		}
		return word
	})
	if comma := strings.IndexByte(s, ','); comma >= 0 && comma < first && !weekday().MatchString(s) {
		found = true
		out = strings.TrimSpace(out[strings.IndexByte(out, ',')+1:])
	}
	if !found {
		return s
	}
	return dayDot().ReplaceAllString(out, "$1 ")
}
