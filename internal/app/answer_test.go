package app

import (
	"os"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/research-mcp/research-mcp/internal/config"
	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/library"
	"github.com/research-mcp/research-mcp/internal/research"
	"github.com/research-mcp/research-mcp/internal/testkit/ollamakit"
	"github.com/research-mcp/research-mcp/internal/testkit/world"
)

// attentionQuestion is one that a world's documents answer.
const attentionQuestion = "How does attention work in a transformer?"

// TestMain lets this test binary be its own isolated child.
func TestMain(m *testing.M) {
	if code, child := Child(); child {
		os.Exit(code)
	}
	os.Exit(m.Run())
}

// start is the program in a world without latencies, with further settings.
func start(t *testing.T, w *world.World, dir string, more map[string]string) *App {
	t.Helper()
	return startWith(t, w, dir, more, Options{})
}

func startWith(t *testing.T, w *world.World, dir string, more map[string]string, o Options) *App {
	t.Helper()
	flags := map[string]string{"data_dir": dir, "ollama.enabled": "false"}
	for name, d := range SourceDefaults() {
		if d.URL != "" { // a host on the network, unless the world serves it
			flags["sources."+name+".enabled"] = "false"
		}
	}
	for name, url := range w.URLs() {
		flags["sources."+name+".enabled"], flags["sources."+name+".url"] = "true", url
	}
	for k, v := range more {
		flags[k] = v
	}
	cfg, err := config.Load(config.Inputs{Sources: SourceDefaults(), Flags: flags})
	if err != nil {
		t.Fatal(err)
	}
	a, err := New(t.Context(), cfg, o)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func startWorld(t *testing.T, o world.Options) *world.World {
	t.Helper()
	if o.Latency == nil {
		o.Latency = world.Latencies()
		for name := range o.Latency {
			o.Latency[name] = 0
		}
	}
	w, err := world.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// checkQuotes looks up every quote at its offsets.
func checkQuotes(t *testing.T, a *App, answer evidence.Answer) {
	t.Helper()
	for _, c := range answer.Citations {
		d, err := a.library.Document(t.Context(), c.DocumentID)
		if err != nil || c.End > len(d.Text) || d.Text[c.Start:c.End] != c.Quote || c.Quote == "" {
			t.Errorf("citation %d of %s: %q is not at %d:%d (%v)", c.N, c.DocumentID, c.Quote, c.Start, c.End, err)
		}
	}
}

// Every goroutine that the program started has ended when Close returns, also
// with a source that hangs in the background.
func TestCloseLeavesNothingBehind(t *testing.T) {
	defer goleak.VerifyNone(t)
	for _, fault := range []string{"", world.FaultHang} {
		o := world.Options{Fault: map[string]string{}}
		if fault != "" {
			o.Fault["wikipedia"] = fault
		}
		w, err := world.Start(o)
		if err != nil {
			t.Fatal(err)
		}
		a := start(t, w, t.TempDir(), map[string]string{"research.soft_budget": "50ms"})
		answer, err := a.Engine().Research(t.Context(), research.Request{Question: attentionQuestion}, nil)
		if err != nil || answer.Status != evidence.Answered {
			t.Errorf("fault %q: %s, %v", fault, answer.Status, err)
		}
		if err := a.Close(); err != nil {
			t.Error(err)
		}
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestWhatOneProcessReadAnotherRecalls(t *testing.T) {
	t.Parallel()
	w, dir := startWorld(t, world.Options{}), t.TempDir()
	first := start(t, w, dir, nil)
	answer, err := first.Engine().Research(t.Context(), research.Request{Question: attentionQuestion}, nil)
	if err != nil || answer.Status != evidence.Answered {
		t.Fatalf("%s, %v", answer.Status, err)
	}
	checkQuotes(t, first, answer)
	// Both are open at the same time.
	second := start(t, w, dir, nil)
	got, err := second.library.Recall(t.Context(), library.RecallRequest{Query: "scaled dot product attention"})
	if err != nil || len(got.Hits) == 0 || !strings.Contains(got.Hits[0].Text, "ttention") {
		t.Errorf("%d hits, %v", len(got.Hits), err)
	}
	stored, err := second.library.Run(t.Context(), answer.RunID)
	if err != nil || stored.Answer != answer.Answer {
		t.Errorf("the run was stored as %q, %v", stored.Answer, err)
	}
	for _, a := range []*App{first, second} {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	}
}

// The stand-in, and a real Ollama when OLLAMA_TEST_HOST names one.
func TestAnswerWithOllama(t *testing.T) {
	ollamakit.Each(t, func(t *testing.T, target ollamakit.Target) {
		w := startWorld(t, world.Options{})
		a := start(t, w, t.TempDir(), map[string]string{"ollama.enabled": "true", "ollama.host": target.Host})
		defer func() {
			if err := a.Close(); err != nil {
				t.Error(err)
			}
		}()
		chooseOllama(t, a)
		answer, err := a.Engine().Research(t.Context(), research.Request{Question: attentionQuestion}, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s by %s, embedded by %s, topics %q, warnings %q: %s", answer.Status, answer.Synthesizer, answer.Embedder, answer.Topics, answer.Warnings, answer.Answer)
		if answer.Status == evidence.Insufficient || !strings.HasPrefix(answer.Embedder, "ollama/") || len(answer.Citations) == 0 {
			t.Errorf("%s, embedded by %s, %d citations", answer.Status, answer.Embedder, len(answer.Citations))
		}
		checkQuotes(t, a, answer)
	})
}
