package sources

import (
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html/charset"

	"github.com/research-mcp/research-mcp/internal/text"
)

// encodedFeed is s in the encoding name.
func encodedFeed(t testing.TB, name, s string) string {
	t.Helper()
	enc, _ := charset.Lookup(name)
	out, err := enc.NewEncoder().Bytes([]byte(s))
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// Feeds that are not quite XML are read.
func TestFeedsThatAreNotQuiteXML(t *testing.T) {
	t.Parallel()
	rss := func(head, items string) string {
		return `<rss version="2.0"` + head + `><channel><title>News</title><link>https://news.example/</link>` + items + `</channel></rss>`
	}
	item := func(inner string) string {
		return "<item><title>Bridge</title><link>https://news.example/1</link>" + inner + "</item>"
	}
	atom := func(namespace string) string {
		return `<feed xmlns="` + namespace + `"><title>News</title><entry><title>Bridge</title><link href="https://news.example/1"/><content type="html">&lt;p&gt;It opens.&lt;/p&gt;</content></entry></feed>`
	}
	second := item("<description>second</description>")
	for name, c := range map[string]struct {
		body, header string
		want         []string // texts
		warn         string
	}{
		"a bad byte":                          {rss("", item("<description>It\xff opens.</description>")+second), "", []string{"It\uFFFD opens.", "second"}, "1 byte sequence"},
		"half a character":                    {rss("", item("<description>größer \xe2\x82</description>")+second), "", []string{"größer \uFFFD\uFFFD", "second"}, "2 byte sequences"},
		"control characters":                  {rss("", item("<description>It\x1b\x00\x08 opens.</description>")), "", []string{"It opens."}, ""},
		"references to control characters":    {rss("", item("<description>It&#0;&#x1F;&#8203; opens&#33;</description>")), "", []string{"It opens!"}, ""},
		"a reference to no character":         {rss("", item("<description>It&#xFFFE;&#99999999; opens</description>")), "", []string{"It opens"}, ""},
		"undefined entities":                  {rss("", item("<description>Caf&eacute;&nbsp;&mdash; open &amp; warm</description>")), "", []string{"Café — open & warm"}, ""},
		"an ampersand alone":                  {rss("", item("<description>Salt & pepper &c</description>")), "", []string{"Salt & pepper &c"}, ""},
		"the header's encoding":               {rss("", item("<description>"+encodedFeed(t, "windows-1251", "Мост открыт")+"</description>")), "text/xml; charset=windows-1251", []string{"Мост открыт"}, ""},
		"the declaration's encoding":          {`<?xml version="1.0" encoding="koi8-r"?>` + rss("", item("<description>"+encodedFeed(t, "koi8-r", "Мост открыт")+"</description>")), "", []string{"Мост открыт"}, ""},
		"a wrong declaration":                 {`<?xml version="1.0" encoding="iso-8859-1"?>` + rss("", item("<description>größer</description>")), "", []string{"größer"}, ""},
		"an unknown encoding":                 {`<?xml version="1.0" encoding="utf-9"?>` + rss("", item("<description>größer</description>")), "", []string{"größer"}, ""},
		"UTF-16":                              {"\xFF\xFE" + encodedFeed(t, "utf-16le", `<?xml version="1.0" encoding="UTF-16"?>`+rss("", item("<description>größer</description>"))), "", []string{"größer"}, ""},
		"a mark and blank lines at first":     {"\xEF\xBB\xBF\r\n\n" + `<?xml version="1.0"?>` + rss("", second), "", []string{"second"}, ""},
		"mixed encodings":                     {rss("", item("<description>Die Brücke ist größer</description>")+item("<description>"+encodedFeed(t, "windows-1252", "Les élèves sont arrivés à l’école, été")+"</description>")), "", []string{"Die Brücke ist größer", "Les élèves sont arrivés à l’école, été"}, "windows-1252 was guessed"},
		"UTF-8 among windows-1251":            {rss("", item("<description>"+encodedFeed(t, "windows-1251", "Мост через реку закрыт на ремонт до конца сентября")+"</description>")+item("<description>Мост открыт</description>")), "text/xml; charset=windows-1251", []string{"Мост через реку закрыт на ремонт до конца сентября", "Мост открыт"}, ""},
		"Atom with https":                     {atom("https://www.w3.org/2005/Atom"), "", []string{"It opens."}, ""},
		"Atom with a slash":                   {atom("http://www.w3.org/2005/Atom/"), "", []string{"It opens."}, ""},
		"Atom in another case":                {atom(" HTTP://WWW.W3.ORG/2005/ATOM "), "", []string{"It opens."}, ""},
		"Atom with any other namespace":       {atom("http://example.org/feeds"), "", []string{"It opens."}, ""},
		"Atom without a namespace":            {strings.Replace(atom(""), ` xmlns=""`, "", 1), "", []string{"It opens."}, ""},
		"Atom with a prefix and https":        {`<?xml version="1.0"?><!-- a > b --><a:feed xmlns:a='https://www.w3.org/2005/Atom'><a:title>News</a:title><a:entry><a:title>Bridge</a:title><a:id>u:1</a:id><a:summary>It opens.</a:summary></a:entry></a:feed>`, "", []string{"It opens."}, ""},
		"RSS with a namespace":                {rss(` xmlns="http://backend.userland.com/rss2"`, second), "", []string{"second"}, ""},
		"content with https":                  {rss(` xmlns:content="https://purl.org/rss/1.0/modules/content/"`, item("<description>short</description><content:encoded><![CDATA[<p>It opens.</p>]]></content:encoded>")), "", []string{"It opens."}, ""},
		"media without a slash":               {rss(` xmlns:media="https://search.yahoo.com/mrss"`, item("<media:group><media:description>A film.</media:description></media:group>")), "", []string{"A film."}, ""},
		"media at the top":                    {rss(` xmlns:media="http://search.yahoo.com/mrss/"`, item("<media:description type=\"html\">A &lt;b&gt;film&lt;/b&gt;.</media:description>")), "", []string{"A film."}, ""},
		"media in its content":                {rss(` xmlns:media="http://search.yahoo.com/mrss/"`, item("<media:content url='v.mp4'><media:description>A film.</media:description></media:content>")), "", []string{"A film."}, ""},
		"media without a declaration":         {rss("", item("<media:description>A film.</media:description>")), "", []string{"A film."}, ""},
		"a podcast's summary":                 {rss(` xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd"`, item("<itunes:summary>An hour about it.</itunes:summary>")), "", []string{"An hour about it."}, ""},
		"a message of a script above it":      {"Notice: undefined index\n<br />\n<b>Warning</b>: x\n" + `<?xml version="1.0"?>` + rss("", second), "", []string{"second"}, ""},
		"less than":                           {rss("", item("<description>if a < b and 1 <2, I <3 it</description>")), "", []string{"if a < b and 1 <2, I <3 it"}, ""},
		"HTML that is not escaped":            {rss("", item("<description><p>It <b>opens</b>.<br>Soon.</p><hr></description>")+second), "", []string{"It opens. Soon.", "second"}, ""},
		"tags in capitals":                    {`<RSS version="2.0"><CHANNEL><TITLE>News</TITLE><ITEM><TITLE>Bridge</TITLE><LINK>https://news.example/1</LINK><DESCRIPTION>It opens.</DESCRIPTION></ITEM></CHANNEL></RSS>`, "", []string{"It opens."}, ""},
		"a line of text of a script above it": {"\n<!-- generated -->\n" + rss("", second), "", []string{"second"}, ""},
	} {
		f, err := parseFeed([]byte(c.body), c.header)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var got []string
		docs := items(mustURL(t, "https://news.example/feed"), f, time.Time{})
		for _, d := range docs {
			got = append(got, text.Squash(d.Text)) // how lines break is not the matter here
			if !strings.Contains(d.Meta["warning"], c.warn) || (d.Meta["warning"] == "") != (c.warn == "") {
				t.Errorf("%s: warning %q, want %q", name, d.Meta["warning"], c.warn)
			}
		}
		if strings.Join(got, "|") != strings.Join(c.want, "|") {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// A feed is empty only if it was understood.
func TestOnlyAFeedThatWasUnderstoodIsEmpty(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		body string
		ok   bool
	}{
		"RSS without items":          {`<rss version="2.0"><channel><title>News</title></channel></rss>`, true},
		"Atom without entries":       {`<feed xmlns="http://www.w3.org/2005/Atom"><id>u:1</id><title>News</title></feed>`, true},
		"a root element":             {`<rss version="2.0"/>`, false},
		"an empty feed element":      {`<feed xmlns="http://www.w3.org/2005/Atom"/>`, false},
		"entries of something else":  {`<feed xmlns="http://www.w3.org/2005/Atom" xmlns:x="urn:x"><title>News</title><x:entry><x:title>Bridge</x:title></x:entry></feed>`, false},
		"items of something else":    {`<rss xmlns:x="urn:x"><channel><title>News</title><x:item><x:title>Bridge</x:title></x:item></channel></rss>`, false},
		"items outside of a channel": {`<rss><item><title>Bridge</title><link>https://a.example/</link></item></rss>`, true},
		"a sitemap":                  {`<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"><url><loc>https://a.example/</loc></url></urlset>`, false},
		"an error in XML":            {`<?xml version="1.0"?><error>down</error>`, false},
	} {
		if f, err := parseFeed([]byte(c.body), ""); (err == nil) != c.ok {
			t.Errorf("%s: %+v, %v", name, f.Feed, err)
		}
	}
}

func TestLinksOfItems(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ item, want string }{
		"atom:link":                       {`<atom:link href="https://news.example/2"/>`, "https://news.example/2"},
		"atom:link beside others":         {`<atom:link rel="self" href="https://news.example/feed"/><atom:link rel="alternate" href="/2"/>`, "https://news.example/2"},
		"a link before an atom:link":      {`<link>https://news.example/1</link><atom:link href="https://news.example/2"/>`, "https://news.example/1"},
		"atom:link of the feed itself":    {`<atom:link rel="self" href="https://news.example/feed"/><guid>7</guid>`, "https://news.example/feed#7"},
		"a guid that is an address":       {`<guid isPermaLink="true">https://news.example/3</guid>`, "https://news.example/3"},
		"a link with spaces and newlines": {"<link>\n  https://news.example/1\n</link>", "https://news.example/1"},
	} {
		body := `<rss version="2.0" xmlns:atom="http://www.w3.org/2005/Atom"><channel><title>News</title><link>https://news.example/</link><atom:link rel="self" href="https://news.example/feed"/><item><title>Bridge</title><description>It opens.</description>` + c.item + `</item></channel></rss>`
		f, err := parseFeed([]byte(body), "")
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if docs := items(mustURL(t, "https://news.example/feed"), f, time.Time{}); len(docs) != 1 || docs[0].URL != c.want {
			t.Errorf("%s: %+v, want %q", name, docs, c.want)
		}
	}
}

func TestDatesOfItems(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"Sun, 15 Dec 2024 12:15 PM":          "2024-12-15T12:15:00Z",
		"Sun, 15 Dec 2024 5 PM":              "2024-12-15T17:00:00Z",
		"15 Dec 2024 12:05 a.m.":             "2024-12-15T00:05:00Z",
		"Sunday, December 15th, 2024":        "2024-12-15T00:00:00Z",
		"December 15, 2024 at 5:30 pm":       "2024-12-15T17:30:00Z",
		"Dec 15, 2024 | 17:30":               "2024-12-15T17:30:00Z",
		"2024-12-15 05:30 PM":                "2024-12-15T17:30:00Z",
		"2024-12-15T17:30:00.000+0100":       "2024-12-15T16:30:00Z",
		"Sun, 15 Dec 2024 17:30:00 +01:00":   "2024-12-15T16:30:00Z",
		"Sun, 15 Dec 2024 17:30:00 EST":      "2024-12-15T22:30:00Z",
		"1734283800":                         "2024-12-15T17:30:00Z",
		"2024.12.15":                         "2024-12-15T00:00:00Z",
		"20241215":                           "2024-12-15T00:00:00Z",
		"yesterday":                          "",
		"":                                   "",
		"0000-00-00 00:00:00":                "",
		strings.Repeat("15 Dec 2024 ", 1000): "",
	} {
		f, err := parseFeed([]byte(`<rss version="2.0"><channel><title>N</title><item><title>t</title><pubDate>`+in+`</pubDate></item></channel></rss>`), "")
		if err != nil {
			t.Fatal(err)
		}
		docs, got := items(mustURL(t, "https://news.example/feed"), f, time.Time{}), ""
		if !docs[0].Published.IsZero() {
			got = docs[0].Published.Format(time.RFC3339)
		}
		if got != want {
			t.Errorf("%.40q: %q, want %q", in, got, want)
		}
	}
}
