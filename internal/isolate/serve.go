package isolate

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"time"
)

// poolTask is the name in a child's argv that makes it serve many tasks.
const poolTask = "+pool"

// heapGrowth makes the collector of a child that serves many tasks run seldom:
// its garbage is a page's, and the memory limit is there anyway.
const heapGrowth = 400 // percent

// maxRequest bounds a task's input in the child, which trusts its parent: it is
// there for whoever starts a child by hand. In bytes.
const maxRequest = 256 << 20

// servePool raises the walls, says which hold, and does one task after the
// other until stdin ends, which ends the process whatever it is doing.
func servePool(tasks map[string]Task, stdin io.Reader, stdout io.Writer) error {
	walls, err := confine()
	if err != nil {
		return err
	}
	debug.SetGCPercent(heapGrowth)
	if err := say(stdout, hello{Version: helloVersion, Walls: walls}, nil); err != nil {
		return err
	}
	requests, broken := make(chan [2][]byte), make(chan error, 1)
	// Nobody waits for this goroutine: it ends with the process, and it is what
	// ends the process when the parent is gone.
	go func() {
		in := bufio.NewReader(stdin)
		for {
			head, err := readFrame(in, maxRequest)
			var body []byte
			if err == nil {
				body, err = readFrame(in, maxRequest)
			}
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				die()
			}
			if err != nil {
				broken <- err
				return
			}
			requests <- [2][]byte{head, body}
		}
	}()
	for {
		select {
		case err := <-broken:
			return fmt.Errorf("reading a task: %w", err)
		case raw := <-requests:
			if err := serveRequest(tasks, raw[0], raw[1], stdout); err != nil {
				return err
			}
		}
	}
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
	env, err := result(task(ctx, in))
	if err != nil {
		return err
	}
	return say(stdout, reply{Seq: req.Seq, Err: env.Err}, env.Out)
}

func say(stdout io.Writer, head any, body []byte) error {
	message, err := talk(head, body)
	if err != nil {
		return err
	}
	if _, err := stdout.Write(message); err != nil {
		return fmt.Errorf("writing an answer: %w", err)
	}
	return nil
}
