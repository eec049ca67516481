package fetch

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/research-mcp/research-mcp/internal/redact"
)

// Cassette records or replays the requests of a Network: a *Recorder or a
// *Replayer.
type Cassette interface {
	get(ctx context.Context, cr checkedRequest, wire func() (Response, error)) (Response, error)
}

// Recorder records every request and its outcome for a HAR 1.2 file. Parameters,
// form fields and headers whose names say that they hold secrets are redacted, and
// so are secret values that it is given, wherever they are. It is safe for
// concurrent use.
type Recorder struct {
	creator harName
	now     func() time.Time
	redact  *redact.Redactor

	mu           sync.Mutex
	interactions []*interaction // in the order in which they began
	note         json.RawMessage
}

// interaction is one recorded request; guarded by Recorder.mu.
type interaction struct {
	began, ended time.Time // ended is zero while it is in progress
	entry        harEntry
}

// NewRecorder makes a Recorder. name and version are of the program that the file
// names as its creator; now is nil for time.Now. secrets are values that must not
// be in the recording; those of less than 6 bytes are not searched for.
func NewRecorder(name, version string, now func() time.Time, secrets ...string) *Recorder {
	if now == nil {
		now = time.Now
	}
	return &Recorder{creator: harName{name, version}, now: now, redact: redact.New(secrets...)}
}

// SetNote sets a JSON value of the caller's in the recording.
func (r *Recorder) SetNote(note json.RawMessage) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.note = r.redact.JSON(note)
}

// HAR returns the recording so far, in the order in which requests began.
// Requests in progress are in it as unfinished.
func (r *Recorder) HAR() ([]byte, error) {
	r.mu.Lock()
	f := harFile{Log: harLog{Version: "1.2", Creator: r.creator, Pages: []struct{}{}, Entries: []harEntry{}, Note: r.note}}
	takes := slices.Clone(r.interactions)
	slices.SortStableFunc(takes, func(a, b *interaction) int { return a.began.Compare(b.began) })
	for _, i := range takes {
		f.Log.Entries = append(f.Log.Entries, i.harEntry(r.now()))
	}
	r.mu.Unlock()
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	if err := enc.Encode(f); err != nil {
		return nil, fmt.Errorf("writing the recording: %w", err)
	}
	return out.Bytes(), nil
}

// harEntry returns the entry as the file shows it.
func (i *interaction) harEntry(now time.Time) harEntry {
	e, end := i.entry, i.ended
	if end.IsZero() {
		end = now
		e.Error = &harError{Kind: kindUnfinished, Text: "in progress when the recording was written"}
	}
	e.Started = i.began.UTC().Format("2006-01-02T15:04:05.000000Z")
	e.Time = max(float64(end.Sub(i.began).Microseconds())/1000, 0)
	e.Timings = harTimings{Wait: e.Time}
	if e.Response.StatusText == "" && e.Error != nil {
		e.Response.StatusText = e.Error.Kind
	}
	return e
}

// begin starts an interaction.
func (r *Recorder) begin(level, method string, u *url.URL, h http.Header, body []byte) *interaction {
	clean := r.redact.Values(redact.URL(u.String()))
	body = r.redact.Body(h.Get("Content-Type"), body)
	_, query, _ := strings.Cut(clean, "?")
	i := &interaction{entry: harEntry{
		Level: level,
		Request: harRequest{
			Method: method, URL: clean, HTTPVersion: "HTTP/1.1", Cookies: []struct{}{}, Headers: r.headers(headerPairs(h)),
			Query: queryPairs(query), HeadersSize: -1, BodySize: len(body),
		},
		Response: harResponse{HTTPVersion: "HTTP/1.1", Cookies: []struct{}{}, Headers: []harPair{}, HeadersSize: -1, BodySize: -1},
	}}
	i.entry.BodyHash = hashOf(body)
	if len(body) > 0 {
		var c harContent
		c.setBody(body)
		i.entry.Request.Post = &harPostData{MimeType: h.Get("Content-Type"), Params: []harPair{}, Text: c.Text}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	i.began = r.now()
	r.interactions = append(r.interactions, i)
	return i
}

// end finishes an interaction; fill completes its entry.
func (r *Recorder) end(i *interaction, fill func(*harEntry)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !i.ended.IsZero() {
		return
	}
	i.ended = r.now()
	fill(&i.entry)
}

type trackKey struct{}

// WithTrack names the task of the requests under the returned context. A replay
// gives each task its own outcomes of equal requests, in whatever order the
// tasks ask.
func WithTrack(ctx context.Context, name string) context.Context {
	return context.WithValue(ctx, trackKey{}, name)
}

func trackOf(ctx context.Context) string {
	name, _ := ctx.Value(trackKey{}).(string)
	return name
}

func (r *Recorder) get(ctx context.Context, cr checkedRequest, wire func() (Response, error)) (Response, error) {
	i := r.begin(levelGet, http.MethodGet, cr.url, http.Header{"Accept": {cr.accept}}, nil)
	resp, err := wire()
	r.end(i, func(e *harEntry) {
		e.Track = r.redact.Values(trackOf(ctx))
		if err != nil {
			e.Error = r.failure(recordedError(err))
			return
		}
		r.recordResponse(e, cr, resp)
	})
	return resp, err
}

func (r *Recorder) recordResponse(e *harEntry, cr checkedRequest, resp Response) {
	e.Response.Status, e.Response.StatusText = http.StatusOK, "OK"
	h := http.Header{}
	for name, value := range map[string]string{"Content-Type": resp.FullType(), "ETag": resp.ETag, "Last-Modified": resp.LastModified} {
		if value != "" {
			h[name] = []string{value}
		}
	}
	e.Response.Headers = r.headers(headerPairs(h))
	e.Response.BodySize = len(resp.Body)
	e.Response.Content.MimeType = resp.FullType()
	e.Response.Content.setBody(r.redact.Body(resp.ContentType, resp.Body))
	if final := r.redact.Values(redact.URL(resp.URL)); final != e.Request.URL {
		e.FinalURL = final
	}
	e.Answer = &harAnswer{
		Retrieved: resp.Retrieved, ContentType: resp.ContentType, Charset: resp.Charset, ETag: r.redact.Values(resp.ETag), LastModified: resp.LastModified, RetryAfter: resp.RetryAfter,
		Truncated: resp.Truncated, Cached: resp.Cached, Stale: resp.Stale, Age: resp.Age,
	}
}

// recordedError is what a replay needs to fail in the same way.
func recordedError(err error) *harError {
	var e *Error
	var broken net.Error
	switch {
	case errors.As(err, &e):
		return &harError{Kind: string(e.Kind), Text: e.Error(), Host: e.Host, Code: e.Code, RetryAfter: e.RetryAfter, Detail: e.Detail}
	case errors.Is(err, context.DeadlineExceeded):
		return &harError{Kind: kindDeadline, Text: "the caller's deadline came first"}
	case errors.Is(err, context.Canceled):
		return &harError{Kind: kindCanceled, Text: "the caller cancelled it"}
	case errors.Is(err, syscall.ECONNREFUSED):
		return &harError{Kind: kindRefused, Text: "connection refused"}
	case errors.As(err, &broken):
		return &harError{Kind: kindNetwork, Text: "the network gave no answer"}
	}
	return &harError{Kind: kindOther, Text: "the request failed"} // the text may hold addresses
}

// failure redacts a failure.
func (r *Recorder) failure(e *harError) *harError {
	e.Text, e.Host, e.Detail = r.redact.Text(e.Text), r.redact.Values(e.Host), r.redact.Text(e.Detail)
	return e
}

// headers redacts secret values in header fields.
func (r *Recorder) headers(pairs []harPair) []harPair {
	for i := range pairs {
		pairs[i].Value = r.redact.Values(pairs[i].Value)
	}
	return pairs
}

func hashOf(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}

func unescaped(s string) string {
	if plain, err := url.QueryUnescape(s); err == nil {
		return strings.ToValidUTF8(plain, "\uFFFD")
	}
	return s
}

// Transport records another HTTP client of this program, such as that of a
// model server. base is nil for http.DefaultTransport. Bodies are streamed; one
// that is closed early is recorded as far as it was read.
func (r *Recorder) Transport(base http.RoundTripper) http.RoundTripper {
	if base == nil {
		base = http.DefaultTransport
	}
	return roundTripper(func(req *http.Request) (*http.Response, error) {
		body, req, err := readBody(req)
		if err != nil {
			return nil, err
		}
		i := r.begin(levelTransport, req.Method, req.URL, req.Header, body)
		resp, err := base.RoundTrip(req)
		if err != nil {
			r.end(i, func(e *harEntry) { e.Error = r.failure(recordedError(contextError(req.Context(), err))) })
			return nil, err
		}
		resp.Body = &tee{ReadCloser: resp.Body, done: func(got []byte, err error) {
			err = contextError(req.Context(), err)
			r.end(i, func(e *harEntry) { r.recordExchange(e, resp, got, err) })
		}}
		return resp, nil
	})
}

// contextError returns ctx's error if ctx has ended, whatever cause it had,
// else err.
func contextError(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

func (r *Recorder) recordExchange(e *harEntry, resp *http.Response, body []byte, err error) {
	e.Response.Status, e.Response.StatusText = resp.StatusCode, http.StatusText(resp.StatusCode)
	e.Response.Headers, e.Response.BodySize = r.headers(headerPairs(resp.Header)), len(body)
	e.Response.RedirectURL = r.redact.Values(redact.Header("Location", resp.Header.Get("Location")))
	e.Response.Content.MimeType = resp.Header.Get("Content-Type")
	e.Response.Content.setBody(r.redact.Body(resp.Header.Get("Content-Type"), body))
	if err != nil {
		e.Error = r.failure(recordedError(err)) // after the part that arrived
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// readBody reads a request's body and returns a request that still has it.
func readBody(req *http.Request) ([]byte, *http.Request, error) {
	if req.Body == nil || req.Body == http.NoBody {
		return nil, req, nil
	}
	defer req.Body.Close()
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, nil, err
	}
	again := req.Clone(req.Context()) // a RoundTripper must not change what it was given
	again.Body = io.NopCloser(bytes.NewReader(body))
	return body, again, nil
}

// tee copies what is read of a body. done is called once, at the end.
type tee struct {
	io.ReadCloser
	got  bytes.Buffer
	once sync.Once
	done func(got []byte, err error)
}

func (t *tee) Read(p []byte) (int, error) {
	n, err := t.ReadCloser.Read(p)
	t.got.Write(p[:n])
	if errors.Is(err, io.EOF) {
		t.once.Do(func() { t.done(t.got.Bytes(), nil) })
	} else if err != nil {
		t.once.Do(func() { t.done(t.got.Bytes(), err) })
	}
	return n, err
}

func (t *tee) Close() error {
	err := t.ReadCloser.Close()
	t.once.Do(func() { t.done(t.got.Bytes(), nil) })
	return err
}
