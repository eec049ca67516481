package ollama

import (
	"context"
	"errors"
	"fmt"

	"github.com/ollama/ollama/api"

	"github.com/research-mcp/research-mcp/internal/limit"
)

// Embed makes one vector for each text, as the model gives it. A text that is
// longer than the model's context is embedded by its beginning: the server is
// told so, and a caller who minds cuts his texts before.
func (c *Client) Embed(ctx context.Context, m ModelInfo, texts []string) ([][]float32, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if len(texts) == 0 {
		return nil, nil
	}
	bounded, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	bounded = limit.WithPause(bounded, func() { cancel(errSilent) })
	defer limit.AfterFunc(bounded, c.cfg.Patience, func() { cancel(errSilent) })()
	yes := true
	resp, err := c.api.Embed(bounded, &api.EmbedRequest{
		Model: m.Name, Input: texts, Truncate: &yes,
		KeepAlive: &api.Duration{Duration: c.cfg.KeepAlive},
	})
	if err != nil && errors.Is(context.Cause(bounded), errSilent) {
		err = errSilent
	}
	if err == nil && len(resp.Embeddings) != len(texts) {
		err = fmt.Errorf("it gave %d vectors for %d texts: %w", len(resp.Embeddings), len(texts), errCut)
	}
	if err != nil {
		return nil, c.problem(ctx, m.Name, err)
	}
	c.works(m.Name)
	return resp.Embeddings, nil
}

// Fail puts a failure of a model into words that the client could not see
// itself, such as vectors of nothing, and remembers it.
func (c *Client) Fail(ctx context.Context, m ModelInfo, err error) error {
	return c.problem(ctx, m.Name, fmt.Errorf("%w: %w", errCut, err))
}
