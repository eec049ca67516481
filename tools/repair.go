package tools

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"unicode"
)

// Repairs turn what models write by mistake into what they meant, where nothing can be
// lost by it. What is not repaired is refused by the check that follows.

// aliases are the names under which models know arguments of ours from other tools.
var aliases = map[string][]string{
	"question": {"query", "prompt", "q"},
	"query":    {"question", "q", "search", "keywords"},
	"urls":     {"url", "uris", "uri", "links", "link"},
	"url":      {"uri", "link"},
	"ids":      {"id", "documentid", "documentids"},
	"text":     {"content", "note", "body"},
	"tags":     {"tag"},
	"k":        {"limit", "topk", "n"},
	"limit":    {"k", "topk", "maxresults"},
	"sources":  {"source"},
	"source":   {"sources"},
	"session":  {"sessionid"},
	"since":    {"after", "from"},
	"until":    {"to"},
}

// wrappers are members that some clients put around the arguments.
var wrappers = []string{"arguments", "args", "input", "params", "parameters"}

// unwrap returns the object within an only member that is a wrapper.
func (c checker) unwrap(given map[string]any) map[string]any {
	if len(given) != 1 {
		return given
	}
	for _, name := range wrappers {
		v := given[name]
		if s, ok := v.(string); ok {
			v, _ = decode([]byte(s)) // what is no JSON is refused under its name
		}
		if inner, ok := v.(map[string]any); ok && c.Properties[name].Type == "" {
			return inner
		}
	}
	return given
}

// rename gives arguments their names: case, hyphens and aliases are understood, as long
// as no two arguments get the same name.
func (c checker) rename(given map[string]any) map[string]any {
	out := make(map[string]any, len(given))
	var rest []string
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if _, known := c.Properties[name]; known {
			out[name] = given[name]
		} else {
			rest = append(rest, name)
		}
	}
	for _, name := range rest {
		to := name
		if meant := c.meant(name); meant != "" && out[meant] == nil {
			to = meant
		}
		out[to] = given[name]
	}
	return out
}

// meant returns the argument that name is another spelling of, or "".
func (c checker) meant(name string) string {
	plain := simplify(name)
	valid := slices.Sorted(maps.Keys(c.Properties))
	for _, to := range valid {
		if simplify(to) == plain {
			return to
		}
	}
	for _, to := range valid {
		if slices.Contains(aliases[to], plain) {
			return to
		}
	}
	return ""
}

// simplify drops what spellings of a name differ in: case and signs.
func simplify(name string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			return -1
		}
		return unicode.ToLower(r)
	}, name)
}

// repair converts a value to the property's type, if that loses nothing. known are the
// values that the argument may have; none: any.
func (p property) repair(name string, v any, known []string) any {
	switch p.Type {
	case "integer":
		if s, ok := v.(string); ok && json.Valid([]byte(strings.TrimSpace(s))) {
			return firstOf[json.Number](s, v)
		}
	case "boolean":
		if s, ok := v.(string); ok {
			return firstOf[bool](strings.ToLower(s), v)
		}
	case "array":
		return p.repairList(name, v, known)
	case "string":
		if list, ok := v.([]any); ok && len(list) == 1 {
			v = list[0]
		}
		if n, ok := v.(json.Number); ok && len(p.Enum) == 0 {
			v = n.String()
		}
		if s, ok := v.(string); ok {
			return spelled(s, append(slices.Clip(p.Enum), known...))
		}
	}
	return v
}

// firstOf returns the value of type T that s is the JSON of, or v if it is none.
func firstOf[T any](s string, v any) any {
	if inner, err := decode([]byte(s)); err == nil {
		if t, ok := inner.(T); ok {
			return t
		}
	}
	return v
}

// repairList makes a list of a text: of the JSON of a list, of items with commas between
// them, or of a single item.
func (p property) repairList(name string, v any, known []string) any {
	if s, ok := v.(string); ok {
		if strings.TrimSpace(s) == "" {
			return nil
		}
		v = firstOf[[]any](s, v)
		if _, still := v.(string); still {
			v = split(s)
		}
	}
	list, ok := v.([]any)
	if !ok {
		if n, number := v.(json.Number); number && name != "sources" {
			return []any{n.String()}
		}
		return v
	}
	if len(list) == 0 {
		return nil
	}
	out := slices.Clone(list)
	for i, item := range out {
		if s, ok := item.(string); ok {
			out[i] = spelled(s, known)
		}
	}
	return out
}

// split separates items by commas, line breaks, and by white space before an address. A
// comma within an address is part of it.
func split(s string) any {
	var parts []any
	for part := range strings.FieldsFuncSeq(s, func(r rune) bool { return r == ',' || r == '\n' }) {
		part = strings.TrimSpace(part)
		last := len(parts) - 1
		switch {
		case part == "":
		case last >= 0 && isAddress(parts[last].(string)) && !isAddress(part):
			parts[last] = parts[last].(string) + "," + part
		default:
			parts = append(parts, part)
		}
	}
	return parts
}

func isAddress(s string) bool {
	s = strings.ToLower(s)
	return strings.HasPrefix(s, "http://") || strings.HasPrefix(s, "https://")
}

// spelled returns the one of the values that s is another spelling of, or s.
func spelled(s string, values []string) string {
	if len(values) == 0 || slices.Contains(values, s) {
		return s
	}
	found := s
	n := 0
	for _, v := range values {
		if simplify(v) == simplify(s) {
			found, n = v, n+1
		}
	}
	if n != 1 {
		return s
	}
	return found
}
