package stdio

import (
	"fmt"
	"io"
)

// outboxSize is how many messages may wait for a client that reads slowly; when
// it is full, put blocks, and no more is read from the client.
const outboxSize = 1024

// outbox writes messages to a client, each on a line, in the order in which they
// were put.
type outbox struct {
	messages chan []byte
	space    chan struct{} // has a value when a message was written since it was received last
	closed   chan struct{} // no more messages are accepted
	broken   chan struct{} // closed when writing has failed
	err      error         // why, once broken is closed
}

func newOutbox() *outbox {
	return &outbox{messages: make(chan []byte, outboxSize), space: make(chan struct{}, 1), closed: make(chan struct{}), broken: make(chan struct{})}
}

// put queues a message, and waits while the outbox is full. The message is dropped
// when the outbox is broken or closed.
func (o *outbox) put(message []byte) { o.putUntil(nil, message) }

// putUntil is put that gives up when done is closed.
func (o *outbox) putUntil(done <-chan struct{}, message []byte) {
	select {
	case o.messages <- message:
	case <-o.broken:
	case <-o.closed:
	case <-done:
	}
}

// full reports whether put would wait.
func (o *outbox) full() bool { return len(o.messages) == cap(o.messages) }

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
	select {
	case o.space <- struct{}{}:
	default: // it has a value already
	}
	return true
}

// close ends the outbox: run writes what is queued and returns.
func (o *outbox) close() { close(o.closed) }
