//go:build conformance

package server

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/mark3labs/mcp-go/mcp"
	mcpserver "github.com/mark3labs/mcp-go/server"
)

// NewConformanceHandler publishes the tools, resources and prompts that the official
// conformance suite calls, by the Handler that publishes ours.
func NewConformanceHandler() *Handler {
	h := NewHandler(Options{Name: "conformance", Version: "1"})
	h.mcp.EnableSampling()
	h.addPlainFixtures()
	h.addAskingFixtures()
	h.addInputFixtures()
	h.addResourceFixtures()
	h.addPromptFixtures()
	return h
}

const (
	pixel   = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==" // PNG
	silence = "UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAAB9AAACABAAZGF0YQIAAAA="                                     // WAV
)

func (h *Handler) addFixture(tool mcp.Tool, call func(ctx context.Context, req mcp.CallToolRequest) (*mcp.CallToolResult, error)) {
	h.mcp.AddTool(tool, call)
	h.names = append(h.names, tool.Name)
}

func (h *Handler) addPlainFixtures() {
	embedded := func(uri, kind, content string) mcp.Content {
		return mcp.NewEmbeddedResource(mcp.TextResourceContents{URI: uri, MIMEType: kind, Text: content})
	}
	for name, content := range map[string][]mcp.Content{
		"test_simple_text":       {mcp.NewTextContent("This is a simple text response for testing.")},
		"test_image_content":     {mcp.NewImageContent(pixel, "image/png")},
		"test_audio_content":     {mcp.NewAudioContent(silence, "audio/wav")},
		"test_embedded_resource": {embedded("test://embedded-resource", "text/plain", "This is an embedded resource content.")},
		"test_multiple_content_types": {mcp.NewTextContent("Multiple content types test:"), mcp.NewImageContent(pixel, "image/png"),
			embedded("test://mixed-content-resource", "application/json", `{"test":"data","value":123}`)},
	} {
		h.addFixture(mcp.NewTool(name, mcp.WithDescription("Returns fixed content")), func(context.Context, mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			return &mcp.CallToolResult{Content: content}, nil
		})
	}
	h.addFixture(mcp.Tool{Name: "json_schema_2020_12_tool", Description: "Has a schema", RawInputSchema: json.RawMessage(schema2020)}, func(context.Context, mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		return mcp.NewToolResultText("ok"), nil
	})
	h.addFixture(mcp.Tool{Name: "test_header", Description: "Wants an argument in a header, too",
		RawInputSchema: json.RawMessage(`{"type":"object","properties":{"region":{"type":"string","x-mcp-header":"Region"}},"required":["region"]}`)}, func(context.Context, mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		return mcp.NewToolResultText("ok"), nil
	})
	h.addFixture(mcp.NewTool("test_error_handling", mcp.WithDescription("Returns an error")), func(context.Context, mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		return mcp.NewToolResultError("This tool intentionally returns an error for testing"), nil
	})
	h.addFixture(mcp.NewTool("test_tool_with_logging", mcp.WithDescription("Sends log messages")), func(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		for _, message := range []string{"Tool execution started", "Tool processing data", "Tool execution completed"} {
			clientOf(ctx).notify("notifications/message", map[string]any{"level": "info", "logger": "conformance", "data": message})
		}
		return mcp.NewToolResultText("Tool with logging executed successfully"), nil
	})
	h.addFixture(mcp.NewTool("test_tool_with_progress", mcp.WithDescription("Reports progress")), func(ctx context.Context, req mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		if meta := req.Params.Meta; meta != nil && meta.ProgressToken != nil {
			for _, progress := range []int{0, 50, 100} {
				clientOf(ctx).notify("notifications/progress", map[string]any{"progressToken": meta.ProgressToken, "progress": progress, "total": 100})
			}
		}
		return mcp.NewToolResultText("progress reported"), nil
	})
}

// schema2020 has the words of JSON Schema 2020-12 that have to arrive as they are.
const schema2020 = `{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"object",
"$defs":{"address":{"$anchor":"addressDef","type":"object","properties":{"street":{"type":"string"},"city":{"type":"string"}}}},
"properties":{"name":{"type":"string"},"address":{"$ref":"#/$defs/address"},"contactMethod":{"type":"string","enum":["phone","email"]},"phone":{"type":"string"},"email":{"type":"string"}},
"allOf":[{"anyOf":[{"required":["phone"]},{"required":["email"]}]}],
"if":{"properties":{"contactMethod":{"const":"phone"}},"required":["contactMethod"]},"then":{"required":["phone"]},"else":{"required":["email"]},
"additionalProperties":false}`

func clientOf(ctx context.Context) requestClient {
	return mcpserver.ClientSessionFromContext(ctx).(requestClient)
}

// addAskingFixtures adds the tools that send requests to the client.
func (h *Handler) addAskingFixtures() {
	h.addFixture(mcp.NewTool("test_sampling", mcp.WithDescription("Asks the client's model"), mcp.WithString("prompt", mcp.Required())),
		func(ctx context.Context, req mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			//nolint:staticcheck // the suite tests it as long as it is a part of earlier revisions
			result, err := h.mcp.RequestSampling(ctx, mcp.CreateMessageRequest{CreateMessageParams: mcp.CreateMessageParams{MaxTokens: 100,
				Messages: []mcp.SamplingMessage{{Role: mcp.RoleUser, Content: mcp.NewTextContent(req.GetString("prompt", ""))}}}})
			if err != nil {
				return mcp.NewToolResultError(err.Error()), nil
			}
			said, _ := json.Marshal(result.Content)
			return mcp.NewToolResultText("LLM response: " + string(said)), nil
		})
	ask := func(name, answer, message string, schema map[string]any, more ...mcp.ToolOption) {
		h.addFixture(mcp.NewTool(name, append(more, mcp.WithDescription("Asks the person"))...), func(ctx context.Context, req mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			result, err := h.mcp.RequestElicitation(ctx, mcp.ElicitationRequest{Params: mcp.ElicitationParams{Message: req.GetString("message", message), RequestedSchema: schema}})
			if err != nil {
				return mcp.NewToolResultError(err.Error()), nil
			}
			return mcp.NewToolResultText(fmt.Sprintf("%s: action=%s, content=%v", answer, result.Action, result.Content)), nil
		})
	}
	type object = map[string]any
	form := func(properties object, required ...string) object {
		out := object{"type": "object", "properties": properties}
		if len(required) > 0 {
			out["required"] = required
		}
		return out
	}
	ask("test_elicitation", "User response", "", form(object{
		"username": object{"type": "string", "description": "User's response"}, "email": object{"type": "string", "description": "User's email address"},
	}, "username", "email"), mcp.WithString("message", mcp.Required()))
	ask("test_elicitation_sep1034_defaults", "Elicitation completed", "Provide your information", form(object{
		"name": object{"type": "string", "default": "John Doe"}, "age": object{"type": "integer", "default": 30}, "score": object{"type": "number", "default": 95.5},
		"status": object{"type": "string", "enum": []string{"active", "inactive", "pending"}, "default": "active"}, "verified": object{"type": "boolean", "default": true},
	}))
	choice := func(value, title string) object { return object{"const": value, "title": title} }
	ask("test_elicitation_sep1330_enums", "Elicitation completed", "Select options", form(object{
		"untitledSingle": object{"type": "string", "enum": []string{"option1", "option2"}},
		"titledSingle":   object{"type": "string", "oneOf": []any{choice("value1", "First"), choice("value2", "Second")}},
		"legacyEnum":     object{"type": "string", "enum": []string{"opt1", "opt2"}, "enumNames": []string{"Option One", "Option Two"}},
		"untitledMulti":  object{"type": "array", "items": object{"type": "string", "enum": []string{"option1", "option2"}}},
		"titledMulti":    object{"type": "array", "items": object{"anyOf": []any{choice("value1", "First"), choice("value2", "Second")}}},
	}))
}

// RequestSampling implements mcpserver.SessionWithSampling.
func (c requestClient) RequestSampling(ctx context.Context, request mcp.CreateMessageRequest) (*mcp.CreateMessageResult, error) {
	id, response := c.expect()
	defer c.forgetResponse(id)
	message, err := Encode(map[string]any{"jsonrpc": mcp.JSONRPC_VERSION, "id": id, "method": mcp.MethodSamplingCreateMessage, "params": request.CreateMessageParams})
	if err != nil {
		return nil, err
	}
	c.send(message)
	select {
	case raw := <-response:
		out := &mcp.CreateMessageResult{}
		return out, json.Unmarshal(raw, out)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (h *Handler) addResourceFixtures() {
	h.mcp.AddResource(mcp.NewResource("test://static-text", "static-text", mcp.WithResourceDescription("A text"), mcp.WithMIMEType("text/plain")),
		func(context.Context, mcp.ReadResourceRequest) ([]mcp.ResourceContents, error) {
			return []mcp.ResourceContents{mcp.TextResourceContents{URI: "test://static-text", MIMEType: "text/plain", Text: "This is the content of the static text resource."}}, nil
		})
	h.mcp.AddResource(mcp.NewResource("test://static-binary", "static-binary", mcp.WithResourceDescription("An image"), mcp.WithMIMEType("image/png")),
		func(context.Context, mcp.ReadResourceRequest) ([]mcp.ResourceContents, error) {
			return []mcp.ResourceContents{mcp.BlobResourceContents{URI: "test://static-binary", MIMEType: "image/png", Blob: pixel}}, nil
		})
	h.mcp.AddResourceTemplate(mcp.NewResourceTemplate("test://template/{id}/data", "template", mcp.WithTemplateDescription("One for each id"), mcp.WithTemplateMIMEType("application/json")),
		func(_ context.Context, req mcp.ReadResourceRequest) ([]mcp.ResourceContents, error) {
			id := strings.TrimSuffix(strings.TrimPrefix(req.Params.URI, "test://template/"), "/data")
			return []mcp.ResourceContents{mcp.TextResourceContents{URI: req.Params.URI, MIMEType: "application/json", Text: fmt.Sprintf(`{"id":%q,"templateTest":true,"data":%q}`, id, "Data for ID: "+id)}}, nil
		})
}

func (h *Handler) addPromptFixtures() {
	add := func(name string, arguments []string, render func(given map[string]string) []mcp.Content) {
		options := []mcp.PromptOption{mcp.WithPromptDescription("A prompt of the suite")}
		for _, a := range arguments {
			options = append(options, mcp.WithArgument(a, mcp.ArgumentDescription("An argument"), mcp.RequiredArgument()))
			h.completers[completion{name, a}] = nil
		}
		h.mcp.AddPrompt(mcp.NewPrompt(name, options...), func(_ context.Context, req mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
			out := &mcp.GetPromptResult{}
			for _, c := range render(req.Params.Arguments) {
				out.Messages = append(out.Messages, mcp.PromptMessage{Role: mcp.RoleUser, Content: c})
			}
			return out, nil
		})
	}
	add("test_simple_prompt", nil, func(map[string]string) []mcp.Content {
		return []mcp.Content{mcp.NewTextContent("This is a simple prompt for testing.")}
	})
	add("test_prompt_with_arguments", []string{"arg1", "arg2"}, func(given map[string]string) []mcp.Content {
		return []mcp.Content{mcp.NewTextContent(fmt.Sprintf("Prompt with arguments: arg1='%s', arg2='%s'", given["arg1"], given["arg2"]))}
	})
	add("test_prompt_with_embedded_resource", []string{"resourceUri"}, func(given map[string]string) []mcp.Content {
		return []mcp.Content{mcp.NewEmbeddedResource(mcp.TextResourceContents{URI: given["resourceUri"], MIMEType: "text/plain", Text: "Embedded resource content for testing."}),
			mcp.NewTextContent("Please process the embedded resource above.")}
	})
	add("test_prompt_with_image", nil, func(map[string]string) []mcp.Content {
		return []mcp.Content{mcp.NewImageContent(pixel, "image/png"), mcp.NewTextContent("Please analyze the image above.")}
	})
}
