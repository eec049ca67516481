package span_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/research-mcp/research-mcp/internal/span"
)

// recorder is a span that writes down its end.
type recorder struct {
	path string
	log  *[]string
}

func (r recorder) Child(name string) span.Span { return recorder{r.path + "/" + name, r.log} }
func (r recorder) Set(string, any)             {}
func (r recorder) SetContent(string, string)   {}
func (r recorder) End(error)                   { *r.log = append(*r.log, r.path) }

func TestStepsAreNested(t *testing.T) {
	t.Parallel()
	var log []string
	ctx := span.With(t.Context(), recorder{"call", &log})
	plan, a := span.Start(ctx, "plan")
	_, b := span.Start(plan, "model")
	later, c := span.Start(span.Carry(context.Background(), ctx), "late")
	b.End(nil)
	a.End(nil)
	c.End(errors.New("cut"))
	span.From(later).End(nil)
	want := []string{"call/plan/model", "call/plan", "call/late", "call/late"}
	if !slices.Equal(log, want) {
		t.Errorf("spans = %q, want %q", log, want)
	}
}

func TestWithoutASpanNothingIsAllocated(t *testing.T) {
	ctx := t.Context()
	got := testing.AllocsPerRun(100, func() {
		inner, s := span.Start(ctx, "plan")
		s.Set("documents", 3)
		s.Child("x").End(nil)
		span.From(inner).SetContent("question", "why")
		if span.Carry(ctx, inner) != ctx {
			t.Fatal("Carry made a context")
		}
		s.End(nil)
	})
	if got != 0 {
		t.Errorf("a step that is not traced allocates %v times, want 0", got)
	}
}
