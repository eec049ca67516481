package stdio

import (
	"fmt"
	"io"
)

// outboxSize is how many messages may wait for a client that reads slowly; when
// it is full, put blocks.
const outboxSize = 1024

// outbox writes messages to a client, each on a line, in the order in which they
// were put.
type outbox struct {
	messages chan []byte
	closed   chan struct{} // no more messages are accepted
	broken   chan struct{} // closed when writing has failed
	err      error         // why, once broken is closed
}

func newOutbox() *outbox {
	return &outbox{messages: make(chan []byte, outboxSize), closed: make(chan struct{}), broken: make(chan struct{})}
}

// put queues a message, and waits while the outbox is full. The message is dropped
// when the outbox is broken or closed.
func (o *outbox) put(message []byte) {
	select {
	case o.messages <- message:
	case <-o.broken:
	case <-o.closed:
	}
}

// offer queues a message unless the outbox is full, and reports whether it did.
func (o *outbox) offer(message []byte) bool {
	select {
	case o.messages <- message:
		return true
	default:
		return false
	}
}

// run writes until close has been called and the outbox is empty, or until
// writing fails.
func (o *outbox) run(w io.Writer) {
	for {
		select {
		case message := <-o.messages:
			if !o.write(w, message) {
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
		case message := <-o.messages:
			if !o.write(w, message) {
				return
			}
		default:
			return
		}
	}
}

func (o *outbox) write(w io.Writer, message []byte) bool {
	if _, err := w.Write(append(message, '\n')); err != nil {
		o.err = fmt.Errorf("writing to the client: %w", err)
		close(o.broken)
		return false
	}
	return true
}

// close ends the outbox: run writes what is queued and returns.
func (o *outbox) close() { close(o.closed) }
