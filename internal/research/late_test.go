package research

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
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
