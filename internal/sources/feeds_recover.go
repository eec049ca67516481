package sources

import (
	"encoding/xml"
	"errors"
	"io"
	"regexp"
	"strings"

	"github.com/research-mcp/research-mcp/internal/text"
)

// entryFields are the elements of an item that are read. What begins with one of them
// ends the field before it if that has no end tag.
const entryFields = `title|link|guid|id|description|summary|content|content:encoded|encoded|pubDate|published|updated|issued|modified|date|dc:date|author|creator|dc:creator|category|media:group|media:content|media:description|enclosure`

var (
	fieldStart = text.Pattern(`(?i)<(` + entryFields + `)(\s[^<>]*)?>`)
	entryEnd   = text.Pattern(`(?i)</(?:[a-z][\w.-]{0,40}:)?(?:item|entry)\s*>`)
	headField  = text.Pattern(`(?is)<(title|link|language)>([^<>&]{1,500})</(?:title|link|language)>`)
)

// maxFields is how many fields of an entry are recovered: each may be searched to the
// entry's end.
const maxFields = 100

// recoverEntries makes a feed that can be parsed of one that cannot: raw HTML in its
// fields, and an end that is missing, cost that field only. Each entry is cut into its
// fields; a field that is not well-formed becomes text, which is read as HTML. ok is
// false if there is no entry.
func recoverEntries(body string) (recovered string, ok bool) {
	root := rootStart().FindStringSubmatchIndex(body)
	cuts := entryStart().FindAllStringIndex(body, maxFeedEntries+1)
	if root == nil || len(cuts) == 0 || len(cuts) > maxFeedEntries || cuts[0][0] < root[1] {
		return "", false
	}
	prefix := ""
	if root[2] >= 0 {
		prefix = body[root[2]:root[3]]
	}
	start := strings.LastIndexByte(body[:root[1]], '<')
	words := strings.FieldsFunc(body[start+1:root[1]], func(r rune) bool { return strings.ContainsRune(" \t\r\n/>", r) })
	if len(words) == 0 {
		return "", false // another tag is in that of the root
	}
	name := strings.TrimPrefix(words[0], prefix)
	atom := strings.EqualFold(name, "feed")
	var out strings.Builder
	out.WriteString(body[start:root[1]])
	if !atom {
		out.WriteString("<channel>")
	}
	for _, m := range headField().FindAllStringSubmatch(body[root[1]:cuts[0][0]], 3) {
		out.WriteString("<" + prefix + m[1] + ">" + m[2] + "</" + prefix + m[1] + ">")
	}
	if !atom && strings.EqualFold(name, "rdf") {
		out.WriteString("</channel>")
	}
	for i, cut := range cuts {
		end := len(body)
		if i+1 < len(cuts) {
			end = cuts[i+1][0]
		}
		writeEntry(&out, body[cut[0]:end])
	}
	if !atom && !strings.EqualFold(name, "rdf") {
		out.WriteString("</channel>")
	}
	out.WriteString("</" + prefix + name + ">")
	return out.String(), true
}

// writeEntry writes one entry with its fields. raw begins with its start tag, and may
// end before its end tag or behind it.
func writeEntry(out *strings.Builder, raw string) {
	open := strings.IndexByte(raw, '>')
	if open < 0 {
		return
	}
	tag := strings.TrimSuffix(raw[:open], "/")
	name, _, _ := strings.Cut(strings.Join(strings.Fields(tag[1:]), " "), " ")
	rest := raw[open+1:]
	if at := lastMatch(entryEnd(), rest); at >= 0 {
		rest = rest[:at]
	}
	if !isWellFormed(tag + "/>") {
		tag = "<" + name
	}
	out.WriteString(tag + ">")
	for range maxFields {
		at := fieldStart().FindStringSubmatchIndex(rest)
		if at == nil {
			break
		}
		rest = rest[writeField(out, rest, at):]
	}
	out.WriteString("</" + name + ">")
}

// writeField writes the field whose start tag is at at, and returns where it ends.
func writeField(out *strings.Builder, s string, at []int) int {
	name, tag := s[at[2]:at[3]], s[at[0]:at[1]]
	if !isWellFormed(strings.TrimSuffix(strings.TrimSuffix(tag, ">"), "/") + "/>") {
		tag = "<" + name + ">"
	}
	if strings.HasSuffix(tag, "/>") {
		out.WriteString(tag)
		return at[1]
	}
	content, end := s[at[1]:], len(s)
	if i := strings.Index(content, "</"+name); i >= 0 {
		end = at[1] + i
		content = content[:i]
		if j := strings.IndexByte(s[end:], '>'); j >= 0 {
			end += j + 1
		} else {
			end = len(s)
		}
	} else if next := fieldStart().FindStringIndex(content); next != nil {
		end = at[1] + next[0]
		content = content[:next[0]]
	}
	if inner, ok := strings.CutPrefix(strings.TrimSpace(content), "<![CDATA["); ok && !strings.Contains(inner, "]]>") {
		content = inner // cut off
		content = withoutPartialTag(content)
	}
	if !isWellFormed("<a>" + content + "</a>") {
		content = strings.NewReplacer("<![CDATA[", "", "]]>", "").Replace(withoutPartialTag(content))
		content = "<![CDATA[" + content + "]]>"
	}
	out.WriteString(tag + content + "</" + name + ">")
	return end
}

// withoutPartialTag removes a tag that is cut off at the end of s.
func withoutPartialTag(s string) string {
	if i := strings.LastIndexByte(s, '<'); i >= 0 && !strings.Contains(s[i:], ">") && i+1 < len(s) && (s[i+1] == '/' || isASCIILetter(s[i+1])) && len(s)-i < 2000 {
		return s[:i]
	}
	return strings.TrimSuffix(s, "<")
}

func isASCIILetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

// lastMatch is where the last match of re begins, or -1.
func lastMatch(re *regexp.Regexp, s string) int {
	all := re.FindAllStringIndex(s, -1)
	if len(all) == 0 {
		return -1
	}
	return all[len(all)-1][0]
}

// isWellFormed reports whether s is XML as the lenient parser takes it: with HTML's
// entities and undeclared prefixes, but with an end tag for each start tag.
func isWellFormed(s string) bool {
	d := xml.NewDecoder(strings.NewReader(s))
	d.Entity = xml.HTMLEntity
	for {
		if _, err := d.Token(); err != nil {
			return errors.Is(err, io.EOF)
		}
	}
}
