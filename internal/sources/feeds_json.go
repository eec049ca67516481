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
	Version  string `json:"version"`
	Title    string `json:"title"`
	Home     string `json:"home_page_url"`
	Language string `json:"language"`
}

type jsonItem struct {
	ID        jsonID       `json:"id"`
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

// jsonID is a string; version 1 lets publishers write numbers, which keep all their digits.
type jsonID string

// UnmarshalJSON implements json.Unmarshaler.
func (id *jsonID) UnmarshalJSON(b []byte) error {
	var s string
	if json.Unmarshal(b, &s) == nil {
		*id = jsonID(s)
		return nil
	}
	if c := b[0]; c == '-' || c >= '0' && c <= '9' {
		*id = jsonID(b)
	}
	return nil
}

// parseJSON reads a JSON Feed. damaged means that an item is missing or incomplete: one
// that is no object is left out, one with a value of another type lacks that value, and
// of a feed that ends too early, or is no JSON from some place on, there is what stands
// before that place.
func parseJSON(body string) (feed *gofeed.Feed, damaged bool, err error) {
	fields := map[string]json.RawMessage{}
	var entries []json.RawMessage
	broken := readMembers(json.NewDecoder(strings.NewReader(body)), fields, &entries)
	if broken != nil && len(entries) == 0 {
		return nil, false, fmt.Errorf("reading a JSON Feed: %w", broken)
	}
	var f jsonFeed
	for name, to := range map[string]*string{"version": &f.Version, "title": &f.Title, "home_page_url": &f.Home, "language": &f.Language} {
		if raw := fields[name]; raw != nil && json.Unmarshal(raw, to) != nil {
			damaged = true
		}
	}
	if !strings.Contains(f.Version, jsonFeedVersion) {
		return nil, false, errNoFeed
	}
	if len(entries) > maxFeedEntries {
		return nil, false, errFeedTooLarge
	}
	out := &gofeed.Feed{Title: f.Title, Link: f.Home, Language: f.Language}
	damaged = damaged || broken != nil
	for _, raw := range entries {
		var it jsonItem
		err := json.Unmarshal(raw, &it) // what is of another type is left out, the rest is read
		damaged = damaged || err != nil || raw[0] != '{'
		if raw[0] == '{' {
			out.Items = append(out.Items, it.item())
		}
	}
	if len(out.Items) == 0 && len(entries) > 0 {
		return nil, false, errFeedShape
	}
	return out, damaged, nil
}

// readMembers reads an object up to its end or its first error: the items of a feed one by
// one, the rest into fields.
func readMembers(d *json.Decoder, fields map[string]json.RawMessage, entries *[]json.RawMessage) error {
	if _, err := d.Token(); err != nil {
		return err
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return err
		}
		if name != "items" {
			var v json.RawMessage
			if err := d.Decode(&v); err != nil {
				return err
			}
			if s, ok := name.(string); ok {
				fields[s] = v
			}
			continue
		}
		open, err := d.Token()
		switch {
		case err != nil:
			return err
		case open == nil: // null
			continue
		case open != json.Delim('['):
			return errFeedShape
		}
		for d.More() && len(*entries) <= maxFeedEntries {
			var v json.RawMessage
			if err := d.Decode(&v); err != nil {
				return err
			}
			*entries = append(*entries, v)
		}
		if len(*entries) > maxFeedEntries {
			return nil
		}
		if _, err := d.Token(); err != nil {
			return err
		}
	}
	_, err := d.Token()
	return err
}

// item is the entry as the other formats have it: text as HTML.
func (it jsonItem) item() *gofeed.Item {
	out := &gofeed.Item{
		Title: escapeText(it.Title), Content: it.HTML, Description: escapeText(it.Summary), Link: it.URL,
		Published: it.Published, Updated: it.Modified, Categories: it.Tags, GUID: string(it.ID),
	}
	if out.Content == "" {
		out.Content = escapeText(it.Text)
	}
	if out.Link == "" {
		out.Link = it.External
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
