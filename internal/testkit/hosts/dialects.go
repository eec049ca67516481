package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

type object = map[string]any

// offer is a tool as a host offers it to the model.
type offer struct{ namespace, name string }

func (o offer) String() string { return strings.TrimPrefix(o.namespace+"/"+o.name, "/") }

// conversation is what the stub wants to know of a request.
type conversation struct {
	tools   []offer
	results []string // of the calls so far, as the model would read them
	stream  bool
}

// move is what the model says: a call if tool has a name, or else a text.
type move struct {
	tool offer
	args map[string]any
	id   string
	text string
}

func (m move) calls() bool { return m.tool.name != "" }

func (m move) argsJSON() string {
	b, err := json.Marshal(m.args)
	if err != nil {
		panic(err) // strings, numbers and lists of strings
	}
	return string(b)
}

// dialect is one API of models.
type dialect struct {
	suffix string // how the path of its requests ends
	read   func(body object) conversation
	write  func(w http.ResponseWriter, m move, stream bool)
}

// dialectOf is the API that a path belongs to, or nil.
func dialectOf(path string) *dialect {
	for _, d := range []dialect{
		{"/chat/completions", readChat, writeChat},
		{"/responses", readResponses, writeResponses},
		{"/messages", readMessages, writeMessages},
		{":generateContent", readGemini, writeGemini},
		{":streamGenerateContent", readGemini, writeGemini},
	} {
		if strings.HasSuffix(path, d.suffix) {
			return &d
		}
	}
	return nil
}

// reply writes an object as JSON.
func reply(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // a host that went away does not matter
}

// events writes server-sent events; those with a type are named after it.
func events(w http.ResponseWriter, all ...object) {
	w.Header().Set("Content-Type", "text/event-stream")
	for _, e := range all {
		if name := str(e["type"]); name != "" {
			_, _ = fmt.Fprintf(w, "event: %s\n", name)
		}
		b, err := json.Marshal(e)
		if err != nil {
			panic(err) // made of strings and numbers
		}
		_, _ = fmt.Fprintf(w, "data: %s\n\n", b)
	}
}

func str(v any) string { s, _ := v.(string); return s }

func obj(v any) object { o, _ := v.(object); return o }

// objects are the objects of a list.
func objects(v any) []object {
	list, _ := v.([]any)
	var all []object
	for _, item := range list {
		if o := obj(item); o != nil {
			all = append(all, o)
		}
	}
	return all
}

// flat is the text of a tool's result as a model reads it. Hosts put it into lists of
// parts, and some of them write those as JSON into a string.
func flat(v any) string {
	switch v := v.(type) {
	case string:
		var inner any
		if trimmed := strings.TrimSpace(v); strings.HasPrefix(trimmed, "[") || strings.HasPrefix(trimmed, "{") {
			if json.Unmarshal([]byte(trimmed), &inner) == nil {
				return flat(inner)
			}
		}
		return v
	case []any:
		parts := make([]string, len(v))
		for i, part := range v {
			parts[i] = flat(part)
		}
		return strings.Join(parts, "\n")
	case object:
		var parts []string
		for _, key := range sortedKeys(v) {
			if s := flat(v[key]); s != "" && key != "type" && key != "id" {
				parts = append(parts, s)
			}
		}
		return strings.Join(parts, "\n")
	}
	return ""
}

func sortedKeys(o object) []string {
	var keys []string
	for key := range o {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
