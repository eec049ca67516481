package openai

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/research-mcp/research-mcp/internal/config"
	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/models"
	"github.com/research-mcp/research-mcp/internal/models/modelstest"
	"github.com/research-mcp/research-mcp/internal/models/pace"
	"github.com/research-mcp/research-mcp/internal/testkit/openaikit"
)

const secret = "sk-Zq81-very-secret-key"

// provider opens a provider with these settings, which is closed with the test.
func provider(t *testing.T, set config.Models, env models.Env) *Provider {
	t.Helper()
	if set.Context == 0 {
		set.Context = 8192
	}
	p, err := Open(&config.Config{Models: set, Research: config.Research{Budget: 45 * time.Second}}, env)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p.(*Provider)
}

// inBubble runs a test with a stand-in in memory, on the clock of a synctest bubble.
func inBubble(t *testing.T, test func(t *testing.T, s *openaikit.Server, p *Provider)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := openaikit.New()
		t.Cleanup(s.Stop)
		test(t, s, provider(t, config.Models{URL: "http://models.invalid/v1", Key: secret, EmbedModel: openaikit.EmbedModel}, models.Env{Hooks: modelstest.Hooks{RoundTripper: s.Transport()}}))
	})
}

// Whatever a model writes, the results keep the contract, over a real connection.
func TestContract(t *testing.T) {
	t.Parallel()
	s := openaikit.Start(t)
	s.SetKey(secret)
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := provider(t, config.Models{URL: s.URL() + "/", KeyFile: file, EmbedModel: openaikit.EmbedModel}, models.Env{})
	o := p.Offer(t.Context())
	if o.Synthesizer == nil || o.Embedder == nil || len(o.Problems) > 0 {
		t.Fatalf("Offer = %+v", o)
	}
	if name := o.Synthesizer.Name(); name != "openai/"+openaikit.ChatModel {
		t.Errorf("Name = %s", name)
	}
	t.Run("synthesizer", func(t *testing.T) { modelstest.Synthesizer(t, o.Synthesizer) })
	t.Run("planner", func(t *testing.T) { modelstest.Planner(t, o.Planner) })
	t.Run("summarizer", func(t *testing.T) { modelstest.Summarizer(t, o.Summarizer) })
	t.Run("embedder", func(t *testing.T) { modelstest.Embedder(t, o.Embedder) })
}

// What a server can do wrong, and what the user is told.
func TestChatMisbehaves(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("words and ", 40000)
	for _, c := range []struct {
		name  string
		reply openaikit.Reply
		prose string // of the partial draft; "" for an error
		want  string
	}{
		{"401", openaikit.Reply{Status: 401, Error: "Incorrect API key provided: " + secret}, "", "refuses the key (status 401)"},
		{"403", openaikit.Reply{Status: 403, Error: "no"}, "", "refuses the key (status 403)"},
		{"404", openaikit.Reply{Status: 404, Error: "The model does not exist"}, "", "lacks the model " + openaikit.ChatModel},
		{"429", openaikit.Reply{Status: 429, Error: "You exceeded your current quota, key " + secret}, "", "allows no more requests at present: You exceeded your current quota, key REMOVED"},
		{"500", openaikit.Reply{Status: 500, Error: "CUDA out of memory"}, "", "fails with status 500: CUDA out of memory"},
		{"503 without a message", openaikit.Reply{Status: 503}, "", "fails with status 503"},
		{"hangs", openaikit.Reply{Hang: true}, "", "too slow for the time that was left"},
		{"hangs in the middle", openaikit.Reply{Tokens: []string{"BERT reads [1]. ", "GPT wri", "tes"}, HangAfter: 2}, "BERT reads.", "stopped responding"},
		{"half a stream", openaikit.Reply{Tokens: []string{"BERT reads [1]. ", "GPT wri"}, BreakOff: true}, "BERT reads.", "broke off"},
		{"an error within the stream", openaikit.Reply{Tokens: []string{"BERT reads [1]. ", "GPT"}, Error: "slot failed"}, "BERT reads.", "slot failed"},
		{"HTML instead of JSON", openaikit.Reply{Raw: "<html><body>Sign in\u202e</body></html>\n"}, "", "broke off"},
		{"a huge body", openaikit.Reply{Tokens: []string{long}}, "", "does not stop writing"},
		{"it loops", openaikit.Reply{Tokens: slicesOf(strings.Repeat("It is so [1]. ", 60), 600)}, "It is so.", "does not stop writing"},
		{"the limit", openaikit.Reply{Tokens: []string{"BERT reads [1]. ", "GPT wri"}, Finish: "length"}, "BERT reads.", "limit of 600 tokens"},
		{"no choices", openaikit.Reply{Tokens: []string{"BERT"}, NoChoices: true}, "", "broke off"},
		{"nothing", openaikit.Reply{}, "", "wrote no sentence"},
		{"thoughts alone", openaikit.Reply{Thoughts: []string{"hm", "hm"}}, "", "wrote no sentence"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T, s *openaikit.Server, p *Provider) {
				w := p.Offer(t.Context()).Synthesizer
				s.OnChat(func(openaikit.Call) openaikit.Reply { return c.reply })
				ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
				defer cancel()
				d, err := w.Write(ctx, evidence.Brief{Question: "What?", Evidence: modelstest.Library()}, nil)
				said := d.Why
				if err != nil {
					problem := evidence.AsProblem(err)
					said = problem.What + problem.Try
				}
				if strings.Contains(said+fmt.Sprint(err), secret) {
					t.Errorf("the key is in %q", said)
				}
				if !strings.Contains(said, c.want) || (err == nil) != (c.prose != "") || len([]rune(said)) > 400 {
					t.Errorf("Write = %.200q, %v, want %q", modelstest.Prose(d), err, c.want)
				}
				if c.prose != "" && (!d.Partial || !strings.HasPrefix(modelstest.Prose(d), c.prose)) {
					t.Errorf("draft %+v, want the partial %q", d, c.prose)
				}
			})
		})
	}
}

func slicesOf(s string, n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = s
	}
	return out
}

// A model that fails is not chosen for a while, and the user is told why.
func TestAFailureIsRemembered(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, s *openaikit.Server, p *Provider) {
		w := p.Offer(t.Context()).Synthesizer
		s.OnChat(func(openaikit.Call) openaikit.Reply { return openaikit.Reply{Status: 500, Error: "out of memory"} })
		if _, err := w.Write(t.Context(), evidence.Brief{Question: "What?", Evidence: modelstest.Library()}, nil); err == nil {
			t.Fatal("no error")
		}
		o := p.Offer(t.Context())
		if o.Synthesizer != nil || len(o.Problems) != 1 || !strings.Contains(o.Problems[0].What, "out of memory") {
			t.Errorf("Offer = %+v", o)
		}
		time.Sleep(failureTTL) // of the bubble's clock
		if p.Offer(t.Context()).Synthesizer == nil {
			t.Error("the model is never chosen again")
		}
	})
}

// Parameters that a server does not take are left out, and the answer comes.
func TestParametersThatAreRefused(t *testing.T) {
	t.Parallel()
	for message, field := range map[string]string{
		"Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.": "max_tokens",
		"Unsupported value: 'temperature' does not support 0 with this model.":                                       "temperature",
		"Unrecognized request argument supplied: stream_options":                                                     "stream_options",
		"extra fields not permitted: seed":                                                                           "seed",
		"'response_format.type' must be 'text'":                                                                      "response_format",
	} {
		t.Run(field, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T, s *openaikit.Server, p *Provider) {
				s.OnChat(func(c openaikit.Call) openaikit.Reply {
					if c.Fields[field] != nil {
						return openaikit.Reply{Status: 400, Error: message}
					}
					return openaikit.Reply{Tokens: []string{`{"queries": ["telephone patent"]}`}}
				})
				planner := p.Offer(t.Context()).Planner
				for range 2 {
					got, err := planner.Keywords(t.Context(), "Who patented the telephone?", evidence.Session{}, 1)
					if err != nil || !cmp.Equal(got, []string{"telephone patent"}) {
						t.Errorf("Keywords = %q, %v", got, err)
					}
				}
				if n := len(s.Calls("/chat/completions")); n != 3 {
					t.Errorf("%d requests, want 3: the parameter is left out from then on", n)
				}
			})
		})
	}
}

// A prompt that does not fit is sent once more, shorter.
func TestPromptTooLong(t *testing.T) {
	t.Parallel()
	for _, message := range []string{
		"This model's maximum context length is 4096 tokens. However, you requested 5000 tokens.",
		"the request exceeds the available context size, try increasing it",
	} {
		inBubble(t, func(t *testing.T, s *openaikit.Server, p *Provider) {
			asked := []int{}
			s.OnChat(func(c openaikit.Call) openaikit.Reply {
				if asked = append(asked, len(c.Prompt())); len(asked) == 1 {
					return openaikit.Reply{Status: 400, Error: message}
				}
				return openaikit.Reply{Tokens: []string{"It is so [1]."}}
			})
			list := []evidence.Evidence{modelstest.Whole("a", "A", strings.Repeat("word ", 2000), 1), modelstest.Whole("b", "B", strings.Repeat("word ", 1000), 0.5)}
			d, err := p.Offer(t.Context()).Synthesizer.Write(t.Context(), evidence.Brief{Question: "What?", Evidence: list}, nil)
			if err != nil || modelstest.Prose(d) != "It is so." || len(asked) != 2 || asked[1] >= asked[0] {
				t.Errorf("Write = %+v, %v after prompts of %v bytes", d, err, asked)
			}
		})
	}
}

func TestEmbedderMisbehaves(t *testing.T) {
	t.Parallel()
	good := make([]float32, openaikit.Dims)
	good[0] = 3
	for _, c := range []struct {
		name  string
		reply openaikit.Reply
		want  string
	}{
		{"another dimension", openaikit.Reply{Vectors: [][]float32{{1, 2}}}, "has 2 components, the model 96"},
		{"too few", openaikit.Reply{Vectors: [][]float32{}}, "0 vectors for 1 texts"},
		{"empty", openaikit.Reply{Vectors: [][]float32{{}}}, "is empty"},
		{"zero", openaikit.Reply{Vectors: [][]float32{make([]float32, openaikit.Dims)}}, "no direction"},
		{"HTML", openaikit.Reply{Raw: "<html>"}, "does not speak OpenAI's API"},
		{"401", openaikit.Reply{Status: 401, Error: secret}, "refuses the key"},
		{"429", openaikit.Reply{Status: 429, Error: "slow down"}, "slow down"},
		{"a text that is too long", openaikit.Reply{Status: 400, Error: "maximum context length is 512 tokens"}, "too long"},
		{"hangs", openaikit.Reply{Hang: true}, "stopped responding"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T, s *openaikit.Server, p *Provider) {
				e := p.Offer(t.Context()).Embedder
				s.OnEmbed(func(openaikit.Call) openaikit.Reply { return openaikit.Reply{Vectors: [][]float32{good}} })
				if _, err := e.Embed(t.Context(), []string{"a"}); err != nil {
					t.Fatal(err)
				}
				s.OnEmbed(func(openaikit.Call) openaikit.Reply { return c.reply })
				v, err := e.Embed(t.Context(), []string{"a"})
				var problem *evidence.Problem
				if v != nil || !errors.As(err, &problem) || !strings.Contains(problem.What, c.want) || strings.Contains(problem.Error(), secret) {
					t.Errorf("Embed = %v, %v, want a problem with %q", v, err, c.want)
				}
			})
		})
	}
}

// Which model writes is never guessed among several, and none embeds unless it is named.
func TestOffer(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		listed  []string
		list    openaikit.Reply
		set     config.Models
		chat    string
		embed   string
		problem string
	}{
		{name: "the only one", listed: []string{"llama", "bge-m3"}, chat: "openai/llama"},
		{name: "several", listed: []string{"llama", "qwen"}, problem: "it has llama, qwen; set models.chat_model"},
		{name: "a named one", listed: []string{"llama", "qwen"}, set: config.Models{ChatModel: "qwen"}, chat: "openai/qwen"},
		{name: "a named one that it lacks", listed: []string{"llama"}, set: config.Models{ChatModel: "qwen"}, problem: "lacks the model qwen; it has llama"},
		{name: "none", listed: []string{}, problem: "lists no models"},
		{name: "no list, and a named one", list: openaikit.Reply{Status: 404}, set: config.Models{ChatModel: "qwen"}, chat: "openai/qwen"},
		{name: "embedding is named", listed: []string{"llama", "bge-m3"}, set: config.Models{EmbedModel: "bge-m3"}, chat: "openai/llama", embed: "openai/bge-m3"},
		{name: "it hangs", list: openaikit.Reply{Hang: true}, problem: "did not answer within 2s"},
		{name: "a page", list: openaikit.Reply{Raw: "<html>"}, problem: "does not speak OpenAI's API"},
		{name: "401", list: openaikit.Reply{Status: 401, Error: secret}, problem: "wants a key"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := openaikit.New()
				t.Cleanup(s.Stop)
				s.SetModels(c.listed...)
				s.OnList(func(openaikit.Call) openaikit.Reply { return c.list })
				c.set.URL = "http://models.invalid/v1"
				p := provider(t, c.set, models.Env{Hooks: modelstest.Hooks{RoundTripper: s.Transport()}})
				o := p.Offer(t.Context())
				chat, embed, problem := "", "", ""
				if o.Synthesizer != nil {
					chat = o.Synthesizer.Name()
				}
				if o.Embedder != nil {
					embed = o.Embedder.Model().Name
				}
				for _, p := range o.Problems {
					problem += p.Error()
				}
				if chat != c.chat || embed != c.embed || !strings.Contains(problem, c.problem) || (c.problem == "") != (problem == "") {
					t.Errorf("Offer: writes %q, embeds %q, problem %q, want %q, %q, %q", chat, embed, problem, c.chat, c.embed, c.problem)
				}
			})
		})
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, c := range []struct {
		name string
		set  config.Models
		want string
	}{
		{"no scheme", config.Models{URL: "127.0.0.1:1234"}, "models.url"},
		{"another scheme", config.Models{URL: "ftp://x/v1"}, "no scheme http or https"},
		{"a password", config.Models{URL: "http://me:" + secret + "@x/v1"}, "a key is in models.key_file"},
		{"a key in the query", config.Models{URL: "https://x/v1?api_key=" + secret}, "has a user, a query"},
		{"no key file", config.Models{URL: "http://x/v1", KeyFile: filepath.Join(dir, "absent")}, "absent cannot be read"},
		{"an empty line in the key", config.Models{URL: "http://x/v1", KeyFile: file("two", secret+"\nmore")}, "models.key_file holds more than a key"},
		{"a large file", config.Models{URL: "http://x/v1", KeyFile: file("large", strings.Repeat(secret, 9000))}, "too long"},
		{"two keys", config.Models{URL: "http://x/v1", Key: secret, KeyFile: file("key", secret)}, "both set"},
		{"a header in the key", config.Models{URL: "http://x/v1", Key: secret + "\r\nX: y"}, "models.key holds more"},
		{"a proxy without scheme", config.Models{URL: "http://x/v1", Proxy: "proxy:3128"}, "models.proxy"},
	} {
		_, err := Open(&config.Config{Models: c.set}, models.Env{})
		var p *evidence.Problem
		if !errors.As(err, &p) || !strings.Contains(p.Error(), c.want) || p.Try == "" || strings.Contains(p.Error(), secret) {
			t.Errorf("%s: Open = %v, want a problem with %q and without the key", c.name, err, c.want)
		}
	}
	if p, err := Open(&config.Config{}, models.Env{}); err != nil || len(p.Status(t.Context())) != 0 || p.Offer(t.Context()).Synthesizer != nil || p.Close() != nil {
		t.Errorf("without models.url: %v, %v", p, err)
	}
}

// The status names the models and how fast the one that writes is, and never the key.
func TestStatus(t *testing.T) {
	t.Parallel()
	s := openaikit.Start(t)
	s.SetKey(secret)
	p := provider(t, config.Models{URL: s.URL(), Key: secret, EmbedModel: "absent"}, models.Env{Speeds: pace.Open(t.TempDir(), nil)})
	all := fmt.Sprintf("%+v", p.Status(t.Context()))
	for _, want := range []string{s.URL() + ", with a key", openaikit.ChatModel + "; it reads", "lacks the model absent"} {
		if !strings.Contains(all, want) {
			t.Errorf("the status lacks %q: %s", want, all)
		}
	}
	if strings.Contains(all, secret) || strings.Contains(fmt.Sprintf("%+v", p.Offer(t.Context()).Synthesizer.Name()), secret) {
		t.Errorf("the key is in %s", all)
	}
	if n := len(s.Calls("/chat/completions")); n != 1 {
		t.Errorf("the speed was measured %d times, want once", n)
	}
	far := provider(t, config.Models{URL: "http://10.1.2.3/v1", Key: secret}, models.Env{Hooks: modelstest.Hooks{RoundTripper: s.Transport()}})
	if got := far.Status(t.Context())[0]; got.State != models.StateWarn || !strings.Contains(got.What, "without encryption") {
		t.Errorf("a key over http to another machine: %+v", got)
	}
}

// Two requests that are refused the same parameter at the same time are both answered
// without it.
func TestAParameterRefusedTwiceAtOnce(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, s *openaikit.Server, p *Provider) {
		var both sync.WaitGroup
		both.Add(2)
		s.OnChat(func(c openaikit.Call) openaikit.Reply {
			if c.Fields["temperature"] != nil {
				both.Done()
				both.Wait()
				return openaikit.Reply{Status: 400, Error: "Unsupported value: 'temperature'"}
			}
			return openaikit.Reply{Tokens: []string{`{"queries": ["telephone patent"]}`}}
		})
		planner := p.Offer(t.Context()).Planner
		var asked sync.WaitGroup
		for range 2 {
			asked.Go(func() {
				got, err := planner.Keywords(t.Context(), "Who patented the telephone?", evidence.Session{}, 1)
				if err != nil || !cmp.Equal(got, []string{"telephone patent"}) {
					t.Errorf("Keywords = %q, %v", got, err)
				}
			})
		}
		asked.Wait()
	})
}
