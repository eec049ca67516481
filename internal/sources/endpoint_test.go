package sources

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"testing/synctest"
)

func TestSemaphore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		one := make(semaphore, 1)
		if err := one.acquire(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		second := make(chan error)
		go func() { second <- one.acquire(ctx) }()
		synctest.Wait()
		select {
		case err := <-second:
			t.Fatalf("acquired twice: %v", err)
		default:
		}
		cancel()
		if err := <-second; !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled wait = %v", err)
		}
		one.release()
		if err := one.acquire(t.Context()); err != nil {
			t.Errorf("acquire after release = %v", err)
		}
	})
}

func TestMaybeLeavesOutOddFields(t *testing.T) {
	t.Parallel()
	var v struct {
		Good maybe[[]int]          `json:"good"`
		Odd  maybe[map[string]int] `json:"odd"`
		Null maybe[bool]           `json:"null"`
	}
	if err := json.Unmarshal([]byte(`{"good":[1,2],"odd":[{"a":1}],"null":null}`), &v); err != nil {
		t.Fatal(err)
	}
	if len(v.Good.v) != 2 || v.Odd.v != nil || v.Null.v {
		t.Errorf("read %+v", v)
	}
}
