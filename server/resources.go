package server

import (
	"context"
	"fmt"

	"github.com/mark3labs/mcp-go/mcp"
	mcpserver "github.com/mark3labs/mcp-go/server"

	"github.com/research-mcp/research-mcp/tools"
)

// addResources publishes resources. Those of which there is one for each id are templates:
// there may be many, and their addresses stand in the results of tools.
func (h *Handler) addResources(resources []tools.Resource) {
	for _, r := range resources {
		read := func(ctx context.Context, req mcp.ReadResourceRequest) ([]mcp.ResourceContents, error) {
			id := ""
			if r.Template() {
				ids, _ := req.Params.Arguments["id"].([]string)
				if len(ids) != 1 {
					return nil, fmt.Errorf("%w: %q does not have the form %s", mcpserver.ErrResourceNotFound, req.Params.URI, r.Address)
				}
				id = ids[0]
			}
			content, err := r.Read(ctx, id)
			if err != nil {
				return nil, err
			}
			return []mcp.ResourceContents{mcp.TextResourceContents{URI: req.Params.URI, MIMEType: r.Type, Text: content}}, nil
		}
		if r.Watch != nil {
			h.watched = append(h.watched, r)
		}
		if r.Template() {
			h.mcp.AddResourceTemplate(mcp.NewResourceTemplate(r.Address, r.Name, mcp.WithTemplateTitle(r.Title), mcp.WithTemplateDescription(r.About),
				mcp.WithTemplateMIMEType(r.Type)), read)
			h.completers[completion{r.Address, "id"}] = r.Complete
			continue
		}
		h.mcp.AddResource(mcp.NewResource(r.Address, r.Name, mcp.WithResourceTitle(r.Title), mcp.WithResourceDescription(r.About), mcp.WithMIMEType(r.Type)), read)
	}
}
