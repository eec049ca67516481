package server

import (
	"context"
	"fmt"
	"slices"

	"github.com/mark3labs/mcp-go/mcp"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/redact"
	"github.com/research-mcp/research-mcp/internal/text"
	"github.com/research-mcp/research-mcp/tools"
)

// completion names an argument: of a prompt by its name, or of a resource template by its
// address.
type completion struct{ of, argument string }

// addPrompts publishes prompts and the completion of their arguments.
func (h *Handler) addPrompts(prompts []tools.Prompt) {
	for _, p := range prompts {
		shown := mcp.Prompt{Name: p.Name, Title: p.Title, Description: p.About}
		for _, a := range p.Arguments {
			shown.Arguments = append(shown.Arguments, mcp.PromptArgument{Name: a.Name, Description: a.About, Required: a.Required})
			h.completers[completion{p.Name, a.Name}] = a.Complete
		}
		h.mcp.AddPrompt(shown, func(_ context.Context, req mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
			said, err := p.Render(req.Params.Arguments)
			if err != nil {
				return nil, err
			}
			return &mcp.GetPromptResult{Description: p.About, Messages: []mcp.PromptMessage{{Role: mcp.RoleUser, Content: mcp.NewTextContent(said)}}}, nil
		})
	}
}

// CompletePromptArgument implements mcpserver.PromptCompletionProvider.
func (h *Handler) CompletePromptArgument(ctx context.Context, prompt string, argument mcp.CompleteArgument, _ mcp.CompleteContext) (*mcp.Completion, error) {
	return h.complete(ctx, "prompt", prompt, argument)
}

// CompleteResourceArgument implements mcpserver.ResourceCompletionProvider.
func (h *Handler) CompleteResourceArgument(ctx context.Context, uri string, argument mcp.CompleteArgument, _ mcp.CompleteContext) (*mcp.Completion, error) {
	return h.complete(ctx, "resource template", uri, argument)
}

func (h *Handler) complete(ctx context.Context, kind, of string, argument mcp.CompleteArgument) (*mcp.Completion, error) {
	propose, ok := h.completers[completion{of, argument.Name}]
	if !ok && !h.completes(of) { // nothing can be proposed; the person sees no list, and no error at each key
		return &mcp.Completion{Values: []string{}}, nil
	}
	if !ok {
		of, _ := text.Cut(redact.Shapes(of), 100)
		name, _ := text.Cut(redact.Shapes(argument.Name), 60)
		return nil, evidence.BadInput(fmt.Sprintf("there is no argument %q of a %s %q", name, kind, of), "prompts/list and resources/templates/list have the names")
	}
	if propose == nil {
		return &mcp.Completion{Values: []string{}}, nil
	}
	values, total, err := propose(ctx, argument.Value)
	if err != nil {
		return nil, err
	}
	return &mcp.Completion{Values: slices.Concat([]string{}, values), Total: total, HasMore: total > len(values)}, nil
}

// completes reports whether a prompt or a template has arguments.
func (h *Handler) completes(of string) bool {
	for known := range h.completers {
		if known.of == of {
			return true
		}
	}
	return false
}
