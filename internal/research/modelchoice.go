package research

import (
	"context"
	"time"

	"github.com/research-mcp/research-mcp/internal/limit"
	"github.com/research-mcp/research-mcp/internal/models"
)

// modelChoice is the models of one question. They are chosen in the background,
// because a server may need more than a second to answer a probe: embedding and
// writing wait for the choice, asking the sources does not.
type modelChoice struct {
	ready chan struct{} // closed when set is valid
	set   models.Set
}

func (e *Engine) chooseModels(ctx context.Context) *modelChoice {
	c := &modelChoice{ready: make(chan struct{}), set: e.deps.Models.BuiltIn()}
	e.spawn("choosing models", func() {
		defer close(c.ready)
		c.set = e.deps.Models.Choose(ctx)
	})
	return c
}

// wait returns the models. It waits for a Chooser, which ends with its context.
func (c *modelChoice) wait() models.Set {
	<-c.ready
	return c.set
}

// within is wait for a caller that can do without: it reports false when the
// choice takes longer than d on ctx's clock.
func (c *modelChoice) within(ctx context.Context, d time.Duration) (models.Set, bool) {
	timer, stop := limit.Timer(ctx, d)
	defer stop()
	select {
	case <-c.ready:
		return c.set, true
	case <-timer:
		return models.Set{}, false
	}
}

// nameModels enters the models into the answer, with what is wrong with those that
// were wished for before all other warnings.
func (r *run) nameModels() {
	set := r.models.wait()
	r.answer.Embedder, r.answer.Synthesizer = set.Ranks().Model().Name, set.Synthesizer.Name()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer.Warnings = append(append([]string{}, set.Warnings...), r.answer.Warnings...)
}
