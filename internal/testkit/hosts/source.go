package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
)

// source answers as the API of Hacker News does, once it is released, and tells the
// clients of the SDKs what it sees:
//
//	/api/v1/search    a search; answered after a release
//	/release          every search so far and from now on is answered
//	/hold             searches from now on wait for a release
//	/begun?n=1        answered once that many searches have begun
//	/left?n=1         answered once that many callers closed their connection unanswered
//	/count            how many searches have begun
type source struct {
	server *httptest.Server

	mu          sync.Mutex
	changed     *sync.Cond
	begun, left int
	released    chan struct{} // closed when searches are answered
	closed      bool
}

const hits = `{"hits":[{"objectID":"1","author":"ann","created_at":"2026-01-02T03:04:05Z","created_at_i":1767323045,"points":5,"num_comments":2,` +
	`"url":null,"title":"How goroutines work","story_id":1,"story_text":"A goroutine is a function that runs concurrently with other goroutines. ` +
	`Goroutines work by being multiplexed onto few threads of the operating system by the runtime of Go, so that creating one is cheap.",` +
	`"_tags":["story","author_ann","story_1"]}],"nbHits":1,"page":0,"nbPages":1,"hitsPerPage":20,"exhaustiveNbHits":true,"query":"","params":""}`

func newSource() *source {
	s := &source{released: make(chan struct{})}
	s.changed = sync.NewCond(&s.mu)
	mux := http.NewServeMux()
	mux.HandleFunc("/api/v1/search", s.search)
	mux.HandleFunc("/release", func(http.ResponseWriter, *http.Request) { s.release() })
	mux.HandleFunc("/hold", func(http.ResponseWriter, *http.Request) { s.hold() })
	mux.HandleFunc("/begun", func(w http.ResponseWriter, r *http.Request) { s.await(w, r, &s.begun) })
	mux.HandleFunc("/left", func(w http.ResponseWriter, r *http.Request) { s.await(w, r, &s.left) })
	mux.HandleFunc("/count", func(w http.ResponseWriter, _ *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		_, _ = fmt.Fprint(w, s.begun)
	})
	s.server = httptest.NewServer(mux)
	return s
}

func (s *source) url() string { return s.server.URL }

func (s *source) close() {
	s.mu.Lock()
	s.closed = true
	s.changed.Broadcast()
	s.mu.Unlock()
	s.server.CloseClientConnections()
	s.server.Close()
}

func (s *source) search(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	released := s.released
	s.begun++
	s.changed.Broadcast()
	s.mu.Unlock()
	select {
	case <-released:
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprint(w, hits)
	case <-r.Context().Done():
		s.mu.Lock()
		s.left++
		s.changed.Broadcast()
		s.mu.Unlock()
	}
}

func (s *source) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.released:
	default:
		close(s.released)
	}
}

func (s *source) hold() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.released = make(chan struct{})
}

// await answers when the counter is at least the n of the request.
func (s *source) await(w http.ResponseWriter, r *http.Request, counter *int) {
	var n int
	if _, err := fmt.Sscan(r.URL.Query().Get("n"), &n); err != nil {
		http.Error(w, "n is no number", http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for *counter < n && !s.closed {
		s.changed.Wait()
	}
	_, _ = fmt.Fprint(w, *counter)
}
