package main

import (
	"context"
	"io"
)

// interruptible is in until ctx ends, and then ctx's error: a terminal or a pipe
// that says nothing would otherwise hold the program until a second signal. Call
// done when nothing more is read. What waits for a byte of in then goes on
// waiting, as nothing can end that, and ends with the next byte or the program.
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
