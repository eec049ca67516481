package limit

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestWithTheClockLimitsEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := WithTimeout(t.Context(), time.Minute)
		defer cancel()
		timer, stop := Timer(ctx, time.Second)
		defer stop()
		<-timer
		if End(ctx) {
			t.Error("End ended a limit with a clock")
		}
		<-ctx.Done()
		if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
			t.Errorf("Err() = %v", ctx.Err())
		}
	})
}

func TestWithoutClockLimitsEndByEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		outer, cancel := WithTimeout(WithoutClock(t.Context()), time.Second)
		defer cancel()
		inner, cancelInner := WithTimeout(outer, time.Millisecond)
		defer cancelInner()
		child, cancelChild := context.WithCancel(inner)
		defer cancelChild()
		if at, ok := inner.Deadline(); !ok || time.Until(at) != time.Millisecond {
			t.Errorf("Deadline() is in %s, %t", time.Until(at), ok)
		}
		timer, stop := Timer(outer, time.Millisecond)
		defer stop()
		AfterFunc(outer, time.Millisecond, func() { t.Error("AfterFunc called its function") })
		time.Sleep(time.Hour)
		if timer != nil || outer.Err() != nil || child.Err() != nil {
			t.Errorf("time alone ended a limit: %v, %v", outer.Err(), child.Err())
		}
		if !End(child) {
			t.Error("End(child) = false")
		}
		<-child.Done()
		if !errors.Is(child.Err(), context.DeadlineExceeded) || !errors.Is(inner.Err(), context.DeadlineExceeded) || outer.Err() != nil {
			t.Errorf("child %v, inner %v, outer %v", child.Err(), inner.Err(), outer.Err())
		}
		if End(outer) {
			t.Error("End ended the outermost limit")
		}
		cancel()
		if !errors.Is(outer.Err(), context.Canceled) {
			t.Errorf("after cancel: %v", outer.Err())
		}
	})
}

func TestWithoutClockLimitsEndWithTheirParent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		parent, cancel := context.WithCancel(LikeClock(context.Background(), WithoutClock(t.Context())))
		ctx, cancelTimeout := WithTimeout(parent, time.Second)
		defer cancelTimeout()
		cancel()
		<-ctx.Done()
		if !errors.Is(ctx.Err(), context.Canceled) {
			t.Errorf("Err() = %v", ctx.Err())
		}
	})
}

func TestEndPause(t *testing.T) {
	t.Parallel()
	ended := ""
	ctx := WithPause(WithPause(t.Context(), func() { ended += "outer" }), func() { ended += "inner" })
	if !EndPause(ctx) || ended != "inner" || EndPause(t.Context()) {
		t.Errorf("ended %q", ended)
	}
}
