package world

import (
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// handler is a source's server. Requests for which the real service does its work
// take the source's latency; others are instant, so that a source that sends two
// requests takes its latency once.
func (w *World) handler(name string) http.Handler {
	mux := http.NewServeMux()
	switch name {
	case wikipedia:
		mux.HandleFunc("GET /w/api.php", w.slow(name, w.actionAPI))
		mux.HandleFunc("GET /api/rest_v1/page/summary/{title}", w.summary)
		mux.HandleFunc("GET /wiki/{title...}", w.page)
		return identified(mux)
	case summary:
		mux.HandleFunc("GET /w/api.php", w.broken(name, w.actionAPI))
		mux.HandleFunc("GET /api/rest_v1/page/summary/{title}", w.broken(name, w.summary))
		return identified(mux)
	}
	mux.HandleFunc("GET /api/v1/search", w.slow(name, w.hackerNews))
	mux.HandleFunc("GET /item", w.discussion)
	return mux
}

// slow waits for the source's latency first.
func (w *World) slow(name string, next http.HandlerFunc) http.HandlerFunc {
	return w.broken(name, func(rw http.ResponseWriter, r *http.Request) {
		if pause(r.Context(), w.latency[name]) {
			next(rw, r)
		}
	})
}

// broken replaces next where the source has a fault.
func (w *World) broken(name string, next http.HandlerFunc) http.HandlerFunc {
	switch w.fault[name] {
	case FaultHang:
		return func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	case FaultFail:
		return func(rw http.ResponseWriter, r *http.Request) {
			if pause(r.Context(), w.latency[name]) {
				reply(rw, http.StatusInternalServerError, "text/html; charset=utf-8", "<html><title>Error</title><h1>Our servers are currently under maintenance</h1></html>")
			}
		}
	case FaultGarbage:
		return func(rw http.ResponseWriter, r *http.Request) {
			if pause(r.Context(), w.latency[name]) {
				reply(rw, http.StatusOK, "application/json; charset=utf-8", "{\"query\":{\"pages\":[{\"title\":\"Tran\x00\xff\xfe\x1b[31m")
			}
		}
	}
	return next
}

// identified refuses clients that do not identify themselves, as Wikimedia does.
func identified(next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if ua := r.UserAgent(); ua == "" || strings.HasPrefix(ua, "Go-http-client/") {
			reply(rw, http.StatusForbidden, "text/plain; charset=utf-8", "Please set a user-agent that says who you are and how you can be reached.\n")
			return
		}
		next.ServeHTTP(rw, r)
	})
}

// reply writes an answer. An error means that the client has disconnected.
func reply(rw http.ResponseWriter, code int, kind, body string) {
	rw.Header().Set("Content-Type", kind)
	rw.WriteHeader(code)
	fmt.Fprint(rw, body)
}

func replyJSON(rw http.ResponseWriter, code int, v any) {
	raw, err := json.Marshal(v)
	if err != nil {
		http.Error(rw, "encoding the answer", http.StatusInternalServerError)
		return
	}
	reply(rw, code, "application/json; charset=utf-8", string(raw))
}

// number reads a count of at least 1 from a query, or returns fallback. It is at
// most limit.
func number(q url.Values, key string, fallback, limit int) int {
	n, err := strconv.Atoi(q.Get(key))
	if err != nil || n < 1 {
		return fallback
	}
	return min(n, limit)
}

// page is an article as HTML, so that the link of a citation opens.
func (w *World) page(rw http.ResponseWriter, r *http.Request) {
	a, _, ok := w.library.article(r.PathValue("title"))
	if !ok {
		http.NotFound(rw, r)
		return
	}
	body := "<p>" + strings.ReplaceAll(html.EscapeString(a.body), "\n\n", "</p>\n<p>") + "</p>"
	w.html(rw, a.title, body)
}

// discussion is an item and its comments as HTML.
func (w *World) discussion(rw http.ResponseWriter, r *http.Request) {
	id, err := strconv.ParseInt(r.URL.Query().Get("id"), 10, 64)
	it, ok := w.library.item(id)
	if err != nil || !ok {
		http.NotFound(rw, r)
		return
	}
	var b strings.Builder
	fmt.Fprintf(&b, "<p>%s</p>\n", deref(it.Text))
	for _, c := range w.library.items {
		if c.Story == it.ID && c.Story != 0 {
			fmt.Fprintf(&b, "<hr><p><b>%s</b></p><p>%s</p>\n", html.EscapeString(deref(c.Author)), deref(c.Text))
		}
	}
	w.html(rw, deref(it.Title), b.String())
}

func (w *World) html(rw http.ResponseWriter, title, body string) {
	reply(rw, http.StatusOK, "text/html; charset=utf-8", fmt.Sprintf(
		"<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>%[1]s</title></head>\n<body><article><h1>%[1]s</h1>\n%[2]s</article>\n<footer>Written for the demo of research-mcp.</footer></body></html>\n",
		html.EscapeString(title), body))
}
