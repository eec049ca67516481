package tools

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/jsonschema-go/jsonschema"
	"github.com/research-mcp/research-mcp/internal/research"
)

// Limits of arguments that several tools take. Lengths are in bytes.
const (
	maxName     = 100 // of a source or a tag
	maxID       = 200 // of a document or a session
	maxDate     = 40
	maxSources  = 50
	maxTags     = 20
	leastTokens = 200 // of max_tokens
	mostTokens  = 50_000

	// mostChars is the length of a result of mostTokens, in characters.
	mostChars = 250_000
)

// edit adds to a schema what the struct's types do not say. It panics when it
// names a field that the struct does not have.
type edit func(root *jsonschema.Schema)

// argumentSchema is the JSON schema of a tool's arguments: in full, and as clients see it.
type argumentSchema struct{ full, shown json.RawMessage }

// input is the JSON schema of a tool's arguments. Names, types and descriptions
// come from the fields of In and their tags "json" and "jsonschema"; arguments
// without omitempty are required. The edits add bounds and defaults. Clients are not
// shown the least length of a text and the bounds of a list's items, to save tokens.
func input[In any](edits ...edit) argumentSchema {
	s := inferred[In]()
	full := encoded(s, edits)
	for _, p := range s.Properties {
		p.MinLength = nil
		if p.Items != nil {
			p.Items.MinLength, p.Items.MaxLength = nil, nil
		}
	}
	return argumentSchema{full: full, shown: encoded(s, nil)}
}

// output is the JSON schema of a tool's result, made from the fields of Out.
// Only the fields of Out itself are required, and other fields are allowed, so
// that a client with an older schema accepts a newer result. It is nil unless it is wanted.
func output[Out any](wanted bool, edits ...edit) json.RawMessage {
	if !wanted {
		return nil
	}
	s := inferred[Out]()
	required := s.Required
	loosen(s)
	s.Required = required
	return encoded(s, edits)
}

func inferred[T any]() *jsonschema.Schema {
	s, err := jsonschema.For[T](nil)
	if err != nil {
		panic("tools: " + err.Error())
	}
	notNull(s)
	return s
}

func encoded(s *jsonschema.Schema, edits []edit) json.RawMessage {
	for _, e := range edits {
		e(s)
	}
	raw, err := json.Marshal(s)
	if err != nil {
		panic("tools: " + err.Error())
	}
	return raw
}

// notNull removes null from the types of pointers and slices: arguments that are
// null are dropped before they are checked, and results contain none.
func notNull(s *jsonschema.Schema) {
	if i := slices.Index(s.Types, "null"); i >= 0 && len(s.Types) == 2 {
		s.Type, s.Types = s.Types[1-i], nil
	}
	for _, child := range children(s) {
		notNull(child)
	}
}

// loosen allows other fields and requires none.
func loosen(s *jsonschema.Schema) {
	s.Required = nil
	if len(s.Properties) > 0 {
		s.AdditionalProperties = nil
	}
	for _, child := range children(s) {
		loosen(child)
	}
}

func children(s *jsonschema.Schema) []*jsonschema.Schema {
	var out []*jsonschema.Schema
	for _, p := range s.Properties {
		out = append(out, p)
	}
	if s.Items != nil {
		out = append(out, s.Items)
	}
	return out
}

// at returns the schema at a path of field names; "[]" behind a name means the
// items of a list.
func at(root *jsonschema.Schema, path string) *jsonschema.Schema {
	s := root
	for name := range strings.SplitSeq(path, ".") {
		name, items := strings.CutSuffix(name, "[]")
		s = s.Properties[name]
		if s != nil && items {
			s = s.Items
		}
		if s == nil {
			panic(fmt.Sprintf("tools: there is no field %q in the struct", path))
		}
	}
	return s
}

// textOf bounds a text, in bytes. A least of 0 sets no lower bound.
func textOf(name string, least, most int) edit {
	return func(root *jsonschema.Schema) { boundText(at(root, name), least, most) }
}

func boundText(s *jsonschema.Schema, least, most int) {
	s.MaxLength = &most
	if least > 0 {
		s.MinLength = &least
	}
}

// listOf bounds a list of at most items texts of at most most bytes each.
func listOf(name string, items, most int) edit {
	return func(root *jsonschema.Schema) {
		s := at(root, name)
		s.MaxItems = &items
		boundText(s.Items, 1, most)
	}
}

// numberOf bounds a whole number and sets its default.
func numberOf(name string, least, most, def int) edit {
	return func(root *jsonschema.Schema) {
		s, low, high := at(root, name), float64(least), float64(most)
		s.Minimum, s.Maximum = &low, &high
		s.Default = json.RawMessage(fmt.Sprint(def))
	}
}

// falseByDefault sets the default of a truth value.
func falseByDefault(name string) edit {
	return func(root *jsonschema.Schema) { at(root, name).Default = json.RawMessage("false") }
}

// oneOf lists the values of a text.
func oneOf(path string, values ...string) edit {
	return func(root *jsonschema.Schema) {
		s := at(root, path)
		for _, v := range values {
			s.Enum = append(s.Enum, v)
		}
	}
}

// byDefault sets the default of a text.
func byDefault(name, def string) edit {
	return func(root *jsonschema.Schema) { at(root, name).Default = json.RawMessage(fmt.Sprintf("%q", def)) }
}

// describeField sets the description of a field of the result.
func describeField(path, description string) edit {
	return func(root *jsonschema.Schema) { at(root, path).Description = description }
}

// opaque removes the fields of an object from the schema, to save tokens. The
// required ones are listed by name.
func opaque(path string, required ...string) edit {
	return func(root *jsonschema.Schema) {
		s := at(root, path)
		require(path, required...)(root)
		s.Properties, s.PropertyOrder, s.AdditionalProperties = nil, nil, nil
	}
}

// require replaces the required fields of the object at path; "" is the result
// itself.
func require(path string, names ...string) edit {
	return func(root *jsonschema.Schema) {
		s := root
		if path != "" {
			s = at(root, path)
		}
		for _, name := range names {
			at(s, name)
		}
		s.Required = names
	}
}

// budget bounds budget_seconds; its default is the setting, as far as an unknown
// client waits for it. It replaces %d in the
// description: some clients do not show the model the schema's keywords.
func (d Deps) budget() edit {
	const name = "budget_seconds"
	seconds := func(t time.Duration) int { return int(t.Round(time.Second) / time.Second) }
	usual := min(d.Budget, unknownPatience)
	words := strconv.Itoa(seconds(usual))
	if usual < d.Budget {
		words += fmt.Sprintf(" (%d for clients known to wait)", seconds(d.Budget))
	}
	bounds := numberOf(name, seconds(research.MinBudget), seconds(research.MaxBudget), seconds(usual))
	return func(root *jsonschema.Schema) {
		bounds(root)
		s := at(root, name)
		s.Description = strings.Replace(s.Description, "%d", words, 1)
	}
}

func tokens() edit { return numberOf("max_tokens", leastTokens, mostTokens, research.DefaultMaxTokens) }
