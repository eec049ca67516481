package sources

import (
	"encoding/json"
	"net/url"
	"path/filepath"
	"testing"

	"github.com/research-mcp/research-mcp/internal/evidence"
)

// parsers read the bytes of an answer as their source does, without HTTP.
// FuzzSources tests every source of the registry with HTTP; this is many times
// faster, for the sources whose parsers can be called alone.
func parsers(tb testing.TB) []parser {
	base := mustURL(tb, "https://api.example.org")
	ids := []string{"40000001", "40000002", "40000003", "7"}
	return []parser{
		{"arxiv", func(raw []byte) []evidence.Document {
			var feed arxivFeed
			if decodeXML(raw, &feed) != nil {
				return nil
			}
			found, err := feed.papers(base)
			return orNone("arxiv", found, err)
		}},
		{"crossref", func(raw []byte) []evidence.Document {
			var a crossrefAnswer
			if json.Unmarshal(raw, &a) != nil {
				return nil
			}
			found, err := a.papers(base)
			return orNone("crossref", found, err)
		}},
		{"europepmc", func(raw []byte) []evidence.Document {
			var a europePMCAnswer
			if json.Unmarshal(raw, &a) != nil {
				return nil
			}
			found, err := a.papers(base)
			return orNone("europepmc", found, err)
		}},
		{"hackernews", func(raw []byte) []evidence.Document {
			var a hackerNewsAnswer
			if json.Unmarshal(raw, &a) != nil {
				return nil
			}
			docs, _ := (&hackerNews{endpoint{name: "hackernews", base: base}}).read(&a, retrieved)
			return docs
		}},
		{"openalex", func(raw []byte) []evidence.Document {
			var a openAlexAnswer
			if json.Unmarshal(raw, &a) != nil {
				return nil
			}
			found, err := a.papers(base)
			return orNone("openalex", found, err)
		}},
		{"pubmed", func(raw []byte) []evidence.Document {
			var a pubmedAnswer
			if json.Unmarshal(raw, &a) == nil {
				_, _ = a.ids(base)
			}
			var set pubmedSet
			if decodeXML(raw, &set) != nil {
				return nil
			}
			found, err := set.papers(base, ids)
			return orNone("pubmed", found, err)
		}},
		{"wikipedia", func(raw []byte) []evidence.Document {
			var a searchAnswer
			if json.Unmarshal(raw, &a) != nil {
				return nil
			}
			_ = a.problem()
			pages, _ := a.pages()
			return wikiAt("wikipedia", base).read(pages, maxLimit, retrieved)
		}},
		{"wikipedia-summary", func(raw []byte) []evidence.Document {
			var titles titlesAnswer
			if json.Unmarshal(raw, &titles) == nil {
				_, _ = titles.titles()
			}
			var s summaryAnswer
			if json.Unmarshal(raw, &s) != nil {
				return nil
			}
			if d, ok := wikiAt("wikipedia-summary", base).readSummary(&s, retrieved); ok {
				return []evidence.Document{d}
			}
			return nil
		}},
	}
}

type parser struct {
	name string
	read func(raw []byte) []evidence.Document
}

// wikiAt is a wiki without a client, for reading answers.
func wikiAt(name string, base *url.URL) *wiki {
	return &wiki{endpoint: endpoint{name: name, base: base}}
}

func orNone(name string, found []paper, err error) []evidence.Document {
	if err != nil {
		return nil
	}
	return paperDocuments(name, found, 50, retrieved)
}

func FuzzParsers(f *testing.F) {
	all := parsers(f)
	for i, p := range all {
		files, err := filepath.Glob(filepath.Join("testdata", p.name, "*.*"))
		if err != nil || len(files) == 0 {
			f.Fatal("no recorded answers of", p.name, err)
		}
		for _, name := range files {
			f.Add(uint8(i), fixture(f, p.name, filepath.Base(name))) //nolint:gosec // a handful
		}
	}
	f.Fuzz(func(t *testing.T, which uint8, raw []byte) {
		checkParsed(t, all[int(which)%len(all)].read(raw))
	})
}
