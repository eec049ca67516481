package main

import (
	"bufio"
	"errors"
	"io"
	"strings"
	"testing"
)

func TestReadLine(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 2<<20)
	r := bufio.NewReader(strings.NewReader("one\n\n" + long + "\nlast"))
	for _, want := range []inputLine{{"one", 3}, {"", 0}, {long[:100], len(long)}, {"last", 4}} {
		if got, err := readLine(r, 100); err != nil || got != want {
			t.Errorf("readLine = %.20q of %d bytes, %v, want %.20q of %d", got.text, got.size, err, want.text, want.size)
		}
	}
	if got, err := readLine(r, 100); !errors.Is(err, io.EOF) || got != (inputLine{}) {
		t.Errorf("readLine at the end = %+v, %v, want io.EOF", got, err)
	}
	broken := errors.New("broken")
	if _, err := readLine(bufio.NewReader(io.MultiReader(strings.NewReader("half"), failing{broken})), 100); !errors.Is(err, broken) {
		t.Errorf("readLine of a broken input = %v, want %v", err, broken)
	}
}

// failing is an input whose Read fails.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }
