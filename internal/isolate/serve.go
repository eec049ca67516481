package isolate

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"
)

// poolTask is the name in a child's argv that makes it serve many tasks.
const poolTask = "+pool"

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
	if _, err := writeFrame(stdout, hello{Version: helloVersion, Walls: walls}); err != nil {
		return fmt.Errorf("saying hello: %w", err)
	}
	requests, broken := make(chan []byte), make(chan error, 1)
	// Nobody waits for this goroutine: it ends with the process, and it is what
	// ends the process when the parent is gone.
	go func() {
		in := bufio.NewReader(stdin)
		for {
			raw, err := readFrame(in, maxRequest)
			if err == io.EOF { //nolint:errorlint // readFrame gives it bare
				die()
			}
			if err != nil {
				broken <- err
				return
			}
			requests <- raw
		}
	}()
	for {
		select {
		case err := <-broken:
			return fmt.Errorf("reading a task: %w", err)
		case raw := <-requests:
			if err := serveRequest(tasks, raw, stdout); err != nil {
				return err
			}
		}
	}
}

func serveRequest(tasks map[string]Task, raw []byte, stdout io.Writer) error {
	var req request
	if err := json.Unmarshal(raw, &req); err != nil {
		return fmt.Errorf("reading a task: %w", err)
	}
	task, known := tasks[req.Task]
	if !known {
		return fmt.Errorf("unknown task %q", req.Task)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(req.Millis)*time.Millisecond)
	defer cancel()
	env, err := result(task(ctx, req.In))
	if err != nil {
		return err
	}
	if _, err := writeFrame(stdout, reply{Seq: req.Seq, envelope: env}); err != nil {
		return fmt.Errorf("writing the answer: %w", err)
	}
	return nil
}
