package recording

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/research-mcp/research-mcp/internal/app"
	"github.com/research-mcp/research-mcp/internal/demo"
	"github.com/research-mcp/research-mcp/internal/research"
	"github.com/research-mcp/research-mcp/internal/testkit/apptest"
	"github.com/research-mcp/research-mcp/internal/testkit/openaikit"
	"github.com/research-mcp/research-mcp/internal/testkit/world"
)

// A question that a server with OpenAI's API helps to answer is replayed without it, and
// the recording does not hold the key, even where the server repeats it.
func TestReplayWithOpenAI(t *testing.T) {
	t.Parallel()
	const key = "sk-Tt52-not-for-recordings"
	for name, reply := range map[string]openaikit.Reply{
		"writes":  {Tokens: []string{"The transformer architecture ", "was published in 2017 [1]."}},
		"refuses": {Status: 401, Error: "Incorrect API key provided: " + key},
		"invents": {Tokens: []string{"Napoleon invented it in 1812 [1]."}},
		"breaks":  {Tokens: []string{"The trans"}, BreakOff: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, s := apptest.StartWorld(t, world.Options{}), openaikit.Start(t)
			s.SetKey(key)
			s.OnChat(func(openaikit.Call) openaikit.Reply { return reply })
			file := filepath.Join(t.TempDir(), "key")
			if err := os.WriteFile(file, []byte(key), 0o600); err != nil {
				t.Fatal(err)
			}
			cfg := apptest.Settings(t, w.URLs(), map[string]string{"models.url": s.URL(), "models.key_file": file, "models.embed_model": openaikit.EmbedModel})
			har, first := recordOf(t, cfg, research.Request{Question: demo.Questions()[0]})
			asked := len(s.Calls(""))
			if len(s.Calls("/chat/completions")) == 0 {
				t.Error("the model was not asked")
			}
			if wrote := strings.HasPrefix(first.Synthesizer, "openai/"); wrote && name != "writes" {
				t.Errorf("written by %s", first.Synthesizer)
			}
			raw, err := os.ReadFile(har)
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Contains(raw, []byte(key)) {
				t.Error("the recording holds the key")
			}
			if all := strings.Join(first.Warnings, "\n"); strings.Contains(all, key) {
				t.Errorf("the key is in %s", all)
			}
			for range 2 {
				again := replayOf(t, har, app.Options{}, research.Request{})
				if diff := cmp.Diff(normal(first), normal(again)); diff != "" {
					t.Fatalf("(-recorded +replayed):\n%s", diff)
				}
			}
			if n := len(s.Calls("")); n != asked {
				t.Errorf("%d requests were made by replays", n-asked)
			}
		})
	}
}
