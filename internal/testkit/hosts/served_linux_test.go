package main

import (
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
)

// fakeServer has the programs that serve calls, as scripts in the home folder: the shell
// takes its first argument for one. serve says that it serves at url, and waits.
func fakeServer(t *testing.T, token, serves string) setting {
	t.Helper()
	_, p := fakeHost(t, "")
	s := setting{place: p, home: t.TempDir()}
	for name, text := range map[string]string{"token": token, "serve": serves} {
		if err := write(filepath.Join(s.home, name), text); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// serving is a script that says it serves at url, until it is told to end.
func serving(url, then string) string {
	return "trap 'kill $!; exit 0' TERM; echo hello >&2; " + then + " echo 'serving MCP at " + url + "/mcp; Ctrl-C ends it' >&2; sleep 1000 >&- 2>&- & wait"
}

func TestServe(t *testing.T) {
	t.Parallel()
	strict := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }))
	open := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(strict.Close)
	t.Cleanup(open.Close)
	for _, tt := range []struct{ name, token, serve, wrong, wrongEnd string }{
		{"all is well", "echo tok", serving(strict.URL, ""), "", ""},
		{"the token is logged", "echo tok", serving(strict.URL, "echo got tok >&2;"), "", "the server's log has the token"},
		{"no token", "echo no space >&2; exit 1", "", "token add: exit status 1: no space", ""},
		{"it ends", "echo tok", "echo no address >&2; exit 1", "no address", ""},
		{"it takes everybody", "echo tok", serving(open.URL, ""), "the server answers a stranger with 200", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			v, err := serve(t.Context(), fakeServer(t, tt.token, tt.serve))
			if (err != nil) != (tt.wrong != "") || err != nil && !strings.Contains(err.Error(), tt.wrong) {
				t.Fatalf("serve = %v, want %q", err, tt.wrong)
			}
			if err != nil {
				return
			}
			if v.url != strict.URL+"/mcp" || v.token != "tok" {
				t.Errorf("served at %s with %s", v.url, v.token)
			}
			if err := v.end(); (err != nil) != (tt.wrongEnd != "") || err != nil && !strings.Contains(err.Error(), tt.wrongEnd) {
				t.Errorf("end = %v, want %q", err, tt.wrongEnd)
			}
		})
	}
}

// TestInstallOfAServedOne: install is called as a user would call it, and what it writes is
// looked at.
func TestInstallOfAServedOne(t *testing.T) {
	t.Parallel()
	v := &served{url: "http://127.0.0.1:1/mcp", token: "tok-1", tokenFile: "/t"}
	for _, tt := range []struct {
		how            reach
		written, wrong string
	}{
		{byURL, `"$*"`, ""},
		{byConnect, `"connect $*"`, ""},
		{byURL, `"connect $*"`, "in another way"},
		{byConnect, `"$*"`, "in another way"},
		{byURL, `"$* tok-1"`, "it has the token"},
		{byURL, `serve`, "it does not have http://127.0.0.1:1/mcp"},
	} {
		h, p := fakeHost(t, "")
		h.client, h.config = "fake", "config"
		h = reaching(tt.how, h)
		s := setting{place: p, home: t.TempDir(), served: v}
		if err := write(filepath.Join(s.home, "install"), "[ \"$1 $2 $3 $4\" = 'fake --url http://127.0.0.1:1/mcp --token-file' ] && echo "+tt.written+" >config"); err != nil {
			t.Fatal(err)
		}
		err := h.install(t.Context(), s, environment(s))
		if (err != nil) != (tt.wrong != "") || err != nil && !strings.Contains(err.Error(), tt.wrong) {
			t.Errorf("%s, %s: install = %v, want %q", h.name, tt.written, err, tt.wrong)
		}
	}
}
