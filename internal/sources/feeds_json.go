package sources

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/mmcdole/gofeed"
)

// jsonFeedVersion begins the version of every JSON Feed. A JSON object without it is
// not one: the error messages of services are JSON objects, too.
const jsonFeedVersion = "jsonfeed.org/version/"

// jsonFeed is what is read of a JSON Feed, https://www.jsonfeed.org/version/1.1/.
type jsonFeed struct {
	Version  string     `json:"version"`
	Title    string     `json:"title"`
	Home     string     `json:"home_page_url"`
	Language string     `json:"language"`
	Items    []jsonItem `json:"items"`
}

type jsonItem struct {
	ID        any          `json:"id"` // a string; version 1 lets publishers write numbers
	URL       string       `json:"url"`
	External  string       `json:"external_url"`
	Title     string       `json:"title"`
	HTML      string       `json:"content_html"`
	Text      string       `json:"content_text"`
	Summary   string       `json:"summary"`
	Published string       `json:"date_published"`
	Modified  string       `json:"date_modified"`
	Author    jsonAuthor   `json:"author"` // of version 1
	Authors   []jsonAuthor `json:"authors"`
	Tags      []string     `json:"tags"`
}

type jsonAuthor struct {
	Name string `json:"name"`
}

// isJSON reports whether a body is a JSON object rather than XML.
func isJSON(body string) bool { return strings.HasPrefix(strings.TrimSpace(body), "{") }

// parseJSON reads a JSON Feed.
func parseJSON(body string) (*gofeed.Feed, error) {
	var f jsonFeed
	if err := json.Unmarshal([]byte(body), &f); err != nil {
		return nil, fmt.Errorf("reading a JSON Feed: %w", err)
	}
	if !strings.Contains(f.Version, jsonFeedVersion) {
		return nil, errNoFeed
	}
	if len(f.Items) > maxFeedEntries {
		return nil, errFeedTooLarge
	}
	out := &gofeed.Feed{Title: f.Title, Link: f.Home, Language: f.Language}
	for _, it := range f.Items {
		out.Items = append(out.Items, it.item())
	}
	return out, nil
}

// item is the entry as the other formats have it: text as HTML.
func (it jsonItem) item() *gofeed.Item {
	out := &gofeed.Item{
		Title: escapeText(it.Title), Content: it.HTML, Description: escapeText(it.Summary), Link: it.URL,
		Published: it.Published, Updated: it.Modified, Categories: it.Tags,
	}
	if out.Content == "" {
		out.Content = escapeText(it.Text)
	}
	if out.Link == "" {
		out.Link = it.External
	}
	if it.ID != nil {
		out.GUID = fmt.Sprint(it.ID)
	}
	for _, a := range append(it.Authors, it.Author) {
		if a.Name != "" {
			out.Authors = append(out.Authors, &gofeed.Person{Name: a.Name})
		}
	}
	return out
}

// escapeText writes plain text as HTML with the paragraphs and lines that it has.
func escapeText(s string) string {
	s = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(s)
	return strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\n", "<br>")
}
