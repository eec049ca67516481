package tools

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/text"
)

// form is a tool's input schema, read to check arguments by. It knows the part
// of JSON Schema that the tools use, and says in words what is wrong.
type form struct {
	Properties map[string]field `json:"properties"`
	Required   []string         `json:"required"`
}

// field is the schema of one argument. Lengths are counted in bytes, which is
// at least as strict as the schema's characters.
type field struct {
	Type      string   `json:"type"` // string, integer, boolean or array of strings
	Enum      []string `json:"enum"`
	Minimum   *int64   `json:"minimum"`
	Maximum   *int64   `json:"maximum"`
	MinLength int      `json:"minLength"`
	MaxLength int      `json:"maxLength"`
	MaxItems  int      `json:"maxItems"`
	Items     *field   `json:"items"`
}

func parseForm(schema json.RawMessage) (form, error) {
	var f form
	if err := json.Unmarshal(schema, &f); err != nil {
		return form{}, fmt.Errorf("reading the input schema: %w", err)
	}
	for name, p := range f.Properties {
		switch p.Type {
		case "string", "integer", "boolean":
		case "array":
			if p.Items == nil || p.Items.Type != "string" {
				return form{}, fmt.Errorf("argument %s: only lists of strings are understood", name)
			}
		default:
			return form{}, fmt.Errorf("argument %s: type %q is not understood", name, p.Type)
		}
	}
	return f, nil
}

// check returns the arguments as an object of values with the schema's types,
// or an *evidence.Problem that names the argument, its value and the bounds.
// An argument that is null counts as left out: many clients send all of them.
func (f form) check(args json.RawMessage) (json.RawMessage, error) {
	given, err := object(args)
	if err != nil {
		return nil, err
	}
	clean := make(map[string]any, len(given))
	for _, name := range slices.Sorted(maps.Keys(given)) {
		p, known := f.Properties[name]
		if !known {
			return nil, f.unknown(name)
		}
		if given[name] == nil {
			continue
		}
		if clean[name], err = p.value(name, given[name]); err != nil {
			return nil, err
		}
	}
	for _, name := range f.Required {
		if _, ok := clean[name]; !ok {
			return nil, evidence.BadInput(fmt.Sprintf("argument %q is missing", name), "give it "+f.Properties[name].want())
		}
	}
	return json.Marshal(clean)
}

func object(args json.RawMessage) (map[string]any, error) {
	if len(bytes.TrimSpace(args)) == 0 {
		return nil, nil
	}
	dec := json.NewDecoder(bytes.NewReader(args))
	dec.UseNumber()
	var v any
	err := dec.Decode(&v)
	if err == nil {
		if _, more := dec.Token(); !errors.Is(more, io.EOF) {
			err = errors.New("more than one value")
		}
	}
	if err != nil {
		return nil, evidence.BadInput("the arguments are not valid JSON: "+err.Error(), "give one JSON object")
	}
	switch v := v.(type) {
	case nil:
		return nil, nil
	case map[string]any:
		return v, nil
	}
	return nil, evidence.BadInput("the arguments are "+describe(v), "give a JSON object of argument names and values")
}

// longestName is in bytes; nobody mistypes an argument into something longer.
const longestName = 64

func (f form) unknown(name string) error {
	valid := slices.Sorted(maps.Keys(f.Properties))
	try := "valid: " + strings.Join(valid, ", ")
	if len(name) <= longestName {
		if near := text.Nearest(name, valid); near != "" {
			try = fmt.Sprintf("did you mean %q? %s", near, try)
		}
	}
	return evidence.BadInput(fmt.Sprintf("unknown argument %s", quote(name)), try)
}

func (p field) value(name string, v any) (any, error) {
	switch p.Type {
	case "string":
		if s, ok := v.(string); ok {
			return p.text(name, s)
		}
	case "integer":
		if n, ok := v.(json.Number); ok {
			return p.number(name, n)
		}
	case "boolean":
		if b, ok := v.(bool); ok {
			return b, nil
		}
	case "array":
		if list, ok := v.([]any); ok {
			return p.list(name, list)
		}
	}
	return nil, p.refuse(name, describe(v))
}

func (p field) text(name, s string) (any, error) {
	switch {
	case len(p.Enum) > 0 && !slices.Contains(p.Enum, s):
		return nil, p.refuse(name, quote(s))
	case s == "" && p.MinLength > 0:
		return nil, p.refuse(name, "empty (0 bytes)")
	case p.MaxLength > 0 && len(s) > p.MaxLength:
		return nil, p.refuse(name, fmt.Sprintf("%d bytes", len(s)))
	}
	return s, nil
}

// number takes 45 and 45.0 and 4.5e1 alike, as JSON Schema does.
func (p field) number(name string, n json.Number) (any, error) {
	digits, _ := text.Cut(n.String(), 40)
	if len(n) > 40 { // no bound of ours needs more, and an exponent may stand for gigabytes of digits
		return nil, p.refuse(name, digits+"…")
	}
	if i := strings.IndexAny(digits, "eE"); i >= 0 && len(digits)-i > 4 {
		return nil, p.refuse(name, digits)
	}
	r, ok := new(big.Rat).SetString(digits)
	if !ok || !r.IsInt() || !r.Num().IsInt64() {
		return nil, p.refuse(name, digits)
	}
	i := r.Num().Int64()
	if p.Minimum != nil && i < *p.Minimum || p.Maximum != nil && i > *p.Maximum {
		return nil, p.refuse(name, digits)
	}
	return i, nil
}

func (p field) list(name string, list []any) (any, error) {
	if p.MaxItems > 0 && len(list) > p.MaxItems {
		return nil, p.refuse(name, fmt.Sprintf("a list of %d", len(list)))
	}
	out := make([]string, 0, len(list))
	for i, v := range list {
		s, err := p.Items.value(fmt.Sprintf("%s[%d]", name, i), v)
		if err != nil {
			return nil, err
		}
		out = append(out, s.(string))
	}
	return out, nil
}

// refuse says what the argument is and what it has to be.
func (p field) refuse(name, is string) error {
	return evidence.BadInput(fmt.Sprintf("argument %q is %s", name, is), "give "+p.want())
}

// want describes the values that the field takes.
func (p field) want() string {
	switch p.Type {
	case "integer":
		switch {
		case p.Minimum != nil && p.Maximum != nil:
			return fmt.Sprintf("a whole number from %d to %d", *p.Minimum, *p.Maximum)
		case p.Minimum != nil:
			return fmt.Sprintf("a whole number of at least %d", *p.Minimum)
		}
		return "a whole number"
	case "boolean":
		return "true or false"
	case "array":
		want := "a list of texts"
		if p.MaxItems > 0 {
			want = fmt.Sprintf("a list of at most %d texts", p.MaxItems)
		}
		return want
	}
	if len(p.Enum) > 0 {
		return "one of " + strings.Join(p.Enum, ", ")
	}
	if p.MaxLength > 0 {
		return fmt.Sprintf("a text of %d to %d bytes", p.MinLength, p.MaxLength)
	}
	return "a text"
}

// describe says what a JSON value is, in the words of a person.
func describe(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case bool:
		return strconv.FormatBool(v)
	case json.Number:
		n, _ := text.Cut(v.String(), 40)
		return "the number " + n
	case string:
		return "the text " + quote(v)
	case []any:
		return "a list"
	}
	return "an object"
}

// quote shows a caller's value, without what a reader cannot see and not too
// much of it.
func quote(s string) string {
	s, _ = text.Clean(s)
	short, cut := text.Cut(s, 60)
	if cut {
		short += "…"
	}
	return strconv.Quote(short)
}
