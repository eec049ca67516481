package tools

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/text"
)

func TestBadArgumentsAreNamed(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 100_000)
	tests := []struct {
		name, tool, args, want string
	}{
		{"misspelt", "research", `{"qestion":"x"}`, `unknown argument "qestion", and "question" is missing; did you mean "question"? valid: budget_seconds, depth, language, max_tokens, question, run_id, session, sources; give arguments such as {"question":"How does Go schedule goroutines?"}`},
		{"nothing like it", "recall", `{"query":"x","frobnicate":1}`, `unknown argument "frobnicate"; valid: k, max_tokens, query, session, since, source, tags, until`},
		{"a very long name", "recall", `{"query":"x","` + long + `":1}`, `unknown argument "` + strings.Repeat("x", 60) + `…"; valid: k, max_tokens, query, session, since, source, tags, until`},
		{"missing", "research", `{}`, `argument "question" is missing, and so is "run_id"; give one of them, such as {"question":"How does Go schedule goroutines?"}`},
		{"no arguments", "research", ``, `argument "question" is missing, and so is "run_id"; give one of them, such as {"question":"How does Go schedule goroutines?"}`},
		{"null", "research", `{"question":null}`, `argument "question" is missing, and so is "run_id"; give one of them, such as {"question":"How does Go schedule goroutines?"}`},
		{"empty", "research", `{"question":""}`, `argument "question" is empty (0 bytes); give a text of 1 to 20000 bytes`},
		{"blank", "research", `{"question":" \n"}`, `the question is empty; ask something, such as "How does Go schedule goroutines?"`},
		{"100 kB", "research", `{"question":"` + long + `"}`, `argument "question" is 100000 bytes; give a text of 1 to 20000 bytes`},
		{"budget of 0", "research", `{"question":"x","budget_seconds":0}`, `argument "budget_seconds" is 0; give a whole number from 1 to 600`},
		{"budget of a day", "research", `{"question":"x","budget_seconds":86400}`, `argument "budget_seconds" is 86400; give a whole number from 1 to 600`},
		{"fraction", "research", `{"question":"x","budget_seconds":1.5}`, `argument "budget_seconds" is 1.5; give a whole number from 1 to 600`},
		{"monstrous exponent", "research", `{"question":"x","budget_seconds":1e999999999}`, `argument "budget_seconds" is 1e999999999; give a whole number from 1 to 600`},
		{"many digits", "research", `{"question":"x","budget_seconds":` + strings.Repeat("9", 50) + `}`, `argument "budget_seconds" is ` + strings.Repeat("9", 40) + `…; give a whole number from 1 to 600`},
		{"text for a number", "research", `{"question":"x","budget_seconds":"ten"}`, `argument "budget_seconds" is the text "ten"; give a whole number from 1 to 600`},
		{"number in a list", "research", `{"question":"x","sources":["a",3]}`, `argument "sources[1]" is the number 3; give a text of 1 to 100 bytes`},
		{"unknown depth", "research", `{"question":"x","depth":"abyss"}`, `argument "depth" is "abyss"; give one of quick, standard, deep`},
		{"text for a truth value", "fetch-sources", `{"query":"x","full_text":"yes"}`, `argument "full_text" is the text "yes"; give true or false`},
		{"a list for all", "research", `[1]`, `the arguments are a list; give a JSON object of argument names and values, such as {"question":"How does Go schedule goroutines?"}`},
		{"an object in it", "research", `{"question":{}}`, `argument "question" is an object; give a text of 1 to 20000 bytes`},
		{"neither query nor urls", "fetch-sources", `{"limit":3}`, `argument "query" is missing, and so is "urls"; give one of them, such as {"query":"go scheduler"}`},
		{"address without scheme", "fetch-sources", `{"urls":["example.org"]}`, `argument "urls[0]" is "example.org"; give an absolute address that begins with https:// or http://`},
		{"file address", "fetch-sources", `{"urls":["https://a.example","file:///etc/passwd"]}`, `argument "urls[1]" is "file:///etc/passwd"; give an absolute address that begins with https:// or http://`},
		{"31 February", "recall", `{"query":"x","until":"2026-02-31"}`, `argument "until" is "2026-02-31", which is no date; give a date such as 2026-01-31, 2026-01, 7d (ago) or 2026-01-31T15:04:05Z; today is 2026-11-22`},
		{"dates in the wrong order", "recall", `{"query":"x","since":"2026-02-02","until":"2026-02-01"}`, `since 2026-02-02T00:00:00-08:00 is after until 2026-02-01T23:59:59-08:00; swap them`},
		{"neither text nor url", "remember", `{"title":"x"}`, `argument "text" is missing, and so is "url"; give one of them, such as {"text":"We deploy on Fridays."}`},
		{"both text and url", "remember", `{"text":"x","url":"https://a.example"}`, `there are both a text and a URL; give one of them: a page is read from its address`},
		{"white text", "remember", `{"text":" \n "}`, `the text is 3 bytes of white space; give the text to keep`},
		{"white text beside an address", "remember", `{"text":" ","url":"https://a.example"}`, `the text is 1 byte of white space; give the text to keep`},
		{"empty text", "remember", `{"text":""}`, `argument "text" is empty (0 bytes); give a text of 1 to 4194304 bytes`},
		{"text too long", "remember", `{"text":"` + strings.Repeat("x", 4194305) + `"}`, `argument "text" is 4194305 bytes; give a text of 1 to 4194304 bytes`},
		{"page on the disk", "remember", `{"url":"file:///etc/passwd"}`, `the URL is "file:///etc/passwd"; give an absolute address that begins with https:// or http://`},
		{"nothing selected", "forget", `{"confirm":true}`, `nothing is selected to be forgotten; give ids, a url, a source, a session, or a date in before`},
		{"no ids beside a session", "forget", `{"ids":[],"session":"s_1"}`, `argument "ids" is empty; leave it out, or give what it is to select, such as {"ids":["d_…"]}`},
		{"blank ids", "forget", `{"ids":" ","source":"wikipedia"}`, `argument "ids" is empty; leave it out, or give what it is to select, such as {"ids":["d_…"]}`},
		{"ids of blanks", "forget", `{"ids":["", " "],"source":"wikipedia"}`, `argument "ids" is empty; leave it out, or give what it is to select, such as {"ids":["d_…"]}`},
		{"a blank date", "forget", `{"before":"  ","source":"wikipedia"}`, `argument "before" is empty; leave it out, or give what it is to select, such as {"ids":["d_…"]}`},
		{"an empty date", "forget", `{"before":"","source":"wikipedia"}`, `argument "before" is empty; leave it out, or give what it is to select, such as {"ids":["d_…"]}`},
		{"an empty address", "forget", `{"url":"","session":"s_1"}`, `argument "url" is empty; leave it out, or give what it is to select, such as {"ids":["d_…"]}`},
		{"bad date to forget", "forget", `{"before":"last year"}`, `argument "before" is "last year", which is no date; give a date such as 2026-01-31, 2026-01, 7d (ago) or 2026-01-31T15:04:05Z; today is 2026-11-22`},
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

func FuzzArguments(f *testing.F) {
	for _, seed := range []string{`{"question":"x"}`, `{"question":"x","budget_seconds":1e3}`, `[]`, `{`, `{"sources":[1]}`, `{"a":{"b":[]}}`} {
		f.Add([]byte(seed))
	}
	var c checker
	for _, d := range All(Deps{}) {
		if d.Name == "research" {
			c, _ = newChecker(d, []string{"wikipedia", "hackernews"})
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
