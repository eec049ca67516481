package fetch

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"
)

// BenchmarkBusyHostDoesNotDelayOthers asks one host 30 slow things at once and
// measures meanwhile how long a call to another host takes, as a multiple of
// what it takes alone.
func BenchmarkBusyHostDoesNotDelayOthers(b *testing.B) {
	const latency = 50 * time.Millisecond
	slow := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	defer slow.Close()
	quick := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-time.After(latency):
			io.WriteString(w, "x")
		case <-r.Context().Done():
		}
	}))
	defer quick.Close()
	n := New(Config{Contact: "bench@example.org"})
	defer n.Close()
	busy, err := n.ForHost(slow.URL, Rate{})
	if err != nil {
		b.Fatal(err)
	}
	other, err := n.ForHost(quick.URL, Rate{})
	if err != nil {
		b.Fatal(err)
	}
	asked := 0
	call := func() time.Duration {
		asked++
		start := time.Now()
		if _, err := other.Get(b.Context(), Request{URL: fmt.Sprintf("%s/%d", quick.URL, asked)}); err != nil {
			b.Fatal(err)
		}
		return time.Since(start)
	}
	call() // connects
	var alone, beside []time.Duration
	for b.Loop() {
		alone = append(alone, call())
		ctx, cancel := context.WithCancel(b.Context())
		var wg sync.WaitGroup
		for i := range 30 {
			wg.Go(func() {
				if _, err := busy.Get(ctx, Request{URL: fmt.Sprintf("%s/%d", slow.URL, i)}); err == nil {
					b.Error("the slow host answered")
				}
			})
		}
		for n.limiters.states()[0].InFlight+n.limiters.states()[1].InFlight < 30 {
			if b.Context().Err() != nil {
				break
			}
		}
		beside = append(beside, call())
		cancel()
		wg.Wait()
	}
	slices.Sort(alone)
	slices.Sort(beside)
	a, s := alone[len(alone)/2], beside[len(beside)/2]
	b.ReportMetric(float64(s)/float64(a), "ratio")
	b.ReportMetric(float64(a.Microseconds())/1000, "ms-alone")
	b.ReportMetric(float64(s.Microseconds())/1000, "ms-beside")
}

// BenchmarkCachedResponse is a call whose answer is in the file.
func BenchmarkCachedResponse(b *testing.B) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write(make([]byte, 20<<10)) }))
	defer srv.Close()
	cache, err := OpenCache(b.Context(), b.TempDir()+"/cache.db", CacheConfig{})
	if err != nil {
		b.Fatal(err)
	}
	defer cache.Close()
	n := New(Config{Contact: "bench@example.org", Cache: cache})
	defer n.Close()
	client, err := n.ForHost(srv.URL, Rate{})
	if err != nil {
		b.Fatal(err)
	}
	client = client.WithCache(time.Hour)
	if _, err := client.Get(b.Context(), Request{URL: srv.URL}); err != nil {
		b.Fatal(err)
	}
	cache.flush()
	for b.Loop() {
		r, err := client.Get(b.Context(), Request{URL: srv.URL})
		if err != nil || !r.Cached {
			b.Fatalf("%+v, %v", r, err)
		}
	}
}
