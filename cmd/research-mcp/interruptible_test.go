package main

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
)

// A silent input does not block longer than the context.
func TestInterruptible(t *testing.T) {
	t.Parallel()
	silent, end := io.Pipe()
	defer end.Close()
	ctx, cancel := context.WithCancel(t.Context())
	in, done := interruptible(ctx, silent)
	defer done()
	cancel()
	if _, err := io.ReadAll(in); !errors.Is(err, context.Canceled) {
		t.Errorf("ReadAll of silent input = %v", err)
	}
	in, done = interruptible(t.Context(), strings.NewReader("all of it"))
	defer done()
	if b, err := io.ReadAll(in); err != nil || string(b) != "all of it" {
		t.Errorf("ReadAll = %q, %v", b, err)
	}
}
