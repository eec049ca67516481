package fetch

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestParseURL(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"https://h.example/p?q=a b":               "https://h.example/p?q=a%20b",
		" https://h.example/a b/c?x=1 \n":         "https://h.example/a%20b/c?x=1",
		"https://h.example/p?q=a%20b&c=é":         "https://h.example/p?q=a%20b&c=%C3%A9",
		"https://h.example/100% sure?p=5%":        "https://h.example/100%25%20sure?p=5%25",
		"https://h.example/long\n/way?a=\"x\"<y>": "https://h.example/long/way?a=%22x%22%3Cy%3E",
		"https://h.example/straße?q=日本":           "https://h.example/stra%C3%9Fe?q=%E6%97%A5%E6%9C%AC",
		"<https://h.example/a?b=c>":               "https://h.example/a?b=c",
		" \"https://h.example/a\"\n":              "https://h.example/a",
		"https://h.example/a%2Fb?c=%2f#d e":       "https://h.example/a%2Fb?c=%2f#d%20e",
	} {
		u, err := parseURL(in)
		if err != nil || u.String() != want {
			t.Errorf("parseURL(%q) = %v, %v, want %s", in, u, err, want)
		}
	}
}

// What is sent is a request line that servers accept.
func TestAddressesWithSpacesAreFetched(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	mux.HandleFunc("/page%20two", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		w.Write([]byte(r.URL.Query().Get("q")))
	})
	mux.HandleFunc("/go", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", "/page two?q=red bird")
		w.WriteHeader(http.StatusFound)
	})
	srv := httptest.NewServer(mux)
	defer srv.Close()
	client := openTo(t, Config{}, srv).ForPublic()
	for _, path := range []string{"/page two?q=red bird", "/go"} {
		resp, err := client.Get(t.Context(), Request{URL: srv.URL + path})
		if err != nil || string(resp.Body) != "red bird" || resp.URL != srv.URL+"/page%20two?q=red%20bird" {
			t.Errorf("%s: %q from %s, %v", path, resp.Body, resp.URL, err)
		}
	}
}

func FuzzParseURL(f *testing.F) {
	for _, s := range []string{"https://h/p?q=a b", "%", "//h/%zz?%", "\x00", "http://[::1]/?\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		u, err := parseURL(s)
		if err != nil {
			return
		}
		again, err := parseURL(u.String())
		if err != nil || again.String() != u.String() {
			t.Errorf("parseURL(%q) = %s, which becomes %v, %v", s, u, again, err)
		}
	})
}
