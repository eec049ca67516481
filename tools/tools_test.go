package tools

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/research"
	"github.com/research-mcp/research-mcp/internal/text"
)

// fake answers with what it was given, and keeps what it was asked.
type fake struct {
	answer  evidence.Answer
	fetched FetchResult
	hits    evidence.RecallResult
	err     error

	request research.Request
	fetch   FetchRequest
	query   evidence.RecallQuery
}

func (f *fake) Research(_ context.Context, r research.Request, observe func(research.Event)) (evidence.Answer, error) {
	f.request = r
	observe(research.Event{Kind: research.EventDone})
	return f.answer, f.err
}

func (f *fake) FetchSources(_ context.Context, r FetchRequest, _ func(research.Event)) (FetchResult, error) {
	f.fetch = r
	return f.fetched, f.err
}

func (f *fake) Recall(_ context.Context, q evidence.RecallQuery) (evidence.RecallResult, error) {
	f.query = q
	return f.hits, f.err
}

var today = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func deps(f *fake) Deps {
	return Deps{Research: f, Fetch: f, Recall: f,
		Now:      func() time.Time { return today },
		Boundary: func() string { return "b0b0b0" },
	}
}

func call(t *testing.T, f *fake, name, args string) (Result, error) {
	t.Helper()
	all := All(deps(f))
	i := slices.IndexFunc(all, func(d Definition) bool { return d.Name == name })
	if i < 0 {
		t.Fatalf("no tool %q", name)
	}
	return all[i].Call(t.Context(), json.RawMessage(args), func(research.Event) {})
}

func TestBadArgumentsAreNamed(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 100_000)
	tests := []struct {
		name, tool, args, want string
	}{
		{"misspelt", "research", `{"qestion":"x"}`, `unknown argument "qestion"; did you mean "question"? valid: budget_seconds, depth, language, max_tokens, question, session, sources`},
		{"hyphen", "research", `{"question":"x","max-tokens":300}`, `unknown argument "max-tokens"; did you mean "max_tokens"? valid: budget_seconds, depth, language, max_tokens, question, session, sources`},
		{"capital", "research", `{"Question":"x"}`, `unknown argument "Question"; did you mean "question"? valid: budget_seconds, depth, language, max_tokens, question, session, sources`},
		{"nothing like it", "recall", `{"query":"x","frobnicate":1}`, `unknown argument "frobnicate"; valid: k, max_tokens, query, session, since, source, tags, until`},
		{"a very long name", "recall", `{"query":"x","` + long + `":1}`, `unknown argument "` + strings.Repeat("x", 60) + `…"; valid: k, max_tokens, query, session, since, source, tags, until`},
		{"missing", "research", `{}`, `argument "question" is missing; give it a text of 1 to 20000 bytes`},
		{"no arguments", "research", ``, `argument "question" is missing; give it a text of 1 to 20000 bytes`},
		{"null", "research", `{"question":null}`, `argument "question" is missing; give it a text of 1 to 20000 bytes`},
		{"empty", "research", `{"question":""}`, `argument "question" is empty (0 bytes); give a text of 1 to 20000 bytes`},
		{"blank", "research", `{"question":" \n"}`, `argument "question" is 2 bytes of white space; give the question in words`},
		{"100 kB", "research", `{"question":"` + long + `"}`, `argument "question" is 100000 bytes; give a text of 1 to 20000 bytes`},
		{"budget of 0", "research", `{"question":"x","budget_seconds":0}`, `argument "budget_seconds" is 0; give a whole number from 1 to 600`},
		{"budget of a day", "research", `{"question":"x","budget_seconds":86400}`, `argument "budget_seconds" is 86400; give a whole number from 1 to 600`},
		{"fraction", "research", `{"question":"x","budget_seconds":1.5}`, `argument "budget_seconds" is 1.5; give a whole number from 1 to 600`},
		{"monstrous exponent", "research", `{"question":"x","budget_seconds":1e999999999}`, `argument "budget_seconds" is 1e999999999; give a whole number from 1 to 600`},
		{"many digits", "research", `{"question":"x","budget_seconds":` + strings.Repeat("9", 50) + `}`, `argument "budget_seconds" is ` + strings.Repeat("9", 40) + `…; give a whole number from 1 to 600`},
		{"text for a number", "research", `{"question":"x","budget_seconds":"ten"}`, `argument "budget_seconds" is the text "ten"; give a whole number from 1 to 600`},
		{"number for a text", "research", `{"question":7}`, `argument "question" is the number 7; give a text of 1 to 20000 bytes`},
		{"text for a list", "research", `{"question":"x","sources":"wikipedia"}`, `argument "sources" is the text "wikipedia"; give a list of at most 50 texts`},
		{"number in a list", "research", `{"question":"x","sources":["a",3]}`, `argument "sources[1]" is the number 3; give a text of 1 to 100 bytes`},
		{"unknown depth", "research", `{"question":"x","depth":"abyss"}`, `argument "depth" is "abyss"; give one of quick, standard, deep`},
		{"text for a truth value", "fetch-sources", `{"query":"x","full_text":"yes"}`, `argument "full_text" is the text "yes"; give true or false`},
		{"a list for all", "research", `[1]`, `the arguments are a list; give a JSON object of argument names and values`},
		{"an object in it", "research", `{"question":{}}`, `argument "question" is an object; give a text of 1 to 20000 bytes`},
		{"neither query nor urls", "fetch-sources", `{"limit":3}`, `neither "query" nor "urls" is given; give search keywords, or addresses to read`},
		{"address without scheme", "fetch-sources", `{"urls":["example.org"]}`, `argument "urls[0]" is "example.org"; give an absolute address that begins with https:// or http://`},
		{"file address", "fetch-sources", `{"urls":["https://a.example","file:///etc/passwd"]}`, `argument "urls[1]" is "file:///etc/passwd"; give an absolute address that begins with https:// or http://`},
		{"bad date", "recall", `{"query":"x","since":"yesterday"}`, `argument "since" is "yesterday"; give a date such as 2026-01-31 or 2026-01-31T15:04:05Z`},
		{"31 February", "recall", `{"query":"x","until":"2026-02-31"}`, `argument "until" is "2026-02-31"; give a date such as 2026-01-31 or 2026-01-31T15:04:05Z`},
		{"dates in the wrong order", "recall", `{"query":"x","since":"2026-02-02","until":"2026-02-01"}`, `since 2026-02-02 is after until 2026-02-01; swap them`},
		{"k of 0", "recall", `{"query":"x","k":0}`, `argument "k" is 0; give a whole number from 1 to 50`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := call(t, &fake{}, tt.tool, tt.args)
			var p *evidence.Problem
			if !errors.As(err, &p) || !p.Usage {
				t.Fatalf("error = %v, want an *evidence.Problem of the caller's", err)
			}
			if diff := cmp.Diff(tt.want, p.Error()); diff != "" {
				t.Errorf("text (-want +got):\n%s", diff)
			}
		})
	}
}

func TestResearchAsks(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, args string
		want       research.Request
	}{
		{"defaults", `{"question":"why?"}`, research.Request{Question: "why?", Depth: "standard", Budget: 45 * time.Second, MaxTokens: 4000}},
		{"nulls are defaults", `{"question":"why?","budget_seconds":null,"sources":null}`, research.Request{Question: "why?", Depth: "standard", Budget: 45 * time.Second, MaxTokens: 4000}},
		{"all", `{"question":"why?","session":"s_1","sources":["a","b"],"depth":"deep","budget_seconds":6e2,"max_tokens":200.0,"language":"de"}`,
			research.Request{Question: "why?", Session: "s_1", Sources: []string{"a", "b"}, Depth: "deep", Budget: 10 * time.Minute, MaxTokens: 200, Language: "de"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := &fake{}
			if _, err := call(t, f, "research", tt.args); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, f.request); diff != "" {
				t.Errorf("request (-want +got):\n%s", diff)
			}
		})
	}
}

func TestFetchSourcesAsks(t *testing.T) {
	t.Parallel()
	f := &fake{}
	if _, err := call(t, f, "fetch-sources", `{"query":" go ","urls":["https://go.dev"],"full_text":true,"limit":3}`); err != nil {
		t.Fatal(err)
	}
	want := FetchRequest{Query: "go", URLs: []string{"https://go.dev"}, FullText: true, Limit: 3, Budget: 45 * time.Second}
	if diff := cmp.Diff(want, f.fetch); diff != "" {
		t.Errorf("request (-want +got):\n%s", diff)
	}
}

func TestRecallAsks(t *testing.T) {
	t.Parallel()
	f := &fake{}
	if _, err := call(t, f, "recall", `{"query":"go","k":3,"source":"w","session":"s","tags":["a"],"since":"2026-01-01","until":"2026-01-31"}`); err != nil {
		t.Fatal(err)
	}
	want := evidence.RecallQuery{Text: "go", K: 3, Source: "w", Session: "s", Tags: []string{"a"},
		Since: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), Until: time.Date(2026, 1, 31, 23, 59, 59, 999999999, time.UTC)}
	if diff := cmp.Diff(want, f.query); diff != "" {
		t.Errorf("query (-want +got):\n%s", diff)
	}
}

func TestErrorsPassThrough(t *testing.T) {
	t.Parallel()
	want := evidence.BadInput("session \"x\" does not exist", "leave it out")
	for name, args := range map[string]string{"research": `{"question":"q"}`, "fetch-sources": `{"query":"q"}`, "recall": `{"query":"q"}`} {
		if _, err := call(t, &fake{err: want}, name, args); !errors.Is(err, want) {
			t.Errorf("%s: error = %v, want %v", name, err, want)
		}
	}
}

// TestOutputSchemasNameEveryField holds the schemas to the structs: each field
// of a full value is in the schema with its type, and the other way round.
func TestOutputSchemasNameEveryField(t *testing.T) {
	t.Parallel()
	values := map[string]any{
		"research":      fullAnswer(),
		"fetch-sources": FetchSourcesOut{Documents: []evidence.Document{fullDocument()}, Sources: fullAnswer().Sources, Warnings: []string{"w"}},
		"recall": RecallOut{Hits: []RecallHit{{DocumentID: "d", Title: "t", URL: "u", Source: "s", Text: "x", Start: 1, End: 2, Score: 0.5,
			Retrieved: today, AgeDays: 1, Untrusted: true, Tags: []string{"a"}}}, Index: "ready", Warnings: []string{"w"}},
	}
	for _, d := range All(deps(&fake{})) {
		var schema map[string]any
		if err := json.Unmarshal(d.OutputSchema, &schema); err != nil {
			t.Fatal(err)
		}
		raw, err := json.Marshal(values[d.Name])
		if err != nil {
			t.Fatal(err)
		}
		var v any
		if err := json.Unmarshal(raw, &v); err != nil {
			t.Fatal(err)
		}
		sameShape(t, d.Name, schema, v)
	}
}

func sameShape(t *testing.T, at string, schema map[string]any, v any) {
	t.Helper()
	typ, ok := schema["type"].(string)
	if !ok {
		t.Errorf("%s: type %v is not a single type", at, schema["type"])
		return
	}
	is := map[string]string{"string": "string", "float64": "number", "bool": "boolean", "[]interface {}": "array", "map[string]interface {}": "object"}[reflect.TypeOf(v).String()]
	if typ != is && (typ != "integer" || is != "number") {
		t.Errorf("%s: schema says %s, value is %s", at, typ, is)
	}
	switch v := v.(type) {
	case []any:
		items, ok := schema["items"].(map[string]any)
		if !ok || len(v) == 0 {
			t.Fatalf("%s: items %v, value %v", at, schema["items"], v)
		}
		sameShape(t, at+"[]", items, v[0])
	case map[string]any:
		props, ok := schema["properties"].(map[string]any)
		if !ok {
			return // an open object
		}
		for name, p := range props {
			if v[name] == nil {
				t.Errorf("%s.%s is in the schema, not in the value", at, name)
				continue
			}
			sameShape(t, at+"."+name, p.(map[string]any), v[name])
		}
		for name := range v {
			if props[name] == nil && at+"."+name != "research.analysis.error" {
				t.Errorf("%s.%s is in the value, not in the schema", at, name)
			}
		}
	}
}

// TestInputSchemas holds the schemas to the structs, the defaults and the rules
// for tools.
func TestInputSchemas(t *testing.T) {
	t.Parallel()
	ins := map[string]reflect.Type{
		"research":      reflect.TypeFor[ResearchIn](),
		"fetch-sources": reflect.TypeFor[FetchSourcesIn](),
		"recall":        reflect.TypeFor[RecallIn](),
	}
	defaults := map[string]float64{"budget_seconds": defaultBudget, "max_tokens": defaultMaxTokens, "limit": defaultFetchLimit, "k": defaultRecallHits}
	for _, d := range All(deps(&fake{})) {
		var schema struct {
			AdditionalProperties *bool
			Properties           map[string]map[string]any
		}
		if err := json.Unmarshal(d.InputSchema, &schema); err != nil {
			t.Fatal(err)
		}
		if schema.AdditionalProperties == nil || *schema.AdditionalProperties {
			t.Errorf("%s: unknown arguments are not refused", d.Name)
		}
		if d.Title == "" || d.About == "" {
			t.Errorf("%s: title %q, about %q", d.Name, d.Title, d.About)
		}
		var fields []string
		for i := range ins[d.Name].NumField() {
			fields = append(fields, ins[d.Name].Field(i).Tag.Get("json"))
		}
		slices.Sort(fields)
		var names []string
		for name, p := range schema.Properties {
			names = append(names, name)
			if p["description"] == nil {
				t.Errorf("%s: argument %s has no description", d.Name, name)
			}
			if want, ok := defaults[name]; ok && p["default"] != want {
				t.Errorf("%s: default of %s is %v, want %v", d.Name, name, p["default"], want)
			}
			if p["type"] == "integer" && (p["minimum"] == nil || p["maximum"] == nil) || p["type"] == "string" && p["maxLength"] == nil && p["enum"] == nil {
				t.Errorf("%s: argument %s has no bounds", d.Name, name)
			}
		}
		slices.Sort(names)
		if diff := cmp.Diff(fields, names); diff != "" {
			t.Errorf("%s: arguments (-struct +schema):\n%s", d.Name, diff)
		}
	}
}

func TestDescriptionNamesTheSources(t *testing.T) {
	t.Parallel()
	d := deps(&fake{})
	d.Sources = []string{"hackernews", "wikipedia"}
	for _, def := range All(d) {
		if got, want := strings.HasSuffix(def.About, "Sources: hackernews, wikipedia."), def.Name != "recall"; got != want {
			t.Errorf("%s names the sources: %t, want %t", def.Name, got, want)
		}
	}
}

func FuzzArguments(f *testing.F) {
	for _, seed := range []string{`{"question":"x"}`, `{"question":"x","budget_seconds":1e3}`, `[]`, `{`, `{"sources":[1]}`, `{"a":{"b":[]}}`} {
		f.Add([]byte(seed))
	}
	var form form
	for _, d := range All(Deps{}) {
		if d.Name == "research" {
			form, _ = parseForm(d.InputSchema)
		}
	}
	f.Fuzz(func(t *testing.T, args []byte) {
		clean, err := form.check(args)
		if err != nil {
			var p *evidence.Problem
			if !errors.As(err, &p) || text.EstimateTokens(p.Error()) > 500 {
				t.Fatalf("check(%q) = %v", args, err)
			}
			return
		}
		var in ResearchIn
		if err := json.Unmarshal(clean, &in); err != nil {
			t.Fatalf("check(%q) let pass %s: %v", args, clean, err)
		}
	})
}
