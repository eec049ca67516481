package server

import (
	"context"
	"errors"
	"fmt"

	"github.com/mark3labs/mcp-go/mcp"
	mcpserver "github.com/mark3labs/mcp-go/server"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/tools"
)

// addResources publishes resources as templates: there may be many of them, and their
// addresses stand in the results of tools.
func (h *Handler) addResources(resources []tools.Resource) {
	for _, r := range resources {
		template := mcp.NewResourceTemplate(r.Template, r.Name, mcp.WithTemplateTitle(r.Title), mcp.WithTemplateDescription(r.About), mcp.WithTemplateMIMEType(r.Type))
		h.mcp.AddResourceTemplate(template, func(ctx context.Context, req mcp.ReadResourceRequest) ([]mcp.ResourceContents, error) {
			ids, _ := req.Params.Arguments["id"].([]string)
			if len(ids) != 1 {
				return nil, fmt.Errorf("%q does not have the form %s", req.Params.URI, r.Template)
			}
			content, err := r.Read(ctx, ids[0])
			if err != nil {
				return nil, h.unread(req.Params.URI, err)
			}
			return []mcp.ResourceContents{mcp.TextResourceContents{URI: req.Params.URI, MIMEType: r.Type, Text: content}}, nil
		})
	}
}

// unread is the error of a resource that was not read: that of an id which does not exist
// is shown as it is, any other is logged.
func (h *Handler) unread(uri string, err error) error {
	var p *evidence.Problem
	if errors.As(err, &p) {
		return fmt.Errorf("%w: %s", mcpserver.ErrResourceNotFound, p.Error())
	}
	h.log.Error("reading a resource", "uri", uri, "err", err)
	return errors.New("the resource could not be read; the server's log has the details")
}
