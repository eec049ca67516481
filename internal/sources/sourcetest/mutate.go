package sourcetest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/research-mcp/research-mcp/internal/sources"
)

// testMutations replays the answers of hits with each field, wherever it occurs,
// replaced by null and by each other type. The source returns either documents
// that conform to the contract, or an error.
func testMutations(t *testing.T, spec sources.Spec, c *contract) {
	var replies atomic.Pointer[[]reply]
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { play(*replies.Load())(w, r) }))
	t.Cleanup(srv.Close)
	s := buildAt(t, spec, c, srv.URL, 0, newNetwork(t, nil))
	for i, it := range c.Hits {
		for name, body := range mutations(it.body) {
			changed := slices.Clone(c.Hits)
			changed[i].body = body
			replies.Store(&changed)
			docs, err := s.Search(t.Context(), query)
			if (docs == nil) == (err == nil) {
				t.Errorf("%s, %s: Search = %v, %v, want documents or an error", it.File, name, docs, err)
			}
			checkDocuments(t, spec.Name, docs)
			if t.Failed() {
				t.Fatalf("%s, %s", it.File, name)
			}
		}
	}
}

// mutations are variants of a JSON or XML document, by description.
func mutations(body []byte) map[string][]byte {
	out := map[string][]byte{}
	var v any
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if d.Decode(&v) != nil {
		for _, tag := range tags(body) {
			out["empty "+tag] = emptied(body, tag)
		}
		return out
	}
	keys := map[string]bool{}
	collect(v, keys)
	for key := range keys {
		for _, other := range []string{"null", `""`, "7", "-1.5e300", "true", `"x"`, "[]", "{}", "[null]", `{"a": null}`, `[["x"]]`} {
			raw, err := json.Marshal(replaced(v, key, json.RawMessage(other)))
			if err == nil {
				out[fmt.Sprintf("%s as %s", key, other)] = raw
			}
		}
	}
	return out
}

// collect gathers the names of all fields.
func collect(v any, keys map[string]bool) {
	switch v := v.(type) {
	case map[string]any:
		for k, inner := range v {
			keys[k] = true
			collect(inner, keys)
		}
	case []any:
		for _, inner := range v {
			collect(inner, keys)
		}
	}
}

// replaced is v with another value for each field of the name.
func replaced(v any, key string, other json.RawMessage) any {
	switch v := v.(type) {
	case map[string]any:
		out := maps.Clone(v)
		for k, inner := range v {
			out[k] = replaced(inner, key, other)
			if k == key {
				out[k] = other
			}
		}
		return out
	case []any:
		out := slices.Clone(v)
		for i, inner := range v {
			out[i] = replaced(inner, key, other)
		}
		return out
	}
	return v
}

var tagPattern = regexp.MustCompile(`<([A-Za-z][A-Za-z0-9:_-]*)`)

// tags are the names of all elements but the root.
func tags(body []byte) []string {
	names := map[string]bool{}
	for i, m := range tagPattern.FindAllSubmatch(body, -1) {
		if i > 0 {
			names[string(m[1])] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// emptied is a document whose elements of one name are empty.
func emptied(body []byte, tag string) []byte {
	whole := regexp.MustCompile(`(?s)<` + regexp.QuoteMeta(tag) + `(?:\s[^>]*)?>.*?</` + regexp.QuoteMeta(tag) + `>`)
	return whole.ReplaceAll(body, []byte("<"+tag+"/>"))
}
