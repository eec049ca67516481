package isolate

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// maxRequest is a bound in bytes on a task's input in the child. It protects a
// child that was started by hand; the pool's own inputs are smaller.
const maxRequest = 256 << 20

// serve enters the sandbox, reports which restrictions hold, and does one task
// after the other. At the end of stdin it kills the process, whatever the
// process is doing.
func serve(tasks map[string]Task, stdin io.Reader, stdout io.Writer) error {
	restrictions, err := confine()
	if err != nil {
		return err
	}
	if err := writeMessage(stdout, hello{Version: helloVersion, Sandbox: restrictions}, nil); err != nil {
		return err
	}
	requests, failed := make(chan [2][]byte), make(chan error, 1)
	// This goroutine is never waited for: it ends with the process, which it kills
	// when the parent is dead.
	go func() {
		in := bufio.NewReader(stdin)
		for {
			head, body, err := readRequest(in)
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				killSelf()
			}
			if err != nil {
				failed <- err
				return
			}
			requests <- [2][]byte{head, body}
		}
	}()
	for {
		select {
		case err := <-failed:
			return fmt.Errorf("reading a task: %w", err)
		case raw := <-requests:
			if err := serveRequest(tasks, raw[0], raw[1], stdout); err != nil {
				return err
			}
		}
	}
}

func readRequest(in io.Reader) (head, body []byte, err error) {
	if head, err = readFrame(in, maxRequest); err != nil {
		return nil, nil, err
	}
	body, err = readFrame(in, maxRequest)
	return head, body, err
}

func serveRequest(tasks map[string]Task, head, in []byte, stdout io.Writer) error {
	var req request
	if err := json.Unmarshal(head, &req); err != nil {
		return fmt.Errorf("reading a task: %w", err)
	}
	task, known := tasks[req.Task]
	if !known {
		return fmt.Errorf("unknown task %q", req.Task)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(req.Millis)*time.Millisecond)
	defer cancel()
	out, err := task(ctx, in)
	if err != nil {
		text := err.Error()
		return writeMessage(stdout, reply{Seq: req.Seq, Err: &text, Late: ctx.Err() != nil}, nil)
	}
	if len(out) == 0 {
		return errors.New("the task gave no output")
	}
	return writeMessage(stdout, reply{Seq: req.Seq}, out)
}

func writeMessage(stdout io.Writer, head any, body []byte) error {
	message, err := encodeMessage(head, body)
	if err != nil {
		return err
	}
	if _, err := stdout.Write(message); err != nil {
		return fmt.Errorf("writing an answer: %w", err)
	}
	return nil
}
