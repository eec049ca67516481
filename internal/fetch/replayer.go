package fetch

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/research-mcp/research-mcp/internal/redact"
)

// Replayer answers from a recording and opens no connection. Equal requests get
// the recorded outcomes in order; the last one repeats. It is safe for
// concurrent use.
type Replayer struct {
	note json.RawMessage

	mu        sync.Mutex
	sequences map[string]*sequence
}

// sequence is the outcomes of equal requests.
type sequence struct {
	entries []*harEntry
	next    int
}

// NewReplayer reads a HAR file of a Recorder. Files of other programs are read
// too, as far as they have bodies.
func NewReplayer(har []byte) (*Replayer, error) {
	f, err := readHAR(har)
	if err != nil {
		return nil, err
	}
	r := &Replayer{note: f.Log.Note, sequences: map[string]*sequence{}}
	for i := range f.Log.Entries {
		e := &f.Log.Entries[i]
		if _, err := e.Response.Content.body(); err != nil {
			return nil, fmt.Errorf("entry %d has %w", i+1, err)
		}
		if e.Response.Status < 0 || e.Response.Status > 999 {
			return nil, fmt.Errorf("entry %d has the status %d", i+1, e.Response.Status)
		}
		r.add(e.key(), e)
		if e.Track != "" {
			r.add(onTrack(e.key(), e.Track), e)
		}
	}
	for _, it := range r.sequences { // unfinished requests are replayed last
		slices.SortStableFunc(it.entries, func(a, b *harEntry) int { return a.unfinishedRank() - b.unfinishedRank() })
	}
	return r, nil
}

func (r *Replayer) add(key string, e *harEntry) {
	if r.sequences[key] == nil {
		r.sequences[key] = &sequence{}
	}
	r.sequences[key].entries = append(r.sequences[key].entries, e)
}

func onTrack(key, track string) string { return key + " " + track }

// unfinishedRank is 1 for a request that was in progress when the recording was
// written, else 0.
func (e *harEntry) unfinishedRank() int {
	if e.Error != nil && e.Error.Kind == kindUnfinished {
		return 1
	}
	return 0
}

// Note returns what Recorder.SetNote set; nil for a file of another program.
func (r *Replayer) Note() json.RawMessage { return r.note }

// key is what equal requests share. URLs in files of other programs are
// redacted too.
func (e *harEntry) key() string {
	hash, level := e.BodyHash, e.Level
	if hash == "" {
		var body []byte
		if e.Request.Post != nil {
			body = []byte(e.Request.Post.Text)
		}
		hash = hashOf(body)
	}
	if level != levelTransport {
		level = levelGet
	}
	return replayKey(level, e.Request.Method, redact.URL(e.Request.URL), hash)
}

func replayKey(level, method, url, hash string) string {
	return level + " " + method + " " + url + " " + hash
}

// next returns the next outcome, nil if the request was not recorded.
func (r *Replayer) next(key string) *harEntry {
	r.mu.Lock()
	defer r.mu.Unlock()
	it := r.sequences[key]
	if it == nil {
		return nil
	}
	e := it.entries[it.next]
	if it.next < len(it.entries)-1 {
		it.next++
	}
	return e
}

func (r *Replayer) get(ctx context.Context, cr checkedRequest, _ func() (Response, error)) (Response, error) {
	if err := ctx.Err(); err != nil {
		return Response{}, fmt.Errorf("asking %s: %w", orAddress(cr.host), err)
	}
	key := replayKey(levelGet, http.MethodGet, redact.URL(cr.url.String()), hashOf(nil))
	e := r.next(onTrack(key, trackOf(ctx)))
	if e == nil {
		e = r.next(key)
	}
	if e == nil {
		return Response{}, notRecorded(cr.host)
	}
	if e.Error != nil {
		return Response{}, e.Error.err(cr.host)
	}
	if e.Response.Status < 200 || e.Response.Status > 299 { // in a file of another program
		return Response{}, &Error{Kind: BadStatus, Host: cr.host, Code: e.Response.Status}
	}
	return e.response(cr)
}

func notRecorded(host string) *Error {
	return &Error{Kind: NotRecorded, Host: host, Detail: "this request is not in the recording"}
}

// err is the recorded failure.
func (e *harError) err(host string) error {
	switch e.Kind {
	case kindDeadline, kindUnfinished:
		return fmt.Errorf("asking %s: %w", orAddress(host), context.DeadlineExceeded)
	case kindCanceled:
		return fmt.Errorf("asking %s: %w", orAddress(host), context.Canceled)
	case kindRefused:
		return &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	case kindNetwork:
		return &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("no answer when this was recorded")}
	case kindOther, "": // another program's entry may name no kind
		return &Error{Kind: Unreachable, Host: host, Detail: "cannot be reached"}
	}
	return &Error{Kind: Kind(e.Kind), Host: e.Host, Code: e.Code, RetryAfter: e.RetryAfter, Detail: e.Detail}
}

// response is the recorded Response.
func (e *harEntry) response(cr checkedRequest) (Response, error) {
	body, err := e.Response.Content.body()
	if err != nil {
		return Response{}, &Error{Kind: NotRecorded, Host: cr.host, Detail: "the recording holds " + err.Error()}
	}
	resp := Response{Body: body, URL: e.FinalURL}
	if resp.URL == "" {
		resp.URL = cr.url.String()
	}
	if as := e.Answer; as != nil {
		resp.Retrieved, resp.ContentType, resp.ETag, resp.LastModified = as.Retrieved, as.ContentType, as.ETag, as.LastModified
		resp.Charset, resp.RetryAfter, resp.Truncated, resp.Cached, resp.Stale, resp.Age = as.Charset, as.RetryAfter, as.Truncated, as.Cached, as.Stale, as.Age
		return resp, nil
	}
	h := e.header()
	resp.setType(h.Get("Content-Type"))
	resp.ETag, resp.LastModified = h.Get("ETag"), h.Get("Last-Modified")
	resp.Retrieved, _ = time.Parse(time.RFC3339Nano, e.Started) // unknown is zero
	return resp, nil
}

func (e *harEntry) header() http.Header {
	h := http.Header{}
	for _, p := range e.Response.Headers {
		h.Add(p.Name, p.Value)
	}
	return h
}

// Transport replays what Recorder.Transport recorded, by method, URL and body.
// The error for any other request is an *Error of kind NotRecorded.
func (r *Replayer) Transport() http.RoundTripper {
	return roundTripper(func(req *http.Request) (*http.Response, error) {
		body, req, err := readBody(req)
		if err != nil {
			return nil, err
		}
		if err := req.Context().Err(); err != nil {
			return nil, err
		}
		e := r.next(replayKey(levelTransport, req.Method, redact.URL(req.URL.String()), hashOf(redact.New().Body(req.Header.Get("Content-Type"), body))))
		if e == nil {
			return nil, notRecorded(req.URL.Host)
		}
		if e.Response.Status == 0 {
			if e.Error == nil {
				return nil, notRecorded(req.URL.Host)
			}
			return nil, e.Error.err(req.URL.Host)
		}
		return e.exchange(req)
	})
}

func (e *harEntry) exchange(req *http.Request) (*http.Response, error) {
	body, err := e.Response.Content.body()
	if err != nil {
		return nil, notRecorded(req.URL.Host)
	}
	h := e.header()
	h.Del("Content-Encoding") // the body was recorded as it was read
	h.Del("Content-Length")
	var content io.Reader = bytes.NewReader(body)
	if e.Error != nil {
		content = io.MultiReader(content, failing{e.Error.err(req.URL.Host)})
	}
	return &http.Response{
		Status: fmt.Sprintf("%d %s", e.Response.Status, http.StatusText(e.Response.Status)), StatusCode: e.Response.Status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: h, Body: io.NopCloser(content), ContentLength: -1, Request: req,
	}, nil
}

// failing is the end of a body that was cut off.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }
