package fetch

import (
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"github.com/research-mcp/research-mcp/internal/extract"
)

const cyrillic = "<html><body><p>\xc2\xf3\xeb\xea\xe0\xed \xe8\xe7\xe2\xe5\xf0\xe3\xe0\xe5\xf2\xf1\xff</p></body></html>" // in windows-1251

// TestCharsetOfTheHeaderReachesTheReader has a page whose charset is named in the
// header alone: from the host, from the cache's file, and from a recording.
func TestCharsetOfTheHeaderReachesTheReader(t *testing.T) {
	t.Parallel()
	s := newSite(t, textPage(""), func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", `Text/HTML; charset="Windows-1251"`)
		w.Write([]byte(cyrillic))
	})
	path := filepath.Join(t.TempDir(), "cache.db")
	read := func(cassette Cassette) Response {
		t.Helper()
		cache := openCache(t, path, CacheConfig{})
		got, err := openTo(t, Config{Cache: cache, Cassette: cassette}, s.Server).ForPublic().WithCache(time.Hour).Get(t.Context(), Request{URL: s.URL + "/"})
		if err != nil {
			t.Fatal(err)
		}
		page, err := extract.HTML(t.Context(), got.Body, got.FullType(), got.URL)
		if err != nil || page.Text != "Вулкан извергается" || got.ContentType != "text/html" || got.Charset != "windows-1251" {
			t.Errorf("%q, %v (type %q, charset %q)", page.Text, err, got.ContentType, got.Charset)
		}
		cache.flush()
		return got
	}
	read(nil)
	if got := read(nil); !got.Cached {
		t.Error("the second time, it did not come from the cache")
	}
	recorder := NewRecorder("research-mcp", "test", nil)
	read(recorder)
	har, err := recorder.HAR()
	if err != nil {
		t.Fatal(err)
	}
	replay, err := NewReplayer(har)
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	read(replay)
}

func TestInvalidCharsets(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]string{
		"text/html; charset=KOI8-R": "text/html; charset=koi8-r", "text/html": "text/html", "": "", "text/html; charset=": "text/html",
		`text/html; charset="a;b"`: "text/html", `text/html; charset="a` + "\t" + `b"`: "text/html", "nonsense": "nonsense",
		"text/html; charset=" + "x123456789012345678901234567890123456789012345": "text/html",
	} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Content-Type"] = []string{header}
			w.Write([]byte("x"))
		}))
		n := New(Config{})
		client, err := n.ForHost(srv.URL, Rate{})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := client.Get(t.Context(), Request{URL: srv.URL}); err != nil || got.FullType() != want {
			t.Errorf("%q: %q, %v, want %q", header, got.FullType(), err, want)
		}
		n.Close()
		srv.Close()
	}
}
