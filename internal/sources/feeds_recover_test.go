package sources

import (
	"strings"
	"testing"
	"time"
)

// A feed that is cut off, or has raw HTML in its fields, loses that field at most.
func TestFeedsThatAreNotWellFormed(t *testing.T) {
	t.Parallel()
	const first = `<item><title>Lock</title><link>https://canal.example/1</link><description>The lock is 60 m long.</description></item>`
	const head = `<?xml version="1.0"?><rss version="2.0"><channel><title>Canals</title><link>https://canal.example/</link>`
	const second = `<item><title>Weir</title><link>https://canal.example/2</link><description>`
	const atomHead = `<feed xmlns="http://www.w3.org/2005/Atom"><title>Canals</title><entry><title>Lock</title><link href="https://canal.example/1"/><summary>The lock is 60 m long.</summary></entry>`
	const long = "The lock is 60 m long."
	for name, c := range map[string]struct {
		body string
		want []string // what the text of each item begins with
	}{
		"cut in a text":                {head + first + second + "The weir is old and", []string{long, "The weir is old and"}},
		"cut in a start tag":           {head + first + "<item><title>Weir</title><descr", []string{long, "Weir"}},
		"cut in an item's tag":         {head + first + "<item rdf:abo", []string{long}},
		"cut in CDATA":                 {head + first + second + "<![CDATA[<p>The weir is <b>old</b> and <a hre", []string{long, "The weir is old and"}},
		"cut in an end tag":            {head + first + second + "The weir.</descrip", []string{long, "The weir."}},
		"cut Atom":                     {atomHead + `<entry><title>Weir</title><link href="https://canal.example/2"/><summary>The weir is`, []string{long, "The weir is"}},
		"raw elements":                 {head + first + second + "<p>The weir is <b>2</b> m high.<br>It leaks.</description></item></channel></rss>", []string{long, "The weir is 2 m high."}},
		"raw elements, badly nest":     {head + second + "The <b><i>weir</b></i> leaks.</description></item>" + first + "</channel></rss>", []string{"The weir leaks.", long}},
		"a raw image":                  {head + second + `<img src=weir.jpg alt="A weir"> The weir leaks.</description></item>` + first + "</channel></rss>", []string{"The weir leaks.", long}},
		"a comparison":                 {head + second + "Depth a<b and b < 3.</description></item>" + first + "</channel></rss>", []string{"Depth a", long}},
		"a channel with raw HTML":      {strings.Replace(head, "<link>", "<description><p>All <br> canals</description><link>", 1) + first + "</channel></rss>", []string{long}},
		"a field without its end":      {head + "<item><title>Weir<link>https://canal.example/2</link><description>The weir<p>leaks.</description></item>" + first + "</channel></rss>", []string{"The weir\n\nleaks.", long}},
		"an attribute without a quote": {head + second + `The weir.</description><enclosure url="x length=1></item>` + first + "</channel></rss>", []string{"The weir.", long}},
	} {
		f, err := parseFeed([]byte(c.body), "")
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if strings.HasPrefix(name, "cut") && len(f.warnings) == 0 {
			t.Errorf("%s: nothing warns that an item may be incomplete", name)
		}
		docs := items(mustURL(t, "https://canal.example/feed"), f, time.Time{})
		if len(docs) != len(c.want) {
			t.Errorf("%s: %d items, want %d: %+v", name, len(docs), len(c.want), docs)
			continue
		}
		for i, d := range docs {
			if !strings.HasPrefix(d.Text, c.want[i]) {
				t.Errorf("%s: item %d is %q, want %q", name, i, d.Text, c.want[i])
			}
		}
	}
}

func TestJSONFeeds(t *testing.T) {
	t.Parallel()
	const version = `"version":"https://jsonfeed.org/version/1.1","title":"Canals"`
	for name, c := range map[string]struct {
		body string
		want string // the first item's text
	}{
		"HTML":        {`{` + version + `,"items":[{"id":"1","url":"https://canal.example/1","title":"Lock","content_html":"<p>It holds 10<sup>6</sup> l.</p>","date_published":"2026-03-03T10:00:00Z"}]}`, "It holds 10^6 l."},
		"text":        {`{` + version + `,"items":[{"id":"1","url":"https://canal.example/1","content_text":"Depth < 3 m & more"}]}`, "Depth < 3 m & more"},
		"a number":    {`{"version":"https://jsonfeed.org/version/1","items":[{"id":17,"external_url":"https://canal.example/1","summary":"A lock."}]}`, "A lock."},
		"blank lines": {"\n\n{" + version + `,"items":[{"id":"1","title":"Only a title"}]}`, "Only a title"},
	} {
		f, err := parseFeed([]byte(c.body), "application/feed+json")
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if docs := items(mustURL(t, "https://canal.example/feed"), f, time.Time{}); len(docs) != 1 || docs[0].Text != c.want {
			t.Errorf("%s: %+v, want %q", name, docs, c.want)
		}
	}
	for name, body := range map[string]string{
		"an error": `{"error":"too many requests"}`, "another version": `{"version":"2","items":[]}`, "cut": `{` + version + `,"items":[{"id":`,
	} {
		if f, err := parseFeed([]byte(body), "application/json"); err == nil {
			t.Errorf("%s: read as a feed: %+v", name, f.Feed)
		}
	}
	if f, err := parseFeed([]byte(`{`+version+`,"items":[]}`), ""); err != nil || len(f.Items) != 0 {
		t.Errorf("an empty feed: %v, %v", f, err)
	}
}

func TestDatesInOtherLanguages(t *testing.T) {
	t.Parallel()
	for _, s := range []string{
		"mar., 03 mars 2026 10:00:00 +0100", "Di, 03 Mär 2026 10:00:00 +0100", "mar, 03 mar 2026 10:00:00 +0100", "di, 03 mrt 2026 10:00:00 +0100",
		"Dienstag, 3. März 2026 10:00:00 +0100",
	} {
		at, ok := oddTime(s)
		if want := time.Date(2026, 3, 3, 9, 0, 0, 0, time.UTC); !ok || !at.Equal(want) {
			t.Errorf("oddTime(%q) = %v, %v, want %v", s, at, ok, want)
		}
	}
}

// A root element that holds an end tag is no reason to fail in another way than an error.
func TestParseFeedWithATagInItsRoot(t *testing.T) {
	t.Parallel()
	for _, s := range []string{
		"<rss </><item><title>a<b></title></item>",
		"<rss version=\"</>\"><channel><item><title>a<b></title></item>",
		"<feed a=\"<\"><entry><title>a<b></title></entry>",
	} {
		if f, err := parseFeed([]byte(s), ""); err == nil && f.Feed == nil {
			t.Errorf("parseFeed(%q) has neither a feed nor an error", s)
		}
	}
}
