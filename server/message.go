package server

import (
	"bytes"
	"encoding/json"
	"errors"

	"github.com/mark3labs/mcp-go/mcp"

	"github.com/research-mcp/research-mcp/internal/redact"
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
	valid := json.Valid(message)
	if !valid {
		env.ID = idOf(message)
	}
	if len(env.ID) > 0 && !isID(env.ID) {
		env.ID, err = nil, errBadID
	}
	switch {
	case !valid:
		return env, mcp.PARSE_ERROR, "the message is not JSON: " + err.Error()
	case message[0] == '[':
		return env, mcp.INVALID_REQUEST, "batches are not supported; send one message at a time"
	case err != nil && env.ID != nil:
		return env, mcp.INVALID_REQUEST, "the message is not a JSON-RPC message with a text as method"
	case err != nil:
		return env, mcp.INVALID_REQUEST, "the message is not a JSON-RPC message with a string or a number as id"
	}
	return env, 0, ""
}

var errBadID = errors.New("the id is no string and no number")

func isID(raw json.RawMessage) bool { return bytes.ContainsAny(raw[:1], `"-0123456789`) }

// idOf returns the id of a message that cannot be decoded as a whole, such as one that is
// nested too deeply, if it can be read; its client waits for an answer with it.
func idOf(message []byte) json.RawMessage {
	if !bytes.HasPrefix(message, []byte("{")) {
		return nil
	}
	dec := json.NewDecoder(bytes.NewReader(message))
	for depth, key := 0, true; ; {
		token, err := dec.Token()
		if err != nil {
			return nil
		}
		if depth == 1 && key && token == "id" {
			var id json.RawMessage
			if dec.Decode(&id) != nil || !isID(id) {
				return nil
			}
			return id
		}
		switch token {
		case json.Delim('{'), json.Delim('['):
			depth++
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
		// In the outermost object, keys and values alternate; a value ends at depth 1.
		if depth == 1 {
			key = !key || token == json.Delim('{')
		}
	}
}

// Refuse returns the reply to a message that the transport could not read, with
// the message's id if it is known.
func Refuse(id json.RawMessage, problem string) []byte {
	return refusal(id, mcp.INVALID_REQUEST, problem)
}

// Unreadable returns the reply to a message that is no JSON-RPC message, in the words of every
// transport, or nil for one that is. The message is not empty.
func Unreadable(message []byte) []byte {
	env, code, problem := parse(message)
	if code == 0 {
		return nil
	}
	return refusal(env.ID, code, problem)
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
		r.Error.Message = redact.Shapes(r.Error.Message) // it may repeat what a caller put in a wrong place
		return r
	case *mcp.JSONRPCResponse:
		return withID(*r, id)
	case *mcp.JSONRPCError:
		return withID(*r, id)
	}
	return res
}
