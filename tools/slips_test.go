package tools

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/library"
	"github.com/research-mcp/research-mcp/internal/research"
)

// asked is what reached the engine or the library.
func (f *fake) asked(tool string) any {
	switch tool {
	case "research":
		return f.research
	case "fetch-sources":
		return f.fetch
	case "recall":
		return f.recall
	case "remember":
		return f.remember
	}
	return f.forget
}

// TestSlipsAreRepaired lists what models write in place of valid arguments, and the valid
// arguments that they are taken for.
func TestSlipsAreRepaired(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ tool, slip, meant string }{
		// Numbers, truth values and lists as texts.
		{"recall", `{"query":"x","k":"5"}`, `{"query":"x","k":5}`},
		{"recall", `{"query":"x","k":" 5 "}`, `{"query":"x","k":5}`},
		{"recall", `{"query":"x","k":"5.0"}`, `{"query":"x","k":5}`},
		{"recall", `{"query":2024}`, `{"query":"2024"}`},
		{"research", `{"question":"x","budget_seconds":"30","max_tokens":"2000"}`, `{"question":"x","budget_seconds":30,"max_tokens":2000}`},
		{"fetch-sources", `{"query":"x","full_text":"true"}`, `{"query":"x","full_text":true}`},
		{"fetch-sources", `{"query":"x","full_text":"False"}`, `{"query":"x"}`},
		{"research", `{"question":"x","sources":"wikipedia"}`, `{"question":"x","sources":["wikipedia"]}`},
		{"research", `{"question":"x","sources":"wikipedia, hackernews"}`, `{"question":"x","sources":["wikipedia","hackernews"]}`},
		{"research", `{"question":"x","sources":"[\"wikipedia\"]"}`, `{"question":"x","sources":["wikipedia"]}`},
		{"research", `{"question":"x","sources":""}`, `{"question":"x"}`},
		{"research", `{"question":["x"]}`, `{"question":"x"}`},
		{"recall", `{"query":"x","tags":"a,b"}`, `{"query":"x","tags":["a","b"]}`},
		{"recall", `{"query":"x","tags":"a"}`, `{"query":"x","tags":["a"]}`},
		{"remember", `{"text":"x","tags":"[\"a\", \"b\"]"}`, `{"text":"x","tags":["a","b"]}`},
		{"remember", `{"text":"x","tags":2026}`, `{"text":"x","tags":["2026"]}`},
		{"fetch-sources", `{"urls":"https://a.example"}`, `{"urls":["https://a.example"]}`},
		{"fetch-sources", `{"urls":"https://a.example/1,2 , https://b.example"}`, `{"urls":["https://a.example/1,2","https://b.example"]}`},
		{"fetch-sources", `{"urls":"https://a.example\nhttps://b.example\n"}`, `{"urls":["https://a.example","https://b.example"]}`},
		{"forget", `{"ids":"d_1"}`, `{"ids":["d_1"]}`},
		{"forget", `{"ids":"d_1,d_2"}`, `{"ids":["d_1","d_2"]}`},
		{"forget", `{"source":"w","confirm":"true"}`, `{"source":"w","confirm":true}`},
		// Left out in other words.
		{"research", `{"question":"x","session":"","language":"","depth":null}`, `{"question":"x"}`},
		{"recall", `{"query":"x","source":"","since":"","tags":[]}`, `{"query":"x"}`},
		{"remember", `{"text":"","url":"https://a.example"}`, `{"url":"https://a.example"}`},
		// Other spellings of names and listed values.
		{"research", `{"Question":"x","maxTokens":300}`, `{"question":"x","max_tokens":300}`},
		{"research", `{"question":"x","max-tokens":300,"budgetSeconds":9}`, `{"question":"x","max_tokens":300,"budget_seconds":9}`},
		{"research", `{"question":"x","depth":"Deep"}`, `{"question":"x","depth":"deep"}`},
		{"research", `{"question":"x","sources":["Wikipedia","Hacker News","wikipedia_summary"]}`, `{"question":"x","sources":["wikipedia","hackernews","wikipedia-summary"]}`},
		{"recall", `{"query":"x","source":"HackerNews"}`, `{"query":"x","source":"hackernews"}`},
		// Names that other tools use.
		{"research", `{"query":"x"}`, `{"question":"x"}`},
		{"research", `{"prompt":"x","session_id":"s_1"}`, `{"question":"x","session":"s_1"}`},
		{"research", `{"q":"x","source":"wikipedia"}`, `{"question":"x","sources":["wikipedia"]}`},
		{"recall", `{"question":"x"}`, `{"query":"x"}`},
		{"recall", `{"query":"x","limit":3}`, `{"query":"x","k":3}`},
		{"recall", `{"query":"x","top_k":3}`, `{"query":"x","k":3}`},
		{"recall", `{"query":"x","tag":"a"}`, `{"query":"x","tags":["a"]}`},
		{"recall", `{"query":"x","after":"2026-01-31"}`, `{"query":"x","since":"2026-01-31"}`},
		{"fetch-sources", `{"url":"https://a.example"}`, `{"urls":["https://a.example"]}`},
		{"fetch-sources", `{"keywords":"x","max_results":4}`, `{"query":"x","limit":4}`},
		{"remember", `{"content":"x"}`, `{"text":"x"}`},
		{"remember", `{"note":"x","tag":"a"}`, `{"text":"x","tags":["a"]}`},
		{"forget", `{"id":"d_1"}`, `{"ids":["d_1"]}`},
		{"forget", `{"document_ids":["d_1"]}`, `{"ids":["d_1"]}`},
		// Objects in texts and in wrappers.
		{"research", `"{\"question\":\"x\"}"`, `{"question":"x"}`},
		{"research", `{"arguments":{"question":"x"}}`, `{"question":"x"}`},
		{"recall", `{"input":"{\"query\":\"x\"}"}`, `{"query":"x"}`},
		// Dates; the clock says 2026-11-22.
		{"recall", `{"query":"x","since":"2026-11"}`, `{"query":"x","since":"2026-11-01"}`},
		{"recall", `{"query":"x","until":"2026-11"}`, `{"query":"x","until":"2026-11-30"}`},
		{"recall", `{"query":"x","since":"2026"}`, `{"query":"x","since":"2026-01-01"}`},
		{"recall", `{"query":"x","since":2026}`, `{"query":"x","since":"2026-01-01"}`},
		{"recall", `{"query":"x","since":"7d"}`, `{"query":"x","since":"2026-11-15"}`},
		{"recall", `{"query":"x","until":"yesterday"}`, `{"query":"x","until":"2026-11-21"}`},
		{"recall", `{"query":"x","since":"2026/11/01"}`, `{"query":"x","since":"2026-11-01"}`},
		{"forget", `{"before":"2025"}`, `{"before":"2025-01-01"}`},
	} {
		slipped, meant := &fake{}, &fake{}
		if _, err := call(t, slipped, tt.tool, tt.slip); err != nil {
			t.Errorf("%s %s: %v", tt.tool, tt.slip, err)
			continue
		}
		if _, err := call(t, meant, tt.tool, tt.meant); err != nil {
			t.Fatalf("%s %s: %v", tt.tool, tt.meant, err)
		}
		if want, got := meant.asked(tt.tool), slipped.asked(tt.tool); !reflect.DeepEqual(want, got) {
			t.Errorf("%s %s: asked %+v, want %+v", tt.tool, tt.slip, got, want)
		}
	}
}

// TestSlipsAreRefused lists slips of which nobody knows what is meant: the refusal names
// the argument and the way.
func TestSlipsAreRefused(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		tool, slip string
		want       []string
	}{
		{"research", `{}`, []string{`"question" is missing`, `{"question":"`}},
		{"research", `{"topic":"x"}`, []string{`unknown argument "topic"`, `"question" is missing`, `{"question":"`}},
		{"research", `{"question":"x","query":"y"}`, []string{`unknown argument "query"`, "valid: "}},
		{"research", `{"question":"x","budget_seconds":"soon"}`, []string{"budget_seconds", `"soon"`, "1 to 600"}},
		{"research", `{"question":"x","max_tokens":100}`, []string{"max_tokens", "100", "200 to 50000"}},
		{"research", `{"question":["x","y"]}`, []string{`"question" is a list`}},
		{"research", `{"question":"x","depth":"profound"}`, []string{"quick, standard, deep"}},
		{"research", `"What is Go?"`, []string{`the text "What is Go?"`, `{"question":"`}},
		{"recall", `{"k":3}`, []string{`"query" is missing`, `{"query":"`}},
		{"recall", `{"query":"x","since":"last spring"}`, []string{`"last spring"`, "2026-01-31", "today is 2026-11-22"}},
		{"recall", `{"query":"x","k":true}`, []string{`"k" is true`, "1 to 50"}},
		{"fetch-sources", `{}`, []string{`"query"`, `"urls"`, "missing", `{"query":"`}},
		{"fetch-sources", `{"query":"x","full_text":"yes"}`, []string{"full_text", "true or false"}},
		{"remember", `{"tags":["a"]}`, []string{`"text"`, `"url"`, "missing", `{"text":"`}},
		{"forget", `{}`, []string{"nothing is selected", "ids"}},
		{"forget", `{"source":""}`, []string{`"source" is empty`}},
	} {
		f := &fake{}
		_, err := call(t, f, tt.tool, tt.slip)
		var p *evidence.Problem
		if !errors.As(err, &p) || !p.Usage {
			t.Errorf("%s %s: error = %v, want a problem of the caller's", tt.tool, tt.slip, err)
			continue
		}
		for _, want := range tt.want {
			if !strings.Contains(p.Error(), want) {
				t.Errorf("%s %s: %q lacks %q", tt.tool, tt.slip, p.Error(), want)
			}
		}
	}
}

// TestForgetSuggestsNothingThatDeletes: whatever a model tries, the refusal does not lead
// it to another argument that selects documents.
func TestForgetSuggestsNothingThatDeletes(t *testing.T) {
	t.Parallel()
	for _, slip := range []string{`{"all":true}`, `{"everything":true}`, `{"al":true}`, `{"urll":"https://a.example"}`, `{"force":true,"confirm":true}`, `{"sorce":"web"}`} {
		f := &fake{}
		_, err := call(t, f, "forget", slip)
		if err == nil || !strings.Contains(err.Error(), "unknown argument") || strings.Contains(err.Error(), "did you mean") || strings.Contains(err.Error(), "such as") {
			t.Errorf("forget %s: %v", slip, err)
		}
		if !reflect.DeepEqual(f.forget, library.ForgetRequest{}) {
			t.Errorf("forget %s: the library was asked %+v", slip, f.forget)
		}
	}
}

// An argument under two names is not guessed.
func TestRenameKeepsBoth(t *testing.T) {
	t.Parallel()
	f := &fake{}
	if _, err := call(t, f, "recall", `{"query":"x","k":2,"limit":3}`); err == nil || !strings.Contains(err.Error(), `unknown argument "limit"`) {
		t.Errorf("error = %v", err)
	}
	if _, err := call(t, f, "fetch-sources", `{"query":"x","limit":3}`); err != nil || f.fetch.Limit != 3 {
		t.Errorf("limit %d, %v", f.fetch.Limit, err)
	}
	want := research.Request{Question: "x", MaxTokens: research.DefaultMaxTokens, Budget: 5 * time.Second}
	if _, err := call(t, f, "research", `{"question":"x","budget_seconds":5}`); err != nil || !reflect.DeepEqual(want, f.research) {
		t.Errorf("request %+v, %v", f.research, err)
	}
}
