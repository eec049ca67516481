package main

import (
	"bufio"
	"errors"
	"io"
)

// inputLine is a line without its end. Only its first bytes are in text when it
// is longer than the limit that it was read with.
type inputLine struct {
	text string
	size int // of the whole line, in bytes
}

// readLine reads a line of any length and keeps its first limit bytes. A last
// line without an end counts. At the end of input the error is io.EOF and the
// line is empty.
func readLine(r *bufio.Reader, limit int) (inputLine, error) {
	var kept []byte
	size, begun := 0, false
	for {
		part, err := r.ReadSlice('\n')
		begun = begun || len(part) > 0
		if err == nil {
			part = part[:len(part)-1]
		}
		size += len(part)
		kept = append(kept, part[:min(len(part), limit-len(kept))]...)
		switch {
		case err == nil, errors.Is(err, io.EOF) && begun:
			return inputLine{text: string(kept), size: size}, nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return inputLine{}, err
		}
	}
}
