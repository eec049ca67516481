package stdio

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/research-mcp/research-mcp/internal/text"
	"github.com/research-mcp/research-mcp/server"
)

// inbound is a line of input with its end, or the reason why there is none.
type inbound struct {
	line    []byte
	tooLong bool   // the line was longer than server.MaxMessage and was discarded
	id      []byte // of a line that was too long, if it was found
	err     error  // of the input, which has ended
}

// readLines sends the lines of in until it ends or stop is closed. The last
// value that it sends has err set.
func readLines(in io.Reader, lines chan<- inbound, stop <-chan struct{}) {
	r := NewReader(in)
	for {
		got := r.next()
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
// complete.
func readLine(r *bufio.Reader) inbound {
	var line, tail []byte // once it is too long, line is its head
	tooLong := false
	for {
		part, err := r.ReadSlice('\n')
		switch {
		case tooLong:
			tail = last(append(tail, part...))
		case len(line)+len(part) > server.MaxMessage:
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

// idReach is how many bytes at either end of a line that was too long are
// searched for its id.
const idReach = 256

func last(b []byte) []byte {
	if len(b) <= idReach {
		return b
	}
	return append([]byte(nil), b[len(b)-idReach:]...)
}

var (
	// Only short members of the outermost object precede the id.
	idAtHead = text.Pattern(`^\s*\{(?:\s*"(?:jsonrpc|method)"\s*:\s*"[^"\\]*"\s*,)*\s*"id"\s*:\s*("[^"\\]*"|-?\d+)\s*,`)
	// Only one brace follows the id, so it belongs to the outermost object.
	idAtTail = text.Pattern(`"id"\s*:\s*("[^"\\]*"|-?\d+)\s*\}\s*$`)
)

// idOf returns the id of a message of which only the head and the tail are known,
// or nil. Clients write the id near the head or at the tail.
func idOf(head, tail []byte) []byte {
	if m := idAtHead().FindSubmatch(head); m != nil {
		return m[1]
	}
	if m := idAtTail().FindSubmatch(tail); m != nil {
		return m[1]
	}
	return nil
}

// Reader reads the messages of a client, each on a line. It is not safe for concurrent
// use.
type Reader struct {
	r     *bufio.Reader
	begun bool
}

// NewReader returns a Reader of in.
func NewReader(in io.Reader) *Reader { return &Reader{r: bufio.NewReaderSize(in, 64<<10)} }

// Next returns the next line, or the refusal to send for one that was too long to be
// read. A last line without an end counts. The error is that of the input.
func (r *Reader) Next() (line, refusal []byte, err error) {
	got := r.next()
	if got.tooLong {
		return nil, refuseLong(got.id), nil
	}
	return got.line, nil, got.err
}

func (r *Reader) next() inbound {
	got := readLine(r.r)
	if !r.begun { // some shells and runtimes of Windows begin a stream with a byte order mark
		r.begun = true
		got.line = bytes.TrimPrefix(got.line, []byte("\uFEFF"))
	}
	return got
}

func refuseLong(id []byte) []byte {
	return server.Refuse(json.RawMessage(id), fmt.Sprintf("the message is longer than %d bytes and was not read", server.MaxMessage))
}

// ReaderGone reports whether nobody can read out any more; false where it cannot be known.
func ReaderGone(out io.Writer) bool { return readerGone(out) }
