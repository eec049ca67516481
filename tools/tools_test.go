package tools

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/jsonschema-go/jsonschema"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/library"
	"github.com/research-mcp/research-mcp/internal/research"
	"github.com/research-mcp/research-mcp/internal/text"
)

// fake returns what it was given, and keeps what it was asked. It checks requests
// and returns no nil slices, as its contracts say.
type fake struct {
	answer     evidence.Answer
	read       research.ReadResult
	recalled   library.RecallResult
	remembered library.RememberResult
	forgotten  library.ForgetResult
	err        error

	research research.Request
	fetch    research.ReadRequest
	recall   library.RecallRequest
	remember library.RememberRequest
	forget   library.ForgetRequest
}

func (f *fake) Research(_ context.Context, r research.Request, observe func(research.Event)) (evidence.Answer, error) {
	f.research = r
	observe(research.Event{Kind: research.EventDone})
	return f.answer, cmp.Or(research.CheckQuestion(r.Question), f.err)
}

func (f *fake) Read(_ context.Context, r research.ReadRequest, _ func(research.Event)) (research.ReadResult, error) {
	f.fetch = r
	f.read.Documents, f.read.Sources, f.read.Warnings = nonNil(f.read.Documents), nonNil(f.read.Sources), nonNil(f.read.Warnings)
	return f.read, cmp.Or(r.Check(), f.err)
}

func (f *fake) Recall(_ context.Context, r library.RecallRequest) (library.RecallResult, error) {
	f.recall = r
	f.recalled.Hits, f.recalled.Warnings = nonNil(f.recalled.Hits), nonNil(f.recalled.Warnings)
	return f.recalled, cmp.Or(r.Check(), f.err)
}

func (f *fake) Remember(_ context.Context, r library.RememberRequest) (library.RememberResult, error) {
	f.remember = r
	f.remembered.Warnings = nonNil(f.remembered.Warnings)
	return f.remembered, cmp.Or(r.Check(), f.err)
}

func (f *fake) Forget(_ context.Context, r library.ForgetRequest) (library.ForgetResult, error) {
	f.forget = r
	f.forgotten.IDs, f.forgotten.Warnings = nonNil(f.forgotten.IDs), nonNil(f.forgotten.Warnings)
	return f.forgotten, cmp.Or(library.CheckForget(r), f.err)
}

var today = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// zone is not UTC, so that a test sees a date that is read in the wrong zone.
var zone = time.FixedZone("UTC-8", -8*3600)

func deps(f *fake) Deps {
	return Deps{Engine: f, Library: f, Zone: zone, Boundary: func() string { return "b0b0b0" }}
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
		{"blank", "research", `{"question":" \n"}`, `the question is empty; ask something, such as "How does Go schedule goroutines?"`},
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
		{"neither query nor urls", "fetch-sources", `{"limit":3}`, `there is neither a query nor a URL; give search keywords, or addresses to read`},
		{"address without scheme", "fetch-sources", `{"urls":["example.org"]}`, `argument "urls[0]" is "example.org"; give an absolute address that begins with https:// or http://`},
		{"file address", "fetch-sources", `{"urls":["https://a.example","file:///etc/passwd"]}`, `argument "urls[1]" is "file:///etc/passwd"; give an absolute address that begins with https:// or http://`},
		{"bad date", "recall", `{"query":"x","since":"yesterday"}`, `argument "since" is "yesterday"; give a date such as 2026-01-31 or 2026-01-31T15:04:05Z`},
		{"31 February", "recall", `{"query":"x","until":"2026-02-31"}`, `argument "until" is "2026-02-31"; give a date such as 2026-01-31 or 2026-01-31T15:04:05Z`},
		{"dates in the wrong order", "recall", `{"query":"x","since":"2026-02-02","until":"2026-02-01"}`, `since 2026-02-02T00:00:00-08:00 is after until 2026-02-01T23:59:59-08:00; swap them`},
		{"neither text nor url", "remember", `{"title":"x"}`, `there is neither a text nor a URL; give the text to keep, or the address of a page`},
		{"both text and url", "remember", `{"text":"x","url":"https://a.example"}`, `there are both a text and a URL; give one of them: a page is read from its address`},
		{"white text", "remember", `{"text":" \n "}`, `the text is 3 bytes of white space; give the text to keep`},
		{"white text beside an address", "remember", `{"text":" ","url":"https://a.example"}`, `the text is 1 bytes of white space; give the text to keep`},
		{"empty text", "remember", `{"text":""}`, `argument "text" is empty (0 bytes); give a text of 1 to 4194304 bytes`},
		{"text too long", "remember", `{"text":"` + strings.Repeat("x", 4194305) + `"}`, `argument "text" is 4194305 bytes; give a text of 1 to 4194304 bytes`},
		{"page on the disk", "remember", `{"url":"file:///etc/passwd"}`, `the URL is "file:///etc/passwd"; give an absolute address that begins with https:// or http://`},
		{"nothing selected", "forget", `{"confirm":true,"ids":[]}`, `nothing is selected to be forgotten; give ids, a url, a source, a session, or a date in before`},
		{"bad date to forget", "forget", `{"before":"last year"}`, `argument "before" is "last year"; give a date such as 2026-01-31 or 2026-01-31T15:04:05Z`},
		{"confirm is no truth value", "forget", `{"source":"w","confirm":"yes"}`, `argument "confirm" is the text "yes"; give true or false`},
		{"invisible question", "research", "{\"question\":\"\u200b\u2060\u00ad\"}", `the question is empty; ask something, such as "How does Go schedule goroutines?"`},
		{"invisible query", "recall", "{\"query\":\"\u200b \u2060\"}", `the query is empty; ask something, such as "How does Go schedule goroutines?"`},
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
			if diff := gocmp.Diff(tt.want, p.Error()); diff != "" {
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
		{"defaults", `{"question":"why?"}`, research.Request{Question: "why?", MaxTokens: 4000}},
		{"nulls are defaults", `{"question":"why?","budget_seconds":null,"sources":null}`, research.Request{Question: "why?", MaxTokens: 4000}},
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
			if diff := gocmp.Diff(tt.want, f.research); diff != "" {
				t.Errorf("request (-want +got):\n%s", diff)
			}
		})
	}
}

func TestFetchSourcesAsks(t *testing.T) {
	t.Parallel()
	f := &fake{}
	if _, err := call(t, f, "fetch-sources", `{"query":"go","urls":["https://go.dev"],"full_text":true,"limit":3}`); err != nil {
		t.Fatal(err)
	}
	want := research.ReadRequest{Query: "go", URLs: []string{"https://go.dev"}, FullText: true, Limit: 3}
	if diff := gocmp.Diff(want, f.fetch); diff != "" {
		t.Errorf("request (-want +got):\n%s", diff)
	}
}

func TestRecallAsks(t *testing.T) {
	t.Parallel()
	f := &fake{}
	if _, err := call(t, f, "recall", `{"query":"go","k":3,"source":"w","session":"s","tags":["a"],"since":"2026-01-01","until":"2026-01-31"}`); err != nil {
		t.Fatal(err)
	}
	want := library.RecallRequest{Query: "go", K: 3, Source: "w", Session: "s", Tags: []string{"a"},
		Since: time.Date(2026, 1, 1, 0, 0, 0, 0, zone), Until: time.Date(2026, 1, 31, 23, 59, 59, 999999999, zone)}
	if diff := gocmp.Diff(want, f.recall); diff != "" {
		t.Errorf("request (-want +got):\n%s", diff)
	}
}

func TestRememberKeeps(t *testing.T) {
	t.Parallel()
	f := &fake{remembered: library.RememberResult{DocumentID: "d_1", Chunks: 2, Warnings: []string{}}}
	got, err := call(t, f, "remember", `{"text":"Go has goroutines.","title":"Go","tags":["a","b"]}`)
	if err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff(library.RememberRequest{Text: "Go has goroutines.", Title: "Go", Tags: []string{"a", "b"}}, f.remember); diff != "" {
		t.Errorf("request (-want +got):\n%s", diff)
	}
	if want := `{"document_id":"d_1","chunks":2,"deduplicated":false,"warnings":[]}`; string(got.Structured) != want {
		t.Errorf("structured = %s, want %s", got.Structured, want)
	}
	if want := "Kept as d_1, in 2 chunks.\n"; got.Text != want {
		t.Errorf("text = %q, want %q", got.Text, want)
	}
	f.remembered.Deduplicated = true
	if got, err = call(t, f, "remember", `{"url":"https://go.dev"}`); err != nil {
		t.Fatal(err)
	}
	if want := "Already in the memory, unchanged: d_1\n"; got.Text != want || f.remember.URL != "https://go.dev" {
		t.Errorf("text = %q, want %q; request %+v", got.Text, want, f.remember)
	}
}

func TestForgetRemoves(t *testing.T) {
	t.Parallel()
	f := &fake{forgotten: library.ForgetResult{Documents: 1, Chunks: 2, IDs: []string{"d_1"}, Remaining: 4, Warnings: []string{"d_2 is not there"}}}
	got, err := call(t, f, "forget", `{"ids":["d_1","d_2"],"url":"https://a.example","source":"w","session":"s_1","before":"2026-01-31","confirm":true}`)
	if err != nil {
		t.Fatal(err)
	}
	want := library.ForgetRequest{IDs: []string{"d_1", "d_2"}, URL: "https://a.example", Source: "w", Session: "s_1",
		Before: time.Date(2026, 1, 31, 0, 0, 0, 0, zone), Confirm: true}
	if diff := gocmp.Diff(want, f.forget); diff != "" {
		t.Errorf("request (-want +got):\n%s", diff)
	}
	if want := "Forgot 1 document (2 chunks); 4 documents left.\n- d_1\n\nWarnings:\n- d_2 is not there\n"; got.Text != want {
		t.Errorf("text = %q, want %q", got.Text, want)
	}
	f.forgotten = library.ForgetResult{IDs: []string{}, Warnings: []string{}}
	if got, err = call(t, f, "forget", `{"source":"w"}`); err != nil {
		t.Fatal(err)
	}
	if want := `{"documents":0,"chunks":0,"ids":[],"remaining":0,"warnings":[]}`; string(got.Structured) != want {
		t.Errorf("structured = %s, want %s", got.Structured, want)
	}
}

func TestForgetReceiptOfManyIsShort(t *testing.T) {
	t.Parallel()
	f := &fake{forgotten: library.ForgetResult{Documents: 5000, Chunks: 9000, Warnings: []string{}}}
	for range 5000 {
		f.forgotten.IDs = append(f.forgotten.IDs, "d_abcdefghijklmnopqrstuvwxyz")
	}
	got, err := call(t, f, "forget", `{"source":"w","confirm":true}`)
	if err != nil {
		t.Fatal(err)
	}
	if n := text.EstimateTokens(string(got.Structured)); n > research.DefaultMaxTokens || n < research.DefaultMaxTokens/2 {
		t.Errorf("structured has %d tokens, want close to %d", n, research.DefaultMaxTokens)
	}
	if n := text.EstimateTokens(got.Text); n > research.DefaultMaxTokens || !strings.Contains(got.Text, "left out: ids (") || !strings.Contains(got.Text, "Forgot 5000 documents") {
		t.Errorf("text of %d tokens: %.200s", n, got.Text)
	}
}

func TestErrorsPassThrough(t *testing.T) {
	t.Parallel()
	want := evidence.BadInput("session \"x\" does not exist", "leave it out")
	for name, args := range map[string]string{"research": `{"question":"q"}`, "fetch-sources": `{"query":"q"}`, "recall": `{"query":"q"}`,
		"remember": `{"text":"t"}`, "forget": `{"source":"w"}`} {
		if _, err := call(t, &fake{err: want}, name, args); !errors.Is(err, want) {
			t.Errorf("%s: error = %v, want %v", name, err, want)
		}
	}
}

// TestResultsMatchTheirSchemas validates a result with every field set against the
// tool's output schema.
func TestResultsMatchTheirSchemas(t *testing.T) {
	t.Parallel()
	f := &fake{
		answer:     fullAnswer(),
		read:       research.ReadResult{Documents: []evidence.Document{fullDocument()}, Sources: fullAnswer().Sources, NotAsked: fullAnswer().NotAsked, Warnings: []string{"w"}},
		recalled:   library.RecallResult{Index: evidence.IndexReady, Warnings: []string{"w"}, Hits: []library.RecallHit{fullHit()}},
		remembered: library.RememberResult{DocumentID: "d", Chunks: 1, Deduplicated: true, Warnings: []string{"w"}},
		forgotten:  library.ForgetResult{Documents: 1, Chunks: 1, IDs: []string{"d"}, Remaining: 1, Warnings: []string{"w"}},
	}
	arguments := map[string]string{"research": `{"question":"q"}`, "fetch-sources": `{"query":"q"}`, "recall": `{"query":"q"}`,
		"remember": `{"text":"t"}`, "forget": `{"source":"w"}`}
	for _, d := range All(deps(f)) {
		var schema jsonschema.Schema
		if err := json.Unmarshal(d.OutputSchema, &schema); err != nil {
			t.Fatal(err)
		}
		resolved, err := schema.Resolve(nil)
		if err != nil {
			t.Fatal(err)
		}
		args, ok := arguments[d.Name]
		if !ok {
			continue // a tool of docs/adding-a-tool.md, with a test of its own
		}
		got, err := call(t, f, d.Name, args)
		if err != nil {
			t.Fatal(err)
		}
		var v any
		if err := json.Unmarshal(got.Structured, &v); err != nil {
			t.Fatal(err)
		}
		if err := resolved.Validate(v); err != nil {
			t.Errorf("%s: %v in %s", d.Name, err, got.Structured)
		}
		for name := range schema.Properties {
			if _, ok := v.(map[string]any)[name]; !ok {
				t.Errorf("%s: %s is in the schema and not in a full result", d.Name, name)
			}
		}
	}
}

// TestToolsAreComplete checks the rules that every tool has to keep: a new tool
// is checked as soon as it is registered.
func TestToolsAreComplete(t *testing.T) {
	t.Parallel()
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
		for name, p := range schema.Properties {
			if p["description"] == nil {
				t.Errorf("%s: argument %s has no description", d.Name, name)
			}
			if p["type"] == "integer" && (p["minimum"] == nil || p["maximum"] == nil) || p["type"] == "string" && p["maxLength"] == nil && p["enum"] == nil ||
				p["type"] == "array" && p["maxItems"] == nil {
				t.Errorf("%s: argument %s has no bounds", d.Name, name)
			}
		}
	}
}

// TestBudgetIsTheSetting: a call without budget_seconds leaves the budget to the
// engine, and the schema shows the value that the engine takes.
func TestBudgetIsTheSetting(t *testing.T) {
	t.Parallel()
	f := &fake{}
	d := deps(f)
	d.Budget = 90 * time.Second
	for _, def := range All(d) {
		if def.Name != "research" && def.Name != "fetch-sources" {
			continue
		}
		var schema struct {
			Properties struct {
				Budget struct{ Default int } `json:"budget_seconds"`
			}
		}
		if err := json.Unmarshal(def.InputSchema, &schema); err != nil {
			t.Fatal(err)
		}
		if got := schema.Properties.Budget.Default; got != 90 {
			t.Errorf("%s: default of budget_seconds = %d, want 90", def.Name, got)
		}
	}
	if _, err := call(t, f, "research", `{"question":"q"}`); err != nil || f.research.Budget != 0 {
		t.Errorf("research without budget_seconds: budget %v, error %v, want 0", f.research.Budget, err)
	}
	if _, err := call(t, f, "fetch-sources", `{"query":"q"}`); err != nil || f.fetch.Budget != 0 {
		t.Errorf("fetch-sources without budget_seconds: budget %v, error %v, want 0", f.fetch.Budget, err)
	}
}

// Every conversation pays for the names: they are told once.
func TestDescriptionNamesTheSources(t *testing.T) {
	t.Parallel()
	d := deps(&fake{})
	d.Sources = []string{"hackernews", "wikipedia"}
	for _, def := range All(d) {
		if got, want := strings.Contains(def.About, "hackernews"), def.Name == "research"; got != want {
			t.Errorf("%s names the sources: %t, want %t", def.Name, got, want)
		}
	}
}

func FuzzArguments(f *testing.F) {
	for _, seed := range []string{`{"question":"x"}`, `{"question":"x","budget_seconds":1e3}`, `[]`, `{`, `{"sources":[1]}`, `{"a":{"b":[]}}`} {
		f.Add([]byte(seed))
	}
	var c checker
	for _, d := range All(Deps{}) {
		if d.Name == "research" {
			c, _ = newChecker(d.InputSchema)
		}
	}
	f.Fuzz(func(t *testing.T, args []byte) {
		clean, err := c.check(args)
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
