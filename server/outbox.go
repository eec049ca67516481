package server

import (
	"fmt"
	"io"
)

// outboxSize is how many messages may wait for a client that reads slowly;
// beyond it, those who write wait too.
const outboxSize = 1024

// outbox writes whole messages to a client, one after the other, in the order
// in which they were put.
type outbox struct {
	lines  chan []byte
	closed chan struct{} // nothing more is put
	broken chan struct{} // writing failed, or was given up
	err    error         // why, once broken is closed
}

func newOutbox() *outbox {
	return &outbox{lines: make(chan []byte, outboxSize), closed: make(chan struct{}), broken: make(chan struct{})}
}

// put queues a line with its end. It is dropped when the client is gone.
func (o *outbox) put(line []byte) {
	select {
	case o.lines <- line:
	case <-o.broken:
	case <-o.closed:
	}
}

// offer queues a line like put, but drops it when there is no room, and reports
// whether it is queued.
func (o *outbox) offer(line []byte) bool {
	select {
	case o.lines <- line:
		return true
	default:
		return false
	}
}

// run writes until close was called and everything is written, or until
// writing fails.
func (o *outbox) run(w io.Writer) {
	for {
		select {
		case line := <-o.lines:
			if !o.write(w, line) {
				return
			}
		case <-o.closed:
			o.drain(w)
			return
		}
	}
}

func (o *outbox) drain(w io.Writer) {
	for {
		select {
		case line := <-o.lines:
			if !o.write(w, line) {
				return
			}
		default:
			return
		}
	}
}

func (o *outbox) write(w io.Writer, line []byte) bool {
	if _, err := w.Write(line); err != nil {
		o.err = fmt.Errorf("writing to the client: %w", err)
		close(o.broken)
		return false
	}
	return true
}

// close says that nothing more will be put.
func (o *outbox) close() { close(o.closed) }
