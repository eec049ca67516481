package sources

// Registry lists every source, sorted by name. A new source is one line here.
func Registry() []Spec {
	return []Spec{
		arxivSpec(),
		crossrefSpec(),
		europePMCSpec(),
		feedsSpec(),
		filesSpec(),
		githubSpec(),
		hackerNewsSpec(),
		kiwixSpec(),
		mediawikiSpec(),
		openAlexSpec(),
		pubmedSpec(),
		searxngSpec(),
		stackexchangeSpec(),
		wikidataSpec(),
		wikipediaSpec(),
		wikipediaSummarySpec(),
	}
}
