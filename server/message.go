package server

import (
	"bytes"
	"encoding/json"

	"github.com/mark3labs/mcp-go/mcp"
)

// envelope is the part of a message that decides what is done with it.
type envelope struct {
	ID     json.RawMessage `json:"id"`
	Method string          `json:"method"`
	Params json.RawMessage `json:"params"`
	Result json.RawMessage `json:"result"`
	Error  json.RawMessage `json:"error"`
}

// parse reads a message that is not empty. For one that is not a JSON-RPC
// message it returns the code and the text of the refusal; code is 0 otherwise.
func parse(message []byte) (env envelope, code int, problem string) {
	err := json.Unmarshal(message, &env)
	switch {
	case !json.Valid(message):
		return env, mcp.PARSE_ERROR, "the message is not JSON: " + err.Error()
	case message[0] == '[':
		return env, mcp.INVALID_REQUEST, "batches are not supported; send one message at a time"
	case err != nil || len(env.ID) > 0 && !bytes.ContainsAny(env.ID[:1], `"-0123456789`):
		return env, mcp.INVALID_REQUEST, "the message is not a JSON-RPC message with a string or a number as id"
	}
	return env, 0, ""
}

// Refuse returns the reply to a message that the transport could not read, with
// the message's id if it is known.
func Refuse(id json.RawMessage, problem string) []byte {
	return refusal(id, mcp.INVALID_REQUEST, problem)
}

func refusal(id json.RawMessage, code int, problem string) []byte {
	message, err := Encode(withID(rpcError(code, problem), id))
	if err != nil { // plain strings and an id that was decoded before
		message, _ = Encode(withID(rpcError(code, problem), nil))
	}
	return message
}

// Encode returns the JSON of a message, on one line and without its end.
func Encode(message any) ([]byte, error) { return json.Marshal(message) }

func rpcError(code int, message string) mcp.JSONRPCMessage {
	return mcp.JSONRPCError{JSONRPC: mcp.JSONRPC_VERSION, Error: mcp.NewJSONRPCErrorDetails(code, message, nil)}
}

// withID gives a response the id as the client wrote it: mcp-go changes numbers
// beyond 2^53.
func withID(res mcp.JSONRPCMessage, id json.RawMessage) mcp.JSONRPCMessage {
	var value any
	if len(id) > 0 {
		value = id
	}
	switch r := res.(type) {
	case mcp.JSONRPCResponse:
		r.ID = mcp.NewRequestId(value)
		return r
	case mcp.JSONRPCError:
		r.ID = mcp.NewRequestId(value)
		return r
	case *mcp.JSONRPCResponse:
		return withID(*r, id)
	case *mcp.JSONRPCError:
		return withID(*r, id)
	}
	return res
}
