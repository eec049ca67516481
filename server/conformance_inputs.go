//go:build conformance

package server

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"

	"github.com/mark3labs/mcp-go/mcp"
	mcpserver "github.com/mark3labs/mcp-go/server"
)

// addInputFixtures adds the tools and the prompt that need more input of the client: they
// return what they ask for, and are called again with the answers (revision 2026-07-28).
func (h *Handler) addInputFixtures() {
	add := func(name, about string, call func(ctx context.Context, req mcp.CallToolRequest) (*mcp.CallToolResult, error)) {
		h.addFixture(mcp.NewTool("test_input_required_result_"+name, mcp.WithDescription(about)), call)
	}
	greeting := mcp.CreateMessageParams{MaxTokens: 50, Messages: []mcp.SamplingMessage{{Role: mcp.RoleUser, Content: mcp.NewTextContent("Generate a greeting")}}}
	h.addInputOnce(add, greeting)
	add("request_state", "Asks, with a state", func(_ context.Context, req mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		if mcpserver.ElicitationResponse(req.Params.InputResponses, "confirm") != nil && checkState(req.Params.RequestState) == "asked" {
			return mcp.NewToolResultText("state-ok"), nil
		}
		return mcpserver.NewInputRequestBuilder(signState("asked")).Elicit("confirm", oneField("Please confirm", "ok", "boolean")).ToolResult(), nil
	})
	add("tampered_state", "Refuses a state that is not its own", func(_ context.Context, req mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		switch {
		case req.Params.RequestState == "":
			return mcpserver.NewInputRequestBuilder(signState("asked")).Elicit("confirm", oneField("Please confirm", "ok", "boolean")).ToolResult(), nil
		case checkState(req.Params.RequestState) == "":
			return nil, errors.New("the request state was changed")
		}
		return mcp.NewToolResultText("state-ok"), nil
	})
	add("multi_round", "Asks twice", func(_ context.Context, req mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		switch checkState(req.Params.RequestState) {
		case "one":
			return mcpserver.NewInputRequestBuilder(signState("two")).Elicit("step2", oneField("Step 2: What is your favorite color?", "color", "string")).ToolResult(), nil
		case "two":
			return mcp.NewToolResultText("done"), nil
		}
		return mcpserver.NewInputRequestBuilder(signState("one")).Elicit("step1", oneField("Step 1: What is your name?", "name", "string")).ToolResult(), nil
	})
	add("multiple_inputs", "Asks for three things at once", func(_ context.Context, req mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		if checkState(req.Params.RequestState) == "asked" && len(req.Params.InputResponses) == 3 {
			return mcp.NewToolResultText("done"), nil
		}
		return mcpserver.NewInputRequestBuilder(signState("asked")).Elicit("user_name", oneField("What is your name?", "name", "string")).
			Sample("greeting", greeting).Roots("client_roots").ToolResult(), nil
	})
	add("capabilities", "Asks for what the client can do", func(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		b := mcpserver.NewInputRequestBuilder("")
		if canAsk(ctx) {
			b.Elicit("user_name", oneField("What is your name?", "name", "string"))
		}
		if info := mcpserver.RequestProtocolInfoFromContext(ctx); info != nil && info.ClientCapabilities != nil && info.ClientCapabilities.Sampling != nil {
			b.Sample("greeting", greeting)
		}
		return b.ToolResult(), nil
	})
	h.mcp.AddPrompt(mcp.NewPrompt("test_input_required_result_prompt", mcp.WithPromptDescription("Asks first")), func(_ context.Context, req mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
		if mcpserver.ElicitationResponse(req.Params.InputResponses, "user_context") == nil {
			return mcpserver.NewInputRequestBuilder("").Elicit("user_context", oneField("What context should the prompt use?", "context", "string")).PromptResult(), nil
		}
		return &mcp.GetPromptResult{Messages: []mcp.PromptMessage{{Role: mcp.RoleUser, Content: mcp.NewTextContent("With its context.")}}}, nil
	})
}

// addInputOnce adds the tools that ask once, without a state.
func (h *Handler) addInputOnce(add func(name, about string, call func(ctx context.Context, req mcp.CallToolRequest) (*mcp.CallToolResult, error)), greeting mcp.CreateMessageParams) {
	add("elicitation", "Asks the person", func(_ context.Context, req mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		if a := mcpserver.ElicitationResponse(req.Params.InputResponses, "user_name"); a != nil && a.Action == mcp.ElicitationResponseActionAccept {
			return mcp.NewToolResultText("Hello!"), nil
		}
		return mcpserver.NewInputRequestBuilder("").Elicit("user_name", oneField("What is your name?", "name", "string")).ToolResult(), nil
	})
	add("sampling", "Asks the client's model", func(_ context.Context, req mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		if _, answered := mcpserver.InputResponse(req.Params.InputResponses, "capital_question"); answered {
			return mcp.NewToolResultText("answered"), nil
		}
		return mcpserver.NewInputRequestBuilder("").Sample("capital_question", greeting).ToolResult(), nil
	})
	add("list_roots", "Asks for the client's roots", func(_ context.Context, req mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		if _, answered := mcpserver.InputResponse(req.Params.InputResponses, "client_roots"); answered {
			return mcp.NewToolResultText("answered"), nil
		}
		return mcpserver.NewInputRequestBuilder("").Roots("client_roots").ToolResult(), nil
	})
}

// oneField is a form with one required field.
func oneField(message, name, kind string) mcp.ElicitationParams {
	return mcp.ElicitationParams{Message: message, RequestedSchema: map[string]any{
		"type": "object", "properties": map[string]any{name: map[string]any{"type": kind}}, "required": []string{name}}}
}

// signState returns a state that a client cannot change unnoticed.
func signState(state string) string {
	mac := hmac.New(sha256.New, []byte("conformance"))
	mac.Write([]byte(state))
	return state + "." + hex.EncodeToString(mac.Sum(nil))
}

// checkState returns what signState was given, or "".
func checkState(signed string) string {
	state, _, _ := strings.Cut(signed, ".")
	if !hmac.Equal([]byte(signed), []byte(signState(state))) {
		return ""
	}
	return state
}
