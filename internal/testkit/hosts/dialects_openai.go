package main

import "net/http"

// readChat reads a request of OpenAI's chat completions.
func readChat(body object) conversation {
	said := conversation{stream: body["stream"] == true}
	for _, t := range objects(body["tools"]) {
		if f := obj(t["function"]); f != nil {
			said.tools = append(said.tools, offer{name: str(f["name"])})
		}
	}
	for _, m := range objects(body["messages"]) {
		if m["role"] == "tool" {
			said.results = append(said.results, flat(m["content"]))
		}
	}
	return said
}

func writeChat(w http.ResponseWriter, m move, stream bool) {
	message, reason := object{"role": "assistant", "content": m.text}, "stop"
	if m.calls() {
		call := object{"index": 0, "id": m.id, "type": "function", "function": object{"name": m.tool.name, "arguments": m.argsJSON()}}
		message, reason = object{"role": "assistant", "content": nil, "tool_calls": []object{call}}, "tool_calls"
	}
	usage := object{"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
	answer := func(kind string, choice, rest object) object {
		choice["index"] = 0
		o := object{"id": "chat_1", "object": kind, "created": 1, "model": "stub", "choices": []object{choice}}
		for k, v := range rest {
			o[k] = v
		}
		return o
	}
	if !stream {
		reply(w, answer("chat.completion", object{"message": message, "finish_reason": reason}, object{"usage": usage}))
		return
	}
	events(w, answer("chat.completion.chunk", object{"delta": message, "finish_reason": nil}, nil),
		answer("chat.completion.chunk", object{"delta": object{}, "finish_reason": reason}, object{"usage": usage}))
	_, _ = w.Write([]byte("data: [DONE]\n\n"))
}

// readResponses reads a request of OpenAI's responses. Codex groups the tools of a server
// in a namespace.
func readResponses(body object) conversation {
	said := conversation{stream: body["stream"] == true}
	for _, t := range objects(body["tools"]) {
		switch t["type"] {
		case "function":
			said.tools = append(said.tools, offer{name: str(t["name"])})
		case "namespace":
			for _, inner := range objects(t["tools"]) {
				said.tools = append(said.tools, offer{namespace: str(t["name"]), name: str(inner["name"])})
			}
		}
	}
	for _, item := range objects(body["input"]) {
		if item["type"] == "function_call_output" {
			said.results = append(said.results, flat(item["output"]))
		}
	}
	return said
}

func writeResponses(w http.ResponseWriter, m move, stream bool) {
	item := object{"type": "message", "id": "msg_1", "role": "assistant", "status": "completed",
		"content": []object{{"type": "output_text", "text": m.text, "annotations": []any{}}}}
	if m.calls() {
		item = object{"type": "function_call", "id": "fc_" + m.id, "call_id": m.id, "name": m.tool.name, "arguments": m.argsJSON(), "status": "completed"}
		if m.tool.namespace != "" {
			item["namespace"] = m.tool.namespace
		}
	}
	response := func(status string, output ...object) object {
		return object{"id": "resp_1", "object": "response", "created_at": 1, "status": status, "model": "stub", "output": append([]object{}, output...),
			"parallel_tool_calls": false, "tool_choice": "auto", "tools": []any{},
			"usage": object{"input_tokens": 1, "input_tokens_details": object{"cached_tokens": 0}, "output_tokens": 1,
				"output_tokens_details": object{"reasoning_tokens": 0}, "total_tokens": 2}}
	}
	if !stream {
		reply(w, response("completed", item))
		return
	}
	all := []object{{"type": "response.created", "response": response("in_progress")}, {"type": "response.output_item.added", "output_index": 0, "item": item}}
	if !m.calls() {
		all = append(all, object{"type": "response.output_text.delta", "item_id": "msg_1", "output_index": 0, "content_index": 0, "delta": m.text})
	}
	all = append(all, object{"type": "response.output_item.done", "output_index": 0, "item": item},
		object{"type": "response.completed", "response": response("completed", item)})
	for i := range all {
		all[i]["sequence_number"] = i
	}
	events(w, all...)
}
