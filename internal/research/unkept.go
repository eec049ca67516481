package research

import (
	"context"
	"sync"

	"github.com/research-mcp/research-mcp/internal/evidence"
)

// unkept is what the memory did not store. Its ids are not shown: nothing can be done
// with them.
type unkept struct {
	mu   sync.Mutex
	docs map[string]bool
	turn bool // nor the question and its answer
}

// add notes a document, unless the memory has it from before.
func (u *unkept) add(ctx context.Context, e *Engine, id string) {
	if _, err := e.deps.Library.Document(ctx, id); err == nil {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.docs == nil {
		u.docs = map[string]bool{}
	}
	u.docs[id] = true
}

func (u *unkept) addTurn() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.turn = true
}

// hide removes the ids from an answer. newSession reports that its session would have
// begun with it.
func (u *unkept) hide(a *evidence.Answer, newSession bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for i, c := range a.Citations {
		if u.docs[c.DocumentID] {
			a.Citations[i].DocumentID = ""
		}
	}
	for i, p := range a.Evidence {
		if u.docs[p.DocumentID] {
			a.Evidence[i].DocumentID = ""
		}
	}
	if u.turn {
		a.RunID = ""
		if newSession {
			a.Session = ""
		}
	}
}

// hideIn removes the ids from documents.
func (u *unkept) hideIn(docs []evidence.Document) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for i, d := range docs {
		if u.docs[d.ID] {
			docs[i].ID = ""
		}
	}
}
