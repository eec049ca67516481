package isolate

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
)

// A task that ends at its deadline before the child is killed has timed out all the
// same; one that fails before has failed.
func TestTaskThatEndsAtItsDeadline(t *testing.T) {
	t.Parallel()
	tasks := map[string]Task{
		"late":  func(ctx context.Context, _ []byte) ([]byte, error) { <-ctx.Done(); return nil, ctx.Err() },
		"wrong": func(context.Context, []byte) ([]byte, error) { return nil, errors.New("no such page") },
	}
	for task, want := range map[string]bool{"late": true, "wrong": false} {
		var out bytes.Buffer
		head := `{"seq":7,"task":"` + task + `","millis":` + map[bool]string{true: "1", false: "600000"}[want] + `}`
		if err := serveRequest(tasks, []byte(head), []byte("{}"), &out); err != nil {
			t.Fatal(err)
		}
		answer, err := readReply(&out, 7, 1<<16)
		err = decode(task, answer, err, nil)
		var failed *TaskError
		if errors.Is(err, ErrTimeout) != want || errors.As(err, &failed) == want {
			t.Errorf("%s: %v", task, err)
		}
		if !want && !strings.Contains(err.Error(), "no such page") {
			t.Errorf("%s: %v, want the task's words", task, err)
		}
	}
}
