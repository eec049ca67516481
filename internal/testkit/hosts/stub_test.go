package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// fakeID is a document's id as recall shows it.
const fakeID = "d_4btzfuf6qvww2aeg2hk4dcrpea"

// spoken is how a test's host speaks one API: the request of a conversation in which
// results have been given, and the call in an answer.
type spoken struct {
	name, path string
	request    func(results []string) object
	call       func(answer string) (tool string, args object)
}

// toolNames are names of our tools as hosts write them.
func toolNames(format string) []string {
	var names []string
	for _, tool := range toolsCalled {
		names = append(names, fmt.Sprintf(format, tool))
	}
	return names
}

func each(names []string, wrap func(string) object) []any {
	var all []any
	for _, name := range names {
		all = append(all, wrap(name))
	}
	return all
}

var apis = []spoken{
	{
		name: "chat", path: "/v1/chat/completions",
		request: func(results []string) object {
			return object{
				"tools":    each(toolNames("research-mcp_%s"), func(n string) object { return object{"type": "function", "function": object{"name": n}} }),
				"messages": each(results, func(r string) object { return object{"role": "tool", "content": r} }),
			}
		},
		call: func(answer string) (string, object) {
			f := path(answer, "choices", 0, "message", "tool_calls", 0, "function")
			return str(obj(f)["name"]), parsed(str(obj(f)["arguments"]))
		},
	},
	{
		name: "responses, with a namespace", path: "/v1/responses",
		request: func(results []string) object {
			return object{
				"tools": []any{object{"type": "namespace", "name": "mcp__research_mcp", "tools": each(toolNames("%s"), func(n string) object {
					return object{"type": "function", "name": strings.ReplaceAll(n, "-", "_")}
				})}},
				"input": each(results, func(r string) object {
					return object{"type": "function_call_output", "output": "Output:\n" + r}
				}),
			}
		},
		call: func(answer string) (string, object) {
			item := obj(path(answer, "output", 0))
			return strings.ReplaceAll(str(item["name"]), "_", "-"), parsed(str(item["arguments"]))
		},
	},
	{
		name: "messages", path: "/v1/messages",
		request: func(results []string) object {
			return object{
				"tools": each(toolNames("mcp__research-mcp__%s"), func(n string) object { return object{"name": n} }),
				"messages": each(results, func(r string) object {
					return object{"role": "user", "content": []any{object{"type": "tool_result", "content": []any{object{"type": "text", "text": r}}}}}
				}),
			}
		},
		call: func(answer string) (string, object) {
			block := obj(path(answer, "content", 0))
			return str(block["name"]), obj(block["input"])
		},
	},
	{
		name: "generateContent", path: "/v1beta/models/x:generateContent",
		request: func(results []string) object {
			return object{
				"tools": []any{object{"functionDeclarations": each(toolNames("mcp_research-mcp_%s"), func(n string) object { return object{"name": n} })}},
				"contents": each(results, func(r string) object {
					return object{"parts": []any{object{"functionResponse": object{"response": object{"output": r}}}}}
				}),
			}
		},
		call: func(answer string) (string, object) {
			f := obj(obj(path(answer, "candidates", 0, "content", "parts", 0))["functionCall"])
			return str(f["name"]), obj(f["args"])
		},
	},
}

func parsed(s string) object {
	var o object
	_ = json.Unmarshal([]byte(s), &o) // nil is what a wrong text gives
	return o
}

// path is the value at a path of keys and indices in a JSON text, or nil.
func path(text string, steps ...any) any {
	var v any = parsed(text)
	for _, step := range steps {
		switch step := step.(type) {
		case string:
			v = obj(v)[step]
		case int:
			list, _ := v.([]any)
			if step >= len(list) {
				return nil
			}
			v = list[step]
		}
	}
	return v
}

func post(t *testing.T, url string, body any) string {
	t.Helper()
	raw, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.Post(url, "application/json", bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(answer)
}

// TestStubCallsEachTool plays a host in each API, from the first call to the last answer.
func TestStubCallsEachTool(t *testing.T) {
	t.Parallel()
	for _, api := range apis {
		t.Run(api.name, func(t *testing.T) {
			t.Parallel()
			s := newStub()
			defer s.close()
			given := []string{"an answer", "documents", "1. " + fakeID + " https://example.org (web)", "Forgot 1 document (1 chunk)"}
			var results []string
			for step, tool := range toolsCalled {
				got, args := api.call(post(t, s.url()+api.path, api.request(results)))
				if !named(got, tool) || len(args) == 0 {
					t.Fatalf("call %d = %s %v, want %s", step, got, args, tool)
				}
				if tool == "forget" && !strings.Contains(encoded(args), fakeID) {
					t.Errorf("forget %v, want %s", args, fakeID)
				}
				results = append(results, given[step])
			}
			if s.done {
				t.Error("done before the last result")
			}
			last := post(t, s.url()+api.path, api.request(results))
			if got, _ := api.call(last); got != "" || !strings.Contains(last, "Done.") || !s.done {
				t.Errorf("at the end: call %q in %s, done %t", got, last, s.done)
			}
			for i, text := range given {
				if !strings.HasSuffix(s.results[i], text) {
					t.Errorf("result %d = %q, want %q", i, s.results[i], text)
				}
			}
		})
	}
}

// TestStubStreams: the events of each API have the call, or the text.
func TestStubStreams(t *testing.T) {
	t.Parallel()
	s := newStub()
	defer s.close()
	for _, api := range apis {
		request := api.request(nil)
		request["stream"] = true
		address := s.url() + strings.Replace(api.path, ":generate", ":streamGenerate", 1)
		if got := post(t, address, request); !strings.HasPrefix(got, "event: ") && !strings.HasPrefix(got, "data: ") || !strings.Contains(got, question) {
			t.Errorf("%s: a call: %s", api.name, got)
		}
		delete(request, "tools")
		if got := post(t, address, request); !strings.Contains(got, "data: ") || !strings.Contains(got, "Done.") {
			t.Errorf("%s: a text: %s", api.name, got)
		}
	}
}

func TestStubNamesAMissingTool(t *testing.T) {
	t.Parallel()
	s := newStub()
	defer s.close()
	post(t, s.url()+"/v1/messages", object{"tools": []any{object{"name": "WebSearch"}}, "messages": []any{}})
	if !s.offered || s.missing != "research is not among the tools [WebSearch]" {
		t.Errorf("offered %t, missing %q", s.offered, s.missing)
	}
}

func TestFlat(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		in   any
		want string
	}{
		{"plain [1] text", "plain [1] text"},
		{`[{"type":"text","text":"a\nb"}]`, "a\nb"},
		{[]any{object{"type": "text", "text": "a"}, object{"type": "text", "text": "b"}}, "a\nb"},
		{object{"output": "x", "id": "y"}, "x"},
		{"[1] is no JSON", "[1] is no JSON"},
		{nil, ""},
	} {
		if got := flat(tt.in); got != tt.want {
			t.Errorf("flat(%v) = %q, want %q", tt.in, got, tt.want)
		}
	}
}

func TestChosen(t *testing.T) {
	t.Parallel()
	all := allHosts()
	names := hostNames(all)
	for i, name := range names {
		if slices.Contains(names[:i], name) {
			t.Errorf("%s is there twice", name)
		}
	}
	if some, err := chosen(all, "codex, fastmcp"); err != nil || !slices.Equal(hostNames(some), []string{"codex", "fastmcp"}) {
		t.Errorf("chosen = %v, %v", hostNames(some), err)
	}
	if _, err := chosen(all, "codecs"); err == nil || !strings.Contains(err.Error(), "claude-code") {
		t.Errorf("error = %v, want one that lists the names", err)
	}
}
