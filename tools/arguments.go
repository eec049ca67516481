package tools

import (
	"bytes"
	"cmp"
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
	"github.com/research-mcp/research-mcp/internal/redact"
	"github.com/research-mcp/research-mcp/internal/text"
)

// checker repairs arguments and checks them against a tool's input schema. It knows the
// part of JSON Schema that the tools use; its errors name the argument, its value and the
// bounds.
type checker struct {
	Properties map[string]property `json:"properties"`
	Required   []string            `json:"required"`

	example string              // arguments that are valid, as JSON
	known   map[string][]string // valid values by argument, as far as they are known
	oneOf   []string            // at least one of them is needed
	strict  bool                // the tool removes something: no argument is guessed
}

// property is the schema of one argument. Lengths are counted in bytes, which is
// at least as strict as the characters of JSON Schema.
type property struct {
	Type      string    `json:"type"` // string, integer, boolean or array of strings
	Enum      []string  `json:"enum"`
	Minimum   *int64    `json:"minimum"`
	Maximum   *int64    `json:"maximum"`
	MinLength int       `json:"minLength"`
	MaxLength int       `json:"maxLength"`
	MaxItems  int       `json:"maxItems"`
	Items     *property `json:"items"`
}

// newChecker returns the checker of d's arguments. sources are the names that the
// arguments source and sources may have.
func newChecker(d Definition, sources []string) (checker, error) {
	c := checker{example: d.Example, oneOf: d.OneOf, strict: d.Hints.Destructive, known: map[string][]string{"source": sources, "sources": sources}}
	if err := json.Unmarshal(d.args.full, &c); err != nil {
		return checker{}, fmt.Errorf("reading the input schema: %w", err)
	}
	for name, p := range c.Properties {
		switch p.Type {
		case "string", "integer", "boolean":
		case "array":
			if p.Items == nil || p.Items.Type != "string" {
				return checker{}, fmt.Errorf("argument %s: only lists of strings are understood", name)
			}
		default:
			return checker{}, fmt.Errorf("argument %s: type %q is not understood", name, p.Type)
		}
	}
	return c, nil
}

// check returns the repaired arguments as a JSON object whose values have the schema's
// types, or an *evidence.Problem. An argument that is null, or an empty text, counts as
// left out: many clients send all of them.
func (c checker) check(args json.RawMessage) (json.RawMessage, error) {
	given, err := c.object(args)
	if err != nil {
		return nil, err
	}
	given = c.rename(given)
	clean := make(map[string]any, len(given))
	for _, name := range slices.Sorted(maps.Keys(given)) {
		p, known := c.Properties[name]
		if !known {
			return nil, c.unknown(name, given)
		}
		v := p.repair(name, given[name], c.known[name])
		if c.strict && isBlank(given[name]) { // without it, more would be selected than was meant
			return nil, evidence.BadInput(fmt.Sprintf("argument %q is empty", name), "leave it out, or give what it is to select"+c.such())
		}
		if v == nil || v == "" && p.MinLength > 0 && !c.strict && !slices.Contains(c.Required, name) {
			continue
		}
		if clean[name], err = p.value(name, v); err != nil {
			return nil, err
		}
	}
	for _, name := range c.Required {
		if _, ok := clean[name]; !ok {
			return nil, evidence.BadInput(fmt.Sprintf("argument %q is missing", name), "give it "+c.Properties[name].want()+c.such())
		}
	}
	if len(c.oneOf) > 0 && !slices.ContainsFunc(c.oneOf, func(name string) bool { return clean[name] != nil }) {
		for _, name := range c.oneOf {
			if given[name] == "" {
				_, err := c.Properties[name].text(name, "")
				return nil, cmp.Or(err, error(evidence.BadInput(fmt.Sprintf("argument %q is empty", name), "give it"+c.such())))
			}
		}
		return nil, evidence.BadInput(fmt.Sprintf("argument %q is missing, and so is %q", c.oneOf[0], c.oneOf[1]), "give one of them"+c.such())
	}
	return json.Marshal(clean)
}

// isBlank reports whether a value selects nothing: an empty list, or a text of white
// space.
func isBlank(v any) bool {
	switch v := v.(type) {
	case string:
		return strings.TrimSpace(v) == ""
	case []any:
		return !slices.ContainsFunc(v, func(item any) bool { return !isBlank(item) })
	}
	return false
}

// such shows an example of the arguments.
func (c checker) such() string {
	if c.example == "" {
		return ""
	}
	return ", such as " + c.example
}

// object decodes the arguments. An object in a text, or within an only member such as
// "arguments", is taken out.
func (c checker) object(args json.RawMessage) (map[string]any, error) {
	if len(bytes.TrimSpace(args)) == 0 {
		return nil, nil
	}
	v, err := decode(args)
	if err != nil {
		return nil, evidence.BadInput("the arguments are not valid JSON: "+err.Error(), "give one JSON object"+c.such())
	}
	if s, ok := v.(string); ok {
		if inner, err := decode([]byte(s)); err == nil {
			v = inner
		}
	}
	switch v := v.(type) {
	case nil:
		return nil, nil
	case map[string]any:
		return c.unwrap(v), nil
	}
	return nil, evidence.BadInput("the arguments are "+describe(v), "give a JSON object of argument names and values"+c.such())
}

func decode(raw []byte) (any, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, err
	}
	if _, more := dec.Token(); !errors.Is(more, io.EOF) {
		return nil, errors.New("more than one value")
	}
	return v, nil
}

// longestName is the longest unknown argument, in bytes, that a valid one is
// suggested for.
const longestName = 64

// unknown refuses an argument that does not exist. A tool that removes something suggests
// none: the suggestion could remove what nobody meant.
func (c checker) unknown(name string, given map[string]any) error {
	valid := slices.Sorted(maps.Keys(c.Properties))
	try := "valid: " + strings.Join(valid, ", ")
	if c.strict {
		try += "; name exactly what the user wants removed, or ask"
	} else if len(name) <= longestName {
		if near := text.Nearest(name, valid); near != "" {
			try = fmt.Sprintf("did you mean %q? %s", near, try)
		}
	}
	what := fmt.Sprintf("unknown argument %s", quote(name))
	needed := c.Required
	if len(c.oneOf) > 0 && !slices.ContainsFunc(c.oneOf, func(name string) bool { return given[name] != nil }) {
		needed = append(slices.Clone(needed), c.oneOf[0])
	}
	for _, required := range needed {
		if _, ok := given[required]; !ok {
			what += fmt.Sprintf(", and %q is missing", required)
			try += "; give arguments" + c.such()
		}
	}
	return evidence.BadInput(what, strings.Replace(try, "arguments, such", "arguments such", 1))
}

func (p property) value(name string, v any) (any, error) {
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

func (p property) text(name, s string) (any, error) {
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

// number accepts 45, 45.0 and 4.5e1 alike, as JSON Schema does.
func (p property) number(name string, n json.Number) (any, error) {
	digits, _ := text.Cut(n.String(), 40)
	if len(n) > 40 { // no bound needs more; a large exponent below would cost gigabytes of memory
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

func (p property) list(name string, list []any) (any, error) {
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

// refuse returns an error that names the argument's value and the valid ones.
func (p property) refuse(name, is string) error {
	return evidence.BadInput(fmt.Sprintf("argument %q is %s", name, is), "give "+p.want())
}

// want describes the valid values.
func (p property) want() string {
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

// describe describes a JSON value of the wrong type.
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

// quote quotes a caller's value, without invisible characters and cut to 60
// bytes.
func quote(s string) string {
	s, _ = text.Clean(s)
	short, cut := text.Cut(redact.Shapes(s), 60)
	if cut {
		short += "…"
	}
	return strconv.Quote(short)
}
