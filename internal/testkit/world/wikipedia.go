package world

import (
	"cmp"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/research-mcp/research-mcp/internal/text"
)

// object is a JSON object.
type object = map[string]any

const stamp = "2026-10-02T00:00:00Z"

// maxExtracts is how many introductions the extension returns in one answer.
const maxExtracts = 20

// actionAPI answers action=query with generator=search or list=search.
func (w *World) actionAPI(rw http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	switch {
	case q.Get("action") != "query":
		apiError(rw, q, "badvalue", "Unrecognized value for parameter \"action\".")
	case q.Get("generator") == "search" && q.Get("gsrsearch") == "":
		apiError(rw, q, "missingparam", "The \"gsrsearch\" parameter must be set.")
	case q.Get("list") == "search" && q.Get("srsearch") == "":
		apiError(rw, q, "missingparam", "The \"srsearch\" parameter must be set.")
	case q.Get("generator") == "search":
		replyJSON(rw, http.StatusOK, w.generatorSearch(q))
	case q.Get("list") == "search":
		replyJSON(rw, http.StatusOK, w.listSearch(q))
	default:
		replyJSON(rw, http.StatusOK, object{"batchcomplete": true})
	}
}

// apiError has status 200, as that of MediaWiki.
func apiError(rw http.ResponseWriter, q url.Values, code, info string) {
	rw.Header().Set("MediaWiki-API-Error", code)
	if q.Get("errorformat") == "plaintext" {
		replyJSON(rw, http.StatusOK, object{"errors": []object{{"code": code, "text": info, "module": "query"}}})
		return
	}
	replyJSON(rw, http.StatusOK, object{"error": object{"code": code, "info": info}})
}

// generatorSearch returns pages in the order of their ids; index is the rank. Without
// a hit the answer has no query.
func (w *World) generatorSearch(q url.Values) object {
	hits := w.library.articleIndex.search(q.Get("gsrsearch"))
	if len(hits) == 0 {
		return object{"batchcomplete": true}
	}
	out := object{"batchcomplete": true, "limits": object{"extracts": maxExtracts}}
	limit := number(q, "gsrlimit", 10, 50)
	if len(hits) > limit {
		hits = hits[:limit]
		out["continue"] = object{"gsroffset": limit, "continue": "gsroffset||"}
	}
	extracts := maxExtracts
	if !q.Has("exintro") {
		extracts = 1
		out["warnings"] = []object{{"code": "extracts", "text": "\"exlimit\" was too large for a whole article extracts request, lowered to 1.", "module": "extracts"}}
	}
	pages := []object{}
	for rank, hit := range hits {
		p := w.apiPage(w.library.articles[hit], rank+1)
		if rank >= extracts || !strings.Contains(q.Get("prop"), "extracts") {
			delete(p, "extract")
		}
		pages = append(pages, p)
	}
	slices.SortFunc(pages, func(a, b object) int { return cmp.Compare(a["pageid"].(int), b["pageid"].(int)) })
	out["query"] = object{"pages": pages}
	return out
}

func (w *World) apiPage(a article, rank int) object {
	link := w.articleURL(a)
	p := object{
		"pageid": a.id, "ns": 0, "title": a.title, "index": rank, "extract": a.body,
		"contentmodel": "wikitext", "pagelanguage": "en", "pagelanguagehtmlcode": "en", "pagelanguagedir": "ltr",
		"touched": stamp, "lastrevid": a.revision, "length": len(a.body), "fullurl": link, "canonicalurl": link,
		"editurl": w.urls[wikipedia] + "/w/index.php?title=" + url.QueryEscape(underscored(a.title)) + "&action=edit",
	}
	if a.disambiguation {
		p["pageprops"] = object{"disambiguation": ""}
	}
	return p
}

func (w *World) listSearch(q url.Values) object {
	hits := w.library.articleIndex.search(q.Get("srsearch"))
	out := object{"batchcomplete": true}
	limit := number(q, "srlimit", 10, 50)
	found := []object{}
	for _, hit := range hits[:min(len(hits), limit)] {
		a := w.library.articles[hit]
		snippet, _ := text.Cut(a.body, 120)
		found = append(found, object{
			"ns": 0, "title": a.title, "pageid": a.id, "size": len(a.body), "wordcount": len(strings.Fields(a.body)),
			"snippet": html.EscapeString(snippet), "timestamp": stamp,
		})
	}
	if len(hits) > limit {
		out["continue"] = object{"sroffset": limit, "continue": "-||"}
	}
	out["query"] = object{"searchinfo": object{"totalhits": len(hits)}, "search": found}
	return out
}

// summary answers for one title. Only a page that has a summary takes the source's
// latency: a redirect or a wrong title is instant.
func (w *World) summary(rw http.ResponseWriter, r *http.Request) {
	a, alias, ok := w.library.article(r.PathValue("title"))
	switch {
	case !ok:
		replyJSON(rw, http.StatusNotFound, object{
			"type": "https://mediawiki.org/wiki/HyperSwitch/errors/not_found", "title": "Not found.", "method": "get",
			"detail": "Page or revision not found.", "uri": r.URL.Path,
		})
		return
	case alias:
		rw.Header().Set("Location", url.PathEscape(underscored(a.title)))
		rw.WriteHeader(http.StatusFound)
		return
	case !a.disambiguation && !pause(r.Context(), w.latency[summary]):
		return
	}
	rw.Header().Set("ETag", fmt.Sprintf("W/\"%d/demo\"", a.revision))
	replyJSON(rw, http.StatusOK, w.summaryOf(a))
}

func (w *World) summaryOf(a article) object {
	display := "<span class=\"mw-page-title-main\">" + html.EscapeString(a.title) + "</span>"
	link := w.articleURL(a)
	kind := "standard"
	if a.disambiguation {
		kind = "disambiguation"
	}
	return object{
		"type": kind, "title": a.title, "displaytitle": display, "namespace": object{"id": 0, "text": ""},
		"titles": object{"canonical": underscored(a.title), "normalized": a.title, "display": display},
		"pageid": a.id, "lang": "en", "dir": "ltr", "revision": fmt.Sprint(a.revision),
		"tid": "00000000-0000-11f0-8000-000000000001", "timestamp": stamp,
		"description": a.description, "description_source": "local",
		"content_urls": object{
			"desktop": object{"page": link, "revisions": link + "?action=history", "edit": link + "?action=edit"},
			"mobile":  object{"page": link},
		},
		"extract": a.summary, "extract_html": "<p>" + html.EscapeString(a.summary) + "</p>",
	}
}

func (w *World) articleURL(a article) string {
	path := (&url.URL{Path: "/wiki/" + underscored(a.title)}).EscapedPath()
	return w.urls[wikipedia] + strings.NewReplacer("%28", "(", "%29", ")").Replace(path) // as Wikipedia writes them
}

func underscored(title string) string { return strings.ReplaceAll(title, " ", "_") }
