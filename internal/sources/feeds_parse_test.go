package sources

import (
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestParseFeedRefusesDepth(t *testing.T) {
	t.Parallel()
	const head = `<rss version="2.0" xmlns:x="urn:x"><channel><item><title>t</title>`
	for name, c := range map[string]struct {
		body string
		ok   bool
	}{
		"a few levels":      {head + strings.Repeat("<x:a>", 20) + strings.Repeat("</x:a>", 20) + "</item></channel></rss>", true},
		"very deep":         {head + strings.Repeat("<x:a>", 200_000), false},
		"deep behind ends":  {head + strings.Repeat("<x:a><x:b/>", 200_000), false},
		"control character": {head + "\x01</item></channel></rss>", true},
		"JSON":              {`{"title":"News","items":[]}`, false},
		"HTML":              {`<html><body><p>x</p></body></html>`, false},
		"nothing":           {"", false},
	} {
		if f, err := parseFeed([]byte(c.body), ""); (err == nil) != c.ok {
			t.Errorf("%s: %v, %v", name, f, err)
		}
	}
}

func FuzzParseFeed(f *testing.F) {
	f.Add([]byte(`<rss version="2.0"><channel><item><title>a</title><link>b</link><pubDate>Mon, 05 Oct 2026 08:30:00 GMT</pubDate></item></channel></rss>`))
	f.Add([]byte(`<feed xmlns="http://www.w3.org/2005/Atom"><entry><title type="html">&lt;b&gt;</title></entry></feed>`))
	f.Add([]byte(`<?xml version="1.0" encoding="shift_jis"?><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"/>`))
	at := mustURL(f, "https://example.org/feed.xml")
	f.Fuzz(func(t *testing.T, raw []byte) {
		parsed, err := parseFeed(raw, "")
		if err != nil {
			return
		}
		for _, d := range items(at, parsed, time.Time{}) {
			if d.Text == "" || d.URL == "" || !strings.HasPrefix(d.URL, "http") {
				t.Fatalf("document %+v", d)
			}
		}
	})
}

func TestParseFeedRefusesTooManyElements(t *testing.T) {
	t.Parallel()
	rss := func(inner string) string {
		return `<rss version="2.0" xmlns:x="urn:x"><channel><item><title>t</title>` + inner + `</item></channel></rss>`
	}
	attributes := func() string {
		var b strings.Builder
		for i := range maxFeedElements {
			b.WriteString(" a" + strconv.Itoa(i) + `=""`)
		}
		return b.String()
	}
	for name, c := range map[string]struct {
		body string
		ok   bool
	}{
		"a long feed":          {rss(strings.Repeat("</item><item><title>t</title>", maxFeedItems)), true},
		"empty items":          {rss("</item>" + strings.Repeat("<item/>", 2*maxFeedEntries) + "<item>"), false},
		"empty ITEMS":          {rss("</item>" + strings.Repeat("<ITEM/>", 2*maxFeedEntries) + "<item>"), false},
		"empty entries":        {`<feed xmlns="http://www.w3.org/2005/Atom">` + strings.Repeat("<entry/>", 2*maxFeedEntries) + `</feed>`, false},
		"elements of no use":   {rss(strings.Repeat("<x:a/>", maxFeedElements)), false},
		"attributes of no use": {rss("<x:a" + attributes() + "/>"), false},
	} {
		if f, err := parseFeed([]byte(c.body), ""); (err == nil) != c.ok {
			t.Errorf("%s: %v, %v", name, f.Feed != nil, err)
		}
	}
}

// A feed each of whose items is in another encoding is guessed for some of them only.
func TestParseFeedBoundsGuesses(t *testing.T) {
	t.Parallel()
	item := "<item><title>" + encodedFeed(t, "windows-1252", "Les élèves étaient arrivés près de là") + "</title><link>https://a.example/</link></item>"
	body := `<rss version="2.0"><channel><title>` + strings.Repeat("größer ", 20_000) + `</title>` + strings.Repeat(item, 2*maxGuesses) + `</channel></rss>`
	f, err := parseFeed([]byte(body), "")
	if err != nil || len(f.Items) != 2*maxGuesses {
		t.Fatalf("%v, %v", f.Feed, err)
	}
	guessed := 0
	for _, it := range f.Items {
		if strings.Contains(it.Title, "élèves") {
			guessed++
		}
	}
	if guessed != maxGuesses {
		t.Errorf("%d items were guessed, want %d", guessed, maxGuesses)
	}
}

// Items in the encoding that the feed declares are all read, with few guesses.
func TestDecodeFeedReadsDeclaredItems(t *testing.T) {
	t.Parallel()
	item := "<item><title>" + encodedFeed(t, "windows-1252", "Les élèves étaient arrivés") + "</title></item>"
	body, _ := decodeFeed([]byte("<rss><channel>"+strings.Repeat(item, 3*maxGuesses)+"</channel></rss>"), "text/xml; charset=iso-8859-1")
	if n := strings.Count(body, "Les élèves étaient arrivés"); n != 3*maxGuesses {
		t.Errorf("%d items are as they were written, want %d", n, 3*maxGuesses)
	}
}
