package main

import "net/http"

// readMessages reads a request of Anthropic's messages.
func readMessages(body object) conversation {
	said := conversation{stream: body["stream"] == true}
	for _, t := range objects(body["tools"]) {
		said.tools = append(said.tools, offer{name: str(t["name"])})
	}
	for _, m := range objects(body["messages"]) {
		for _, part := range objects(m["content"]) {
			if part["type"] == "tool_result" {
				said.results = append(said.results, flat(part["content"]))
			}
		}
	}
	return said
}

func writeMessages(w http.ResponseWriter, m move, stream bool) {
	block, reason := object{"type": "text", "text": m.text}, "end_turn"
	if m.calls() {
		block, reason = object{"type": "tool_use", "id": "toolu_" + m.id, "name": m.tool.name, "input": m.args}, "tool_use"
	}
	usage := object{"input_tokens": 1, "output_tokens": 1}
	message := func(reason any, content ...object) object {
		return object{"id": "msg_1", "type": "message", "role": "assistant", "model": "stub", "content": append([]object{}, content...), "stop_reason": reason, "stop_sequence": nil, "usage": usage}
	}
	if !stream {
		reply(w, message(reason, block))
		return
	}
	empty, delta := object{"type": "text", "text": ""}, object{"type": "text_delta", "text": m.text}
	if m.calls() {
		empty = object{"type": "tool_use", "id": block["id"], "name": m.tool.name, "input": object{}}
		delta = object{"type": "input_json_delta", "partial_json": m.argsJSON()}
	}
	events(w, object{"type": "message_start", "message": message(nil)},
		object{"type": "content_block_start", "index": 0, "content_block": empty},
		object{"type": "content_block_delta", "index": 0, "delta": delta},
		object{"type": "content_block_stop", "index": 0},
		object{"type": "message_delta", "delta": object{"stop_reason": reason, "stop_sequence": nil}, "usage": usage},
		object{"type": "message_stop"})
}

// readGemini reads a request of Google's generateContent.
func readGemini(body object) conversation {
	var said conversation
	for _, group := range objects(body["tools"]) {
		for _, f := range objects(group["functionDeclarations"]) {
			said.tools = append(said.tools, offer{name: str(f["name"])})
		}
	}
	for _, content := range objects(body["contents"]) {
		for _, part := range objects(content["parts"]) {
			if answered := obj(part["functionResponse"]); answered != nil {
				said.results = append(said.results, flat(answered["response"]))
			}
		}
	}
	return said
}

func writeGemini(w http.ResponseWriter, m move, stream bool) {
	part := object{"text": m.text}
	if m.calls() {
		part = object{"functionCall": object{"name": m.tool.name, "args": m.args}}
	}
	answer := object{
		"candidates":    []object{{"content": object{"role": "model", "parts": []object{part}}, "finishReason": "STOP", "index": 0}},
		"usageMetadata": object{"promptTokenCount": 1, "candidatesTokenCount": 1, "totalTokenCount": 2},
	}
	if stream {
		events(w, answer)
		return
	}
	reply(w, answer)
}
