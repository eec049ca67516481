package main

import (
	"context"
	"io"
)

// interruptible returns a reader of in whose Read fails with ctx's error once ctx
// has ended: otherwise a silent terminal or pipe would block the program until a
// second signal. Call done after the last Read. A Read of in itself cannot be
// cancelled: it stays blocked in the background until the next byte or the end of
// the program.
func interruptible(ctx context.Context, in io.Reader) (r io.Reader, done func()) {
	pr, pw := io.Pipe()
	go func() {
		_, err := io.Copy(pw, in)
		pw.CloseWithError(err) // nil is the end of in
	}()
	stop := context.AfterFunc(ctx, func() { pw.CloseWithError(ctx.Err()) })
	return pr, func() {
		stop()
		pr.Close()
	}
}
