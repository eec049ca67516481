package writer

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/models"
	"github.com/research-mcp/research-mcp/internal/models/modelstest"
	"github.com/research-mcp/research-mcp/internal/models/pace"
)

// chat is a chat model of a known speed.
type chat struct {
	speed     pace.Speed
	known     bool
	measuring bool
	told      bool
	asked     int
}

func (c *chat) Name() string                      { return "toy/model" }
func (c *chat) Room(context.Context) (int, error) { return 8192, nil }
func (c *chat) Chat(context.Context, Request, func(string)) (Result, error) {
	c.asked++
	return Result{Text: "It is so [1]."}, nil
}
func (c *chat) Speed(ctx context.Context) (pace.Speed, error) {
	switch {
	case c.known:
		return c.speed, nil
	case c.measuring:
		<-ctx.Done()
		return pace.Speed{}, ctx.Err()
	}
	return pace.Speed{}, pace.ErrUnknown
}
func (c *chat) Tell() bool {
	first := !c.told
	c.told = true
	return first
}

func briefOf(passages, words int) evidence.Brief {
	in := evidence.Brief{Question: "What is it?", MaxTokens: 800}
	for range passages {
		in.Evidence = append(in.Evidence, modelstest.Whole("a", "A", strings.Repeat("word ", words), 1))
	}
	return in
}

func TestFit(t *testing.T) {
	t.Parallel()
	fast, slow := pace.Speed{Read: 2000, Write: 60}, pace.Speed{Read: 11.4, Write: 8.3} // slow was measured on two cores
	for _, c := range []struct {
		name     string
		speed    pace.Speed
		in       evidence.Brief
		limit    time.Duration
		passages int // 0: too slow
		most     int // tokens of the answer
	}{
		{"a fast one reads everything", fast, briefOf(8, 200), 13 * time.Second, 8, 720},
		{"a slow one is not asked", slow, briefOf(8, 200), 13 * time.Second, 0, 0},
		{"not even with little evidence: it cannot write", slow, briefOf(1, 10), 13 * time.Second, 0, 0},
		{"a middling one reads less", pace.Speed{Read: 150, Write: 25}, briefOf(8, 200), 13 * time.Second, 3, 180},
		{"one that has to be loaded first", pace.Speed{Read: 2000, Write: 60, Load: 12 * time.Second}, briefOf(8, 200), 13 * time.Second, 0, 0},
		{"a slow one with a large budget", slow, briefOf(8, 200), 5 * time.Minute, 8, 800},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := New(&chat{speed: c.speed, known: true}, Options{Fence: func() string { return "f" }})
			got := w.Fit(t.Context(), c.in, c.limit)
			if got.TooSlow != (c.passages == 0) || len(got.Brief.Evidence) != c.passages {
				t.Fatalf("Fit = too slow: %v, %d passages, want %d", got.TooSlow, len(got.Brief.Evidence), c.passages)
			}
			if c.passages > 0 && (got.Takes > c.limit || got.Brief.MaxTokens < shortAnswer || got.Brief.MaxTokens > c.most) {
				t.Errorf("Fit takes %s of %s for %d tokens, want at most %d", got.Takes, c.limit, got.Brief.MaxTokens, c.most)
			}
		})
	}
}

// Why a model is not asked is said once, and says how fast it is.
func TestFitSaysOnceWhyNot(t *testing.T) {
	t.Parallel()
	model := &chat{speed: pace.Speed{Read: 11.4, Write: 8.3}, known: true}
	w := New(model, Options{Fence: func() string { return "f" }})
	p := w.Fit(t.Context(), briefOf(8, 200), 13*time.Second).Problem
	if p == nil || !strings.Contains(p.What, "reads 11 and writes 8.3 tokens a second") || !strings.Contains(p.What, "would take 1m") || !strings.Contains(p.Try, "doctor") {
		t.Errorf("problem = %v", p)
	}
	if p := w.Fit(t.Context(), briefOf(8, 200), 13*time.Second).Problem; p != nil {
		t.Errorf("it is said again: %v", p)
	}
	if model.asked > 0 {
		t.Error("the model was asked")
	}
}

// A model whose speed is still being measured is not asked, and may be the next time.
func TestFitWithoutMeasurement(t *testing.T) {
	t.Parallel()
	w, measuring := New(&chat{}, Options{Fence: func() string { return "f" }}), New(&chat{measuring: true}, Options{Fence: func() string { return "f" }})
	ctx, cancel := context.WithCancel(t.Context())
	if got := w.Fit(ctx, briefOf(4, 100), 13*time.Second); got.TooSlow {
		t.Errorf("one that cannot be measured: %+v", got)
	}
	cancel()
	if got := measuring.Fit(ctx, briefOf(4, 100), 13*time.Second); !got.TooSlow || got.Problem == nil || !strings.Contains(got.Problem.What, "not measured in time") {
		t.Errorf("one that is being measured: %+v", got)
	}
}

// What a recording holds replaces the estimates.
func TestFitOfARecording(t *testing.T) {
	t.Parallel()
	recorded := []int{1100, 222}
	w := New(&chat{}, Options{Fence: func() string { return "f" }, Readable: func(int) int {
		n := recorded[0]
		recorded = recorded[1:]
		return n
	}})
	got := w.Fit(t.Context(), briefOf(8, 200), time.Millisecond)
	if len(got.Brief.Evidence) != 3 || got.Brief.MaxTokens != 222 {
		t.Errorf("%d passages, %d tokens", len(got.Brief.Evidence), got.Brief.MaxTokens)
	}
}

func TestAddSpeed(t *testing.T) {
	t.Parallel()
	ok := models.Status{Name: "chat model", State: models.StateOK, What: "x"}
	slow := AddSpeed(ok, pace.Speed{Read: 11.4, Write: 8.3, Load: 2 * time.Second}, true, 45*time.Second)
	if slow.State != models.StateWarn || !strings.Contains(slow.What, "too slow") || !strings.Contains(slow.Try, "6.4 times as fast") || !strings.Contains(slow.Try, "a budget of 4m4") {
		t.Errorf("status = %+v", slow)
	}
	if fast := AddSpeed(ok, pace.Speed{Read: 900, Write: 40}, true, 45*time.Second); fast.State != models.StateOK || !strings.Contains(fast.What, "reads 900") || fast.Try != "" {
		t.Errorf("status = %+v", fast)
	}
	if unknown := AddSpeed(ok, pace.Speed{}, false, 45*time.Second); unknown.State != models.StateOK || !strings.Contains(unknown.What, "not measured") {
		t.Errorf("status = %+v", unknown)
	}
}
