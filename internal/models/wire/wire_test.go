package wire

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// Each word restarts the timer: a slow model may write for longer than it may be
// silent.
func TestWatch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		defer cancel(nil)
		w := NewWatch(ctx, cancel, 3*time.Minute, 30*time.Second)
		defer w.Stop()
		<-time.After(2 * time.Minute) // of the bubble's clock: loading
		for range 10 {
			w.Heard()
			<-time.After(29 * time.Second)
		}
		if ctx.Err() != nil {
			t.Fatal("cut off though it never stopped responding")
		}
		<-time.After(2 * time.Second)
		synctest.Wait()
		if !errors.Is(context.Cause(ctx), ErrSilent) {
			t.Errorf("31 s without a word: %v", context.Cause(ctx))
		}
	})
}
