package ollama

import (
	"context"
	"errors"
	"fmt"

	"github.com/ollama/ollama/api"

	"github.com/research-mcp/research-mcp/internal/limit"
	"github.com/research-mcp/research-mcp/internal/models/wire"
)

// Embed returns one vector for each text, as the model gives it. Of a text longer
// than the model's context, the server embeds the beginning.
func (c *Client) Embed(ctx context.Context, m ModelInfo, texts []string) ([][]float32, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if len(texts) == 0 {
		return nil, nil
	}
	bounded, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	bounded = limit.WithPause(bounded, func() { cancel(wire.ErrSilent) })
	defer limit.AfterFunc(bounded, c.cfg.Patience, func() { cancel(wire.ErrSilent) })()
	yes := true
	resp, err := c.api.Embed(bounded, &api.EmbedRequest{
		Model: m.Name, Input: texts, Truncate: &yes,
		KeepAlive: &api.Duration{Duration: c.cfg.KeepAlive},
	})
	if err != nil && errors.Is(context.Cause(bounded), wire.ErrSilent) {
		err = wire.ErrSilent
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

// Fail returns an *evidence.Problem for a failure that the client cannot detect
// itself, such as an empty vector, and remembers the failure.
func (c *Client) Fail(ctx context.Context, m ModelInfo, err error) error {
	return c.problem(ctx, m.Name, fmt.Errorf("%w: %w", errCut, err))
}
