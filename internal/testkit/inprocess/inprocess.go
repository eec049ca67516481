// Package inprocess connects HTTP clients to handlers of the same process, without a
// network: so that tests run in a testing/synctest bubble.
package inprocess

import (
	"context"
	"io"
	"net/http"
	"sync"
)

// Transport passes requests to a handler in a goroutine of this process.
// The response streams as the handler writes.
type Transport struct{ Handler http.Handler }

// RoundTrip returns when the handler has written its header, or with the
// request's context.
func (m Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	body, pipe := io.Pipe()
	ctx, cancel := context.WithCancel(r.Context())
	context.AfterFunc(ctx, func() { _ = pipe.CloseWithError(ctx.Err()) }) // after the end of the handler this has no effect
	w := &memoryWriter{header: http.Header{}, pipe: pipe, ready: make(chan struct{})}
	served := r.Clone(ctx)
	if served.Body == nil {
		served.Body = http.NoBody
	}
	go func() {
		m.Handler.ServeHTTP(w, served)
		w.WriteHeader(http.StatusOK)
		_ = pipe.Close()
	}()
	select {
	case <-w.ready:
		return &http.Response{
			StatusCode: w.status, Status: http.StatusText(w.status), Header: w.header.Clone(), Request: r,
			Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, ContentLength: -1, Body: memoryBody{body, cancel},
		}, nil
	case <-ctx.Done():
		cancel()
		return nil, ctx.Err()
	}
}

// memoryBody ends the handler's context when the caller closes it.
type memoryBody struct {
	io.ReadCloser
	cancel context.CancelFunc
}

func (b memoryBody) Close() error {
	b.cancel()
	return b.ReadCloser.Close()
}

type memoryWriter struct {
	header http.Header
	pipe   *io.PipeWriter
	once   sync.Once
	ready  chan struct{} // closed when status is set
	status int
}

func (w *memoryWriter) Header() http.Header { return w.header }

func (w *memoryWriter) WriteHeader(status int) {
	w.once.Do(func() {
		w.status = status
		close(w.ready)
	})
}

func (w *memoryWriter) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.pipe.Write(p)
}

// Flush makes this an http.Flusher; every Write is delivered at once.
func (w *memoryWriter) Flush() { w.WriteHeader(http.StatusOK) }
