package isolate

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// A frame is a big-endian length of four bytes and that many bytes of JSON.
const frameHead = 4

// errFrame: the bytes are not a frame, because it is too long or cut off.
var errFrame = errors.New("bad frame")

func framed(raw []byte) []byte {
	out := make([]byte, frameHead, frameHead+len(raw))
	binary.BigEndian.PutUint32(out, uint32(len(raw))) //nolint:gosec // bounded by the reader; a length that wraps is refused as garbage
	return append(out, raw...)
}

// readFrame reads a frame of at most limit bytes. The end of r between two frames
// is io.EOF; an end within a frame and a length over the limit are errFrame.
// Memory is allocated for what arrives, not for what the length announces.
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

// hello is the first frame from a child.
type hello struct {
	Version int      `json:"version"`
	Sandbox []string `json:"sandbox"` // restrictions that hold
}

const helloVersion = 1

func parseHello(raw []byte) (hello, error) {
	var h hello
	if err := strictly(raw, &h); err != nil {
		return h, err
	}
	if h.Version != helloVersion || len(h.Sandbox) > 16 {
		return h, fmt.Errorf("%w: version %d with %d restrictions", ErrOutput, h.Version, len(h.Sandbox))
	}
	return h, nil
}

// request is the head of a task. Its input follows in a second frame, so that
// only the task parses it.
type request struct {
	Seq    uint64 `json:"seq"` // drawn at random
	Task   string `json:"task"`
	Millis int64  `json:"millis"` // to the deadline
}

// reply is the head of the answer to the request of the same number. Unless Err
// is set, the output follows in a second frame.
type reply struct {
	Seq  uint64  `json:"seq"`
	Err  *string `json:"err,omitempty"`
	Late bool    `json:"late,omitempty"` // the task failed after its deadline
}

// parseReply reads the head of the answer to request seq.
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

// result is a task's answer: exactly one field is set.
type result struct {
	out  []byte
	err  *string
	late bool // err is that of a task which ended at its deadline
}

// readReply reads the answer to request seq, with at most limit bytes in each of
// its frames.
func readReply(r io.Reader, seq uint64, limit int64) (result, error) {
	raw, err := readFrame(r, limit)
	if err != nil {
		return result{}, err
	}
	head, err := parseReply(raw, seq)
	if err != nil || head.Err != nil {
		return result{err: head.Err, late: head.Late}, err
	}
	out, err := readFrame(r, limit)
	if errors.Is(err, io.EOF) {
		err = fmt.Errorf("%w: %w before the output", errFrame, io.ErrUnexpectedEOF)
	}
	if err == nil && len(out) == 0 {
		err = fmt.Errorf("%w: an empty answer", ErrOutput)
	}
	return result{out: out}, err
}

// strictly decodes one JSON value, without fields that v does not have and
// without anything after it.
func strictly(raw []byte, v any) error {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return fmt.Errorf("%w: %w", ErrOutput, err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: something follows the answer", ErrOutput)
	}
	return nil
}

// encodeMessage encodes a head and appends the body, each in a frame, so that
// one write sends both.
func encodeMessage(head any, body []byte) ([]byte, error) {
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
