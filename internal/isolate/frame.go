package isolate

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// A frame is the length of what follows, four bytes with the highest first, and
// that many bytes of JSON.
const frameHead = 4

// errFrame is in the chain when bytes are no frame: too long, or cut off.
var errFrame = errors.New("bad frame")

func framed(raw []byte) []byte {
	out := make([]byte, frameHead, frameHead+len(raw))
	binary.BigEndian.PutUint32(out, uint32(len(raw))) //nolint:gosec // bounded by the reader; a length that wraps is refused as garbage
	return append(out, raw...)
}

// readFrame reads a frame of at most limit bytes. An end between two frames is
// io.EOF; an end within one, and a length over the limit, are errFrame. A length
// that lies costs no memory: room is made for what comes.
func readFrame(r io.Reader, limit int64) ([]byte, error) {
	var head [frameHead]byte
	if n, err := io.ReadFull(r, head[:]); err != nil {
		if n > 0 && errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, fmt.Errorf("%w: %w in its length", errFrame, io.ErrUnexpectedEOF)
		}
		return nil, err
	}
	size := int64(binary.BigEndian.Uint32(head[:]))
	if size > limit {
		return nil, fmt.Errorf("%w: more than %d bytes", errFrame, limit)
	}
	var buf bytes.Buffer
	buf.Grow(int(min(size, 1<<20)))
	if n, err := io.CopyN(&buf, r, size); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("%w: %w after %d of %d bytes", errFrame, io.ErrUnexpectedEOF, n, size)
		}
		return nil, err
	}
	return buf.Bytes(), nil
}

// hello is the first frame of a child of a pool.
type hello struct {
	Version int      `json:"version"`
	Walls   []string `json:"walls"`
}

const helloVersion = 1

func parseHello(raw []byte) (hello, error) {
	var h hello
	if err := strictly(raw, &h); err != nil {
		return h, err
	}
	if h.Version != helloVersion || len(h.Walls) > 16 {
		return h, fmt.Errorf("%w: version %d with %d walls", ErrOutput, h.Version, len(h.Walls))
	}
	return h, nil
}

// request is a task for a child of a pool. Its input follows as a frame of its
// own, so that nobody parses it but the task.
type request struct {
	Seq    uint64 `json:"seq"`
	Task   string `json:"task"`
	Millis int64  `json:"millis"` // until the deadline
}

// reply answers the request of the same number. Without an error the output
// follows as a frame of its own.
type reply struct {
	Seq uint64  `json:"seq"`
	Err *string `json:"err,omitempty"`
}

// parseReply checks what a child says about the request of this number.
func parseReply(raw []byte, seq uint64) (reply, error) {
	var r reply
	if err := strictly(raw, &r); err != nil {
		return r, err
	}
	if r.Seq != seq {
		return r, fmt.Errorf("%w: an answer to request %d, not %d", ErrOutput, r.Seq, seq)
	}
	return r, nil
}

// readReply reads a whole answer, of at most limit bytes in each of its frames.
func readReply(r io.Reader, seq uint64, limit int64) (envelope, error) {
	raw, err := readFrame(r, limit)
	if err != nil {
		return envelope{}, err
	}
	head, err := parseReply(raw, seq)
	if err != nil || head.Err != nil {
		return envelope{Err: head.Err}, err
	}
	out, err := readFrame(r, limit)
	if errors.Is(err, io.EOF) {
		err = fmt.Errorf("%w: %w before the output", errFrame, io.ErrUnexpectedEOF)
	}
	if err == nil && len(out) == 0 {
		err = fmt.Errorf("%w: an empty answer", ErrOutput)
	}
	return envelope{Out: out}, err
}

// talk encodes a head and puts the body behind it, in one piece.
func talk(head any, body []byte) ([]byte, error) {
	raw, err := encode(head)
	if err != nil {
		return nil, fmt.Errorf("encoding a frame: %w", err)
	}
	out := framed(raw)
	if body != nil {
		out = append(out, framed(body)...)
	}
	return out, nil
}
