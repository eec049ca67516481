package server_test

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/research-mcp/research-mcp/server"
	"github.com/research-mcp/research-mcp/tools"
)

// A transport passes each message to Accept, and runs the request.
func ExampleHandler() {
	greet := tools.Definition{
		Name:        "greet",
		InputSchema: json.RawMessage(`{"type":"object"}`),
		Call: func(context.Context, json.RawMessage, tools.Observe) (tools.Result, error) {
			return tools.Result{Text: "Good morning.", Structured: json.RawMessage(`{"greeting":"Good morning"}`)}, nil
		},
	}
	h := server.NewHandler(server.Options{Name: "example", Version: "1", Tools: []tools.Definition{greet}})
	ctx := context.Background()
	session, err := h.Open(ctx, "example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer session.Close(ctx)
	reply, request := session.Accept(ctx, []byte(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"greet"}}`))
	if request == nil {
		fmt.Printf("refused: %s\n", reply)
		return
	}
	request.Run(ctx, func(message []byte) { fmt.Printf("%s\n", message) })
	// Output:
	// {"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"Good morning."}],"structuredContent":{"greeting":"Good morning"}}}
}
