package markup

import (
	"strings"

	"github.com/research-mcp/research-mcp/internal/text"
)

// Read converts the text of a file into Markdown, by its name and content, and
// returns its title: that of the front matter, else the first heading of level
// one or two near the beginning, else "".
func Read(name, body string) (markdown, title string) {
	body = strings.TrimPrefix(body, "\uFEFF")
	format := Detect(name, body)
	markdown = Convert(format, body)
	if format == Markdown {
		markdown, title = frontMatter(markdown)
		markdown = wikiLinks(admonitions(markdown))
	}
	if title == "" {
		title = firstHeading(markdown)
	}
	return markdown, title
}

// titleLines are looked at for a heading: a later one is that of a part.
const titleLines = 40

// headingMark matches what follows a heading's text: an anchor in braces.
var headingMark = text.Pattern(`\s*\{[^{}]*\}\s*$|\s+#+\s*$`)

func firstHeading(markdown string) string {
	for i, l := range strings.SplitN(markdown, "\n", titleLines+1) {
		if i == titleLines {
			break
		}
		if t, ok := strings.CutPrefix(l, "# "); ok {
			return plainTitle(t)
		}
		if t, ok := strings.CutPrefix(l, "## "); ok {
			return plainTitle(t)
		}
	}
	return ""
}

func plainTitle(t string) string {
	t = headingMark().ReplaceAllString(strings.TrimSpace(t), "")
	return strings.NewReplacer("`", "", "**", "").Replace(t)
}

// frontMatter takes a block of YAML or TOML off the beginning and returns the
// title that it gives.
func frontMatter(s string) (rest, title string) {
	fence := ""
	for _, f := range []string{"---", "+++"} {
		if strings.HasPrefix(s, f+"\n") {
			fence = f
		}
	}
	if fence == "" {
		return s, ""
	}
	head, rest, ok := strings.Cut(s[len(fence)+1:], "\n"+fence+"\n")
	if !ok {
		return s, ""
	}
	for _, l := range strings.Split(head, "\n") {
		for _, key := range []string{"title:", "title ="} {
			if v, ok := strings.CutPrefix(l, key); ok && title == "" {
				title = strings.Trim(strings.TrimSpace(v), `"'`)
			}
		}
	}
	return rest, title
}

var wikiLink = text.Pattern(`(!?)\[\[([^\]|#\n]*)(#[^\]|\n]*)?(?:\|([^\]\n]*))?\]\]`)

// wikiLinks shows links between notes as the text that a reader sees. Code, and
// what explains such links, is left alone.
func wikiLinks(s string) string {
	if !strings.Contains(s, "[[") {
		return s
	}
	code := false
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		if t := strings.TrimSpace(l); strings.HasPrefix(t, "```") || strings.HasPrefix(t, "~~~") {
			code = !code
		}
		if code || strings.Contains(l, "`") {
			continue
		}
		lines[i] = wikiLink().ReplaceAllStringFunc(l, func(m string) string {
			p := wikiLink().FindStringSubmatch(m)
			switch {
			case p[1] != "":
				return m // an embedded note
			case p[4] != "":
				return p[4]
			case p[2] == "":
				return strings.TrimPrefix(p[3], "#")
			}
			return p[2]
		})
	}
	return strings.Join(lines, "\n")
}
