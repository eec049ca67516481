package server

import (
	"bufio"
	"errors"
	"io"
	"regexp"
)

// lineLimit is the longest message that is read, in bytes. Tools take far less;
// a client that sends more is broken, and must not fill our memory.
const lineLimit = 8 << 20

// inbound is a line of input, without its end, or what became of it.
type inbound struct {
	line    []byte
	tooLong bool   // the line was longer than lineLimit and is not here
	id      []byte // of a line that was too long, if it could be told
	err     error  // input ended
}

// readLines sends the lines of in until it ends or stop is closed. The last
// thing it sends has err set.
func readLines(in io.Reader, lines chan<- inbound, stop <-chan struct{}) {
	r := bufio.NewReaderSize(in, 64<<10)
	for {
		got := readLine(r)
		select {
		case lines <- got:
		case <-stop:
			return
		}
		if got.err != nil {
			return
		}
	}
}

// readLine reads a line. A last line without an end counts: its message may be
// whole.
func readLine(r *bufio.Reader) inbound {
	var line, tail []byte // line is only a head once it is too long
	tooLong := false
	for {
		part, err := r.ReadSlice('\n')
		switch {
		case tooLong:
			tail = last(append(tail, part...))
		case len(line)+len(part) > lineLimit:
			tooLong = true
			tail = last(append(tail, part...))
			line = append([]byte(nil), line[:min(len(line), idReach)]...)
		default:
			line = append(line, part...)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull): // the line goes on
		case err != nil && len(line) == 0:
			return inbound{err: err}
		case tooLong:
			return inbound{tooLong: true, id: idOf(line, tail)}
		default:
			return inbound{line: line}
		}
	}
}

// idReach is how much of the head and the tail of a line that was too long is
// looked through for its id, in bytes.
const idReach = 256

func last(b []byte) []byte {
	if len(b) <= idReach {
		return b
	}
	return append([]byte(nil), b[len(b)-idReach:]...)
}

var (
	// Nothing but short members of the outermost object stands before the id.
	idAtHead = regexp.MustCompile(`^\s*\{(?:\s*"(?:jsonrpc|method)"\s*:\s*"[^"\\]*"\s*,)*\s*"id"\s*:\s*("[^"\\]*"|-?\d+)\s*,`)
	// One brace follows the id and then nothing: it is the outermost object's.
	idAtTail = regexp.MustCompile(`"id"\s*:\s*("[^"\\]*"|-?\d+)\s*\}\s*$`)
)

// idOf is the id of a message of which only the head and the tail are known, or
// nil. Clients write the id near the one or at the other.
func idOf(head, tail []byte) []byte {
	if m := idAtHead.FindSubmatch(head); m != nil {
		return m[1]
	}
	if m := idAtTail.FindSubmatch(tail); m != nil {
		return m[1]
	}
	return nil
}
