package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// reportsOfACall is how many each has: the search begins, and the source has answered. On a
// machine that does not get to it for seconds there are more, which begin with beat.
const (
	reportsOfACall = 2
	beat           = "still running after "
)

// web is a server over HTTP behind a proxy, which counts what the server sends: what an SDK
// shows of it is compared with that. At the proxy,
//
//	/mcp    is the server
//	/sent   says what it sent since this was asked the last time; see sent
type web struct {
	served
	proxy *httptest.Server

	mu    sync.Mutex
	calls []*sentCall
}

// sent is what the server sent for calls that asked for progress.
type sent struct {
	Calls    int      `json:"calls"`
	Reports  int      `json:"reports"`
	Problems []string `json:"problems"`
}

// sentCall is one request that asked for progress.
type sentCall struct {
	id       string
	reports  []int
	beats    int // reports of them that say only that the call goes on
	answered bool
	late     int // reports after the response
}

// serveWeb starts a server whose only useful source is that of the setting.
func serveWeb(ctx context.Context, s setting, data string) (*web, error) {
	w := &web{}
	if err := w.start(ctx, s, "--data-dir", filepath.Join(s.home, data), "--set=ollama.enabled=false",
		"--set=sources.hackernews.url="+s.source.url(), "--set=sources.hackernews.timeout=100s"); err != nil {
		return nil, err
	}
	upstream, err := url.Parse(strings.TrimSuffix(w.served.url, "/mcp"))
	if err != nil {
		return nil, errors.Join(err, w.end())
	}
	w.proxy = httptest.NewServer(w.handler(upstream))
	return w, nil
}

// close ends the server after its proxy.
func (w *web) close() error {
	w.proxy.CloseClientConnections()
	w.proxy.Close()
	return w.end()
}

func (w *web) url() string { return w.proxy.URL + "/mcp" }

// callKey is the sentCall of a request, in its context.
type callKey struct{}

func (w *web) handler(upstream *url.URL) http.Handler {
	proxy := &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(upstream) },
		FlushInterval: -1, // each event at once
		ErrorLog:      log.New(io.Discard, "", 0),
		ModifyResponse: func(r *http.Response) error {
			if call, ok := r.Request.Context().Value(callKey{}).(*sentCall); ok {
				r.Body = &counted{ReadCloser: r.Body, count: func(line []byte) { w.count(call, line) }}
			}
			return nil
		},
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/sent", func(out http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(out).Encode(w.sent()) // a client that has gone does not count
	})
	mux.HandleFunc("/mcp", func(out http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // the client went away
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		if call := w.begin(body); call != nil {
			r = r.WithContext(context.WithValue(r.Context(), callKey{}, call))
		}
		proxy.ServeHTTP(out, r)
	})
	return mux
}

// begin notes a request that asks for progress; others are nil.
func (w *web) begin(body []byte) *sentCall {
	var m struct {
		ID     json.RawMessage
		Params struct {
			Meta struct {
				Token json.RawMessage `json:"progressToken"`
			} `json:"_meta"`
		}
	}
	if json.Unmarshal(body, &m) != nil || m.Params.Meta.Token == nil {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	call := &sentCall{id: string(m.ID)}
	w.calls = append(w.calls, call)
	return call
}

// count looks at a line that the server sent for a call.
func (w *web) count(call *sentCall, line []byte) {
	text, event := bytes.CutPrefix(line, []byte("data: "))
	var m struct {
		Method string
		Params struct {
			Progress int
			Message  string
		}
	}
	if !event && !bytes.HasPrefix(line, []byte("{")) || json.Unmarshal(text, &m) != nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case m.Method == "":
		call.answered = true
	case m.Method == "notifications/progress" && call.answered:
		call.late++
	case m.Method == "notifications/progress":
		call.reports = append(call.reports, m.Params.Progress)
		if strings.HasPrefix(m.Params.Message, beat) {
			call.beats++
		}
	}
}

// sent is what was sent since the last time.
func (w *web) sent() sent {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := sent{Calls: len(w.calls), Problems: []string{}}
	for _, call := range w.calls {
		out.Reports += len(call.reports) + call.late
		want := make([]int, len(call.reports))
		for i := range want {
			want[i] = i + 1
		}
		if len(want)-call.beats != reportsOfACall || !slices.Equal(call.reports, want) || call.late > 0 || !call.answered {
			out.Problems = append(out.Problems, fmt.Sprintf("request %s: reports %v, %d late, answered: %v", call.id, call.reports, call.late, call.answered))
		}
	}
	w.calls = nil
	return out
}

// counted is a body whose lines are counted as they pass.
type counted struct {
	io.ReadCloser
	count func(line []byte)
	rest  []byte // of the last line
}

// Read implements io.Reader.
func (c *counted) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	c.rest = append(c.rest, p[:n]...)
	for {
		end := bytes.IndexByte(c.rest, '\n')
		if end < 0 {
			return n, err
		}
		c.count(c.rest[:end])
		c.rest = c.rest[end+1:]
	}
}

// withWebs runs a host while servers of its own run behind their proxies. They have a memory
// each: what the first has read would answer the question of the second.
func withWebs(ctx context.Context, s setting, run func(setting) (output, error)) (printed output, err error) {
	var all []*web
	for _, data := range []string{"first", "second"} {
		w, failed := serveWeb(ctx, s, data)
		if failed != nil {
			err = failed
			break
		}
		all = append(all, w)
		s.webs = append(s.webs, w.url())
	}
	if err == nil {
		printed, err = run(s)
	}
	for _, w := range all {
		err = errors.Join(err, w.close())
	}
	return printed, err
}
