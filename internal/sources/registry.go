package sources

import "github.com/research-mcp/research-mcp/internal/fetch"

// What the public services put up with. Wikimedia allows 200 requests a minute
// to clients that say who they are; Algolia allows 10,000 an hour to an address.
const (
	wikimediaPerSecond = 3
	algoliaPerSecond   = 2.5
	burst              = 10 // a question's worth of requests
)

// Registry lists every source, sorted by name.
func Registry() []Spec {
	return []Spec{
		arxivSpec(),
		crossrefSpec(),
		europePMCSpec(),
		feedsSpec(),
		filesSpec(),
		githubSpec(),
		{Name: "hackernews", About: "stories and comments of Hacker News", DefaultURL: "https://hn.algolia.com", DefaultTimeout: defaultTimeout, Rate: fetch.Rate{PerSecond: algoliaPerSecond, Burst: burst}, Enabled: true, Kinds: []string{KindCode, KindNews, KindScience, KindOther}, New: newHackerNews},
		kiwixSpec(),
		mediawikiSpec(),
		openAlexSpec(),
		pubmedSpec(),
		searxngSpec(),
		stackexchangeSpec(),
		wikidataSpec(),
		{Name: "wikipedia", About: "introductions of the articles of Wikipedia, or of any MediaWiki, that match", DefaultURL: "https://en.wikipedia.org", DefaultTimeout: defaultTimeout, Rate: fetch.Rate{PerSecond: wikimediaPerSecond, Burst: burst}, Enabled: true, Kinds: []string{KindGeneral}, New: newWikipedia},
		{Name: "wikipedia-summary", About: "the summary of the best article of Wikipedia", DefaultURL: "https://en.wikipedia.org", URLFrom: "wikipedia", DefaultTimeout: defaultTimeout, Rate: fetch.Rate{PerSecond: wikimediaPerSecond, Burst: burst}, Enabled: true, Kinds: []string{KindGeneral}, New: newWikipediaSummary},
	}
}
