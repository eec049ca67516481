package main

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
)

func get(t *testing.T, url string) string {
	t.Helper()
	res, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestSourceHoldsAndReleases(t *testing.T) {
	t.Parallel()
	s := newSource()
	defer s.close()
	answered := make(chan string, 1)
	go func() {
		res, err := http.Get(s.url() + "/api/v1/search?query=x")
		if err != nil {
			answered <- err.Error()
			return
		}
		defer res.Body.Close()
		b, _ := io.ReadAll(res.Body) // what is missing is seen below
		answered <- string(b)
	}()
	if got := get(t, s.url()+"/begun?n=1"); got != "1" {
		t.Errorf("begun = %s", got)
	}
	select {
	case got := <-answered:
		t.Errorf("answered before the release: %s", got)
	default:
	}
	get(t, s.url()+"/release")
	if got := <-answered; !strings.Contains(got, "goroutine") {
		t.Errorf("answer = %s", got)
	}
	get(t, s.url()+"/hold")
	ctx, leave := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url()+"/api/v1/search?query=y", nil)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		res, err := http.DefaultClient.Do(req)
		if err == nil {
			err = res.Body.Close()
		}
		ended <- err
	}()
	get(t, s.url()+"/begun?n=2")
	leave()
	if err := <-ended; err == nil {
		t.Error("a held search was answered")
	}
	if left, count := get(t, s.url()+"/left?n=1"), get(t, s.url()+"/count"); left != "1" || count != "2" {
		t.Errorf("left %s, count %s", left, count)
	}
}
