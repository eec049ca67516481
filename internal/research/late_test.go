package research

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/library"
)

// A straggler goes on when the share of the budget that is for gathering is over before the soft budget is.
func TestAStragglerOutlivesAShortBudget(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		wiki, summary, news := three(6*time.Second, 10*time.Millisecond, 500*time.Millisecond)
		w := newWorld(nil, wiki, summary, news)
		if _, err := w.Research(t.Context(), Request{Question: "What is a transformer?", Budget: 3 * time.Second}, nil); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		id := evidence.DocumentID("wiki", "https://wiki.test/0", wikiText)
		if _, ok, _ := w.memory.Document(t.Context(), id); !ok {
			t.Errorf("the straggler ended with %v", wiki.ended)
		}
		w.Close()
	})
}

// A page that comes after the budget of its call is remembered all the same.
func TestALatePageIsKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(nil)
		var ended error
		w.read(func(ctx context.Context, url string) (evidence.Document, evidence.Origin, error) {
			select {
			case <-time.After(8 * time.Second):
			case <-ctx.Done():
			}
			ended = ctx.Err()
			if ended != nil {
				return evidence.Document{}, evidence.Origin{}, ended
			}
			return readPage(ctx, url)
		})
		if _, err := w.Read(t.Context(), ReadRequest{URLs: []string{"https://slow.test/"}, Budget: 5 * time.Second}, nil); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Second)
		synctest.Wait()
		if ended != nil {
			t.Errorf("the page ended with %v", ended)
		}
		w.Close()
	})
}

// fullDisk fails each Put after a time, as a memory that another process has
// locked until the disk was full.
type fullDisk struct {
	*fakeMemory
	after time.Duration
}

func (m fullDisk) Put(ctx context.Context, _ evidence.Document, _ evidence.Chunks) (evidence.Receipt, error) {
	select {
	case <-time.After(m.after):
	case <-ctx.Done():
	}
	return evidence.Receipt{}, errors.New("the disk is full")
}

// A document that could not be stored after the answer was given warns in the log:
// the answer, and the documents of a Read, are the caller's. The race detector
// sees the writes.
func TestALateWarningIsNotTheCallers(t *testing.T) {
	t.Parallel()
	for name, ask := range map[string]func(t *testing.T, w *world) (warnings []string){
		"research": func(t *testing.T, w *world) []string {
			a, err := w.Research(t.Context(), Request{Question: "What is a transformer?", Budget: 1500 * time.Millisecond}, nil)
			if err != nil {
				t.Fatal(err)
			}
			return a.Warnings
		},
		"read": func(t *testing.T, w *world) []string {
			out, err := w.Read(t.Context(), ReadRequest{Query: "transformer", Budget: 1500 * time.Millisecond}, nil)
			if err != nil {
				t.Fatal(err)
			}
			if len(out.Documents) == 0 {
				t.Error("the document that is being stored is missing")
			}
			for i := range out.Documents {
				if out.Documents[i].Meta != nil {
					out.Documents[i].Meta["x"] = "y"
				}
			}
			return out.Warnings
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(nil, &fakeSource{name: "wiki", delay: time.Millisecond, texts: []string{wikiText}})
				w.store(func(d *library.Deps) { d.Memory = fullDisk{w.memory, 2 * time.Second} })
				got := append(ask(t, w), "of the caller")
				time.Sleep(5 * time.Second)
				synctest.Wait()
				if last := got[len(got)-1]; last != "of the caller" {
					t.Errorf("the caller's warning became %q", last)
				}
				w.Close()
			})
		})
	}
}
