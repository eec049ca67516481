package fetch_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"time"

	"github.com/research-mcp/research-mcp/internal/fetch"
)

// exampleServer answers /search with JSON and everything else with 404.
func exampleServer() *httptest.Server {
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/search" {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"query":%q,"hits":3}`, r.URL.Query().Get("q"))
	}))
}

func ExampleClient_GetJSON() {
	server := exampleServer()
	defer server.Close()
	network := fetch.New(fetch.Config{Version: "1.0.0", Contact: "ops@example.org"})
	defer network.Close()

	client, err := network.ForHost(server.URL, fetch.Rate{PerSecond: 5, Burst: 2})
	if err != nil {
		fmt.Println(err)
		return
	}
	var result struct {
		Query string
		Hits  int
	}
	_, err = client.GetJSON(context.Background(), fetch.Request{URL: server.URL + "/search?q=harbour", Budget: fetch.NewBudget(10 * time.Second)}, &result)
	fmt.Println(result, err)

	_, err = client.Get(context.Background(), fetch.Request{URL: server.URL + "/other"})
	fmt.Println(fetch.IsKind(err, fetch.NotFound))
	// Output:
	// {harbour 3} <nil>
	// true
}

// A public client never connects to an address that is not public.
func ExampleNetwork_ForPublic() {
	network := fetch.New(fetch.Config{})
	defer network.Close()
	_, err := network.ForPublic().Get(context.Background(), fetch.Request{URL: "http://169.254.169.254/latest/meta-data"})
	fmt.Println(err)
	// Output:
	// refused: its address is not on the public internet
}

func ExampleClient_WithCache() {
	server := exampleServer()
	defer server.Close()
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	cache, err := fetch.OpenCache(context.Background(), filepath.Join(dir, "cache.db"), fetch.CacheConfig{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer cache.Close()
	network := fetch.New(fetch.Config{Cache: cache})
	defer network.Close()
	client, err := network.ForHost(server.URL, fetch.Rate{})
	if err != nil {
		fmt.Println(err)
		return
	}
	client = client.WithCache(time.Hour)
	for range 2 {
		ctx, trace := fetch.WithTrace(context.Background())
		response, err := client.Get(ctx, fetch.Request{URL: server.URL + "/search?q=harbour"})
		fmt.Println(response.Cached, trace.Counts().Requests, err)
	}
	// Output:
	// false 1 <nil>
	// true 0 <nil>
}

// A Replayer answers the recorded requests without a connection.
func ExampleReplayer() {
	server := exampleServer()
	url := server.URL + "/search?q=harbour&api_key=s3cret-value"
	recorder := fetch.NewRecorder("example", "1.0.0", nil, "s3cret-value")
	get := func(cassette fetch.Cassette) (fetch.Response, error) {
		network := fetch.New(fetch.Config{Cassette: cassette})
		defer network.Close()
		client, err := network.ForHost(server.URL, fetch.Rate{})
		if err != nil {
			return fetch.Response{}, err
		}
		return client.Get(context.Background(), fetch.Request{URL: url})
	}
	_, err := get(recorder)
	server.Close()
	har, err2 := recorder.HAR()
	replayer, err3 := fetch.NewReplayer(har)
	if err := errors.Join(err, err2, err3); err != nil {
		fmt.Println(err)
		return
	}
	response, err := get(replayer)
	fmt.Println(string(response.Body), err)
	// Output:
	// {"query":"harbour","hits":3} <nil>
}

func ExampleRecorder_Transport() {
	server := exampleServer()
	defer server.Close()
	recorder := fetch.NewRecorder("example", "1.0.0", nil)
	response, err := (&http.Client{Transport: recorder.Transport(nil)}).Get(server.URL + "/search?q=harbour")
	if err != nil {
		fmt.Println(err)
		return
	}
	body, err := io.ReadAll(response.Body)
	response.Body.Close()
	fmt.Println(string(body), err)
	// Output:
	// {"query":"harbour","hits":3} <nil>
}
