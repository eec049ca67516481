package office

import (
	"bytes"
	"net/url"
	"path"
	"slices"
	"strings"
)

// readBook reads an EPUB: its chapters in the order of the spine.
func readBook(a *archive, maxText int) (Document, error) {
	var doc Document
	if isLocked(a) {
		return doc, ErrEncrypted
	}
	container, err := a.tree("META-INF/container.xml")
	if err != nil {
		return doc, err
	}
	main := clean(container.find("rootfile").attr("full-path"))
	root, err := a.tree(main)
	if root.find("spine") == nil {
		if err == nil {
			err = ErrUnknown
		}
		return doc, err
	}
	doc.properties(root.find("metadata"))
	type item struct{ href, media, properties string }
	items := map[string]item{}
	for _, i := range root.find("manifest").elements() {
		href, err := url.PathUnescape(i.attr("href"))
		if err != nil {
			href = i.attr("href")
		}
		items[i.attr("id")] = item{path.Join(path.Dir(main), href), i.attr("media-type"), i.attr("properties")}
	}
	left := 3 * maxText
	for _, ref := range root.find("spine").elements() {
		it, known := items[ref.attr("idref")]
		if !known || slices.Contains(strings.Fields(it.properties), "nav") || !strings.Contains(it.media, "html") {
			continue
		}
		raw, err := a.read(it.href)
		if err != nil || left <= 0 {
			if len(doc.Parts) == 0 && err != nil {
				return doc, err
			}
			doc.Truncated = true
			break
		}
		left -= len(raw)
		if len(raw) > 0 {
			doc.Parts = append(doc.Parts, Part{HTML: raw, ContentType: "application/xhtml+xml", Whole: true})
		}
	}
	if len(doc.Parts) == 0 {
		return doc, ErrUnknown
	}
	return doc, nil
}

// isLocked reports whether more than the fonts of a book are encrypted.
func isLocked(a *archive) bool {
	if a.has("META-INF/rights.xml") {
		return true
	}
	root, err := a.tree("META-INF/encryption.xml")
	if err != nil {
		return false
	}
	for _, d := range root.all("EncryptedData") {
		method := d.find("EncryptionMethod").attr("Algorithm")
		if method != "http://www.idpf.org/2008/embedding" && method != "http://ns.adobe.com/pdf/enc#RC" {
			return true
		}
	}
	return false
}

// readPages reads a zip file of pages: the one that is an index first.
func readPages(a *archive, maxText int) (Document, error) {
	var doc Document
	var names []string
	for _, name := range a.names {
		if isPage(name) {
			names = append(names, name)
		}
	}
	slices.SortStableFunc(names, func(x, y string) int {
		if r := rank(x) - rank(y); r != 0 {
			return r
		}
		return strings.Compare(x, y)
	})
	left := 3 * maxText
	for i, name := range names {
		raw, err := a.read(name)
		if err != nil || left <= 0 || i >= 500 {
			if len(doc.Parts) == 0 && err != nil {
				return doc, err
			}
			doc.Truncated = true
			break
		}
		left -= len(raw)
		if len(bytes.TrimSpace(raw)) > 0 {
			doc.Parts = append(doc.Parts, Part{HTML: raw, ContentType: "text/html"})
		}
	}
	if len(doc.Parts) == 0 {
		return doc, ErrUnknown
	}
	return doc, nil
}

// rank orders the pages of an archive: by depth, indexes first.
func rank(name string) int {
	r := 2 * strings.Count(name, "/")
	if !strings.HasPrefix(strings.ToLower(path.Base(name)), "index.") {
		r++
	}
	return r
}
