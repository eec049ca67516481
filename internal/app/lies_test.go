package app

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/research"
	"github.com/research-mcp/research-mcp/internal/testkit/ollamakit"
	"github.com/research-mcp/research-mcp/internal/testkit/world"
	"github.com/research-mcp/research-mcp/internal/text"
)

const tidalMill = `# The tidal mill of Sorrel Quay

The tidal mill of Sorrel Quay was built in 1764 by the engineer Josiah Penhale. Its wheel has a diameter of 5.5 metres and turns for six hours after each high tide.

The mill grinds wheat in winter and barley in summer. The sluice must be closed before the tide turns. Visitors may enter the wheel room, but only the miller can open the sluice.

It is often said that smugglers used the cellar, but the parish records show that it was always flooded.

Most of the flour was sold to the harbour bakery; none of it was exported. The mill pond holds about 10^7 litres of water. The old wheel was not repaired after the storm of March 1891. The miller might reopen the upper floor next year.

The bakery bought the mill from the Penhale family in 1902. The east gate is narrow, whereas the west gate is wide.
`

// lies are statements about the mill of which none is true, by kind.
var lies = [][2]string{
	{"date", "The tidal mill of Sorrel Quay was built in 1746."},
	{"name", "The mill was built by the engineer Tobias Penhale."},
	{"number", "Its wheel has a diameter of 7.5 metres."},
	{"unit", "Its wheel has a diameter of 5.5 feet."},
	{"unit", "The wheel turns for six minutes after each high tide."},
	{"before and after", "The wheel turns for six hours before each high tide."},
	{"exchanged objects", "The mill grinds barley in winter and wheat in summer."},
	{"modality", "The sluice may be closed before the tide turns."},
	{"modality", "Visitors must enter the wheel room."},
	{"quantifier", "All visitors can open the sluice."},
	{"half of a quotation", "Smugglers used the cellar of the mill."},
	{"quantifier", "All of the flour was sold to the harbour bakery."},
	{"negation", "Some of the flour was exported."},
	{"exponent", "The mill pond holds about 10^9 litres of water."},
	{"negation", "The old wheel was repaired after the storm of March 1891."},
	{"modality", "The miller will reopen the upper floor next year."},
	{"roles", "The Penhale family bought the mill from the bakery in 1902."},
	{"opposite", "The east gate is wide."},
	{"invented", "The mill won a prize for its garden in the county show."},
	{"invented citation", "According to Dr. Hollis, the mill is haunted [9]."},
}

// truths follow from the text, in other words.
var truths = []string{
	"Josiah Penhale, an engineer, built the tidal mill in 1764.",
	"The mill at Sorrel Quay dates from 1764.",
	"The diameter of the wheel is 5.5 metres.",
	"After each high tide the wheel turns for six hours.",
	"In winter the mill grinds wheat.",
	"Barley is ground in summer.",
	"The sluice has to be closed before the turn of the tide.",
	"Visitors are allowed to enter the wheel room.",
	"Nobody but the miller can open the sluice.",
	"According to the parish records the cellar was always flooded.",
	"The harbour bakery bought most of the flour.",
	"None of the flour was exported.",
	"The mill pond holds about ten million litres of water.",
	"The wheel was not repaired after the storm of March 1891.",
	"It is possible that the miller reopens the upper floor next year.",
	"In 1902 the mill was bought by the bakery.",
	"The Penhale family sold the mill in 1902.",
	"The east gate is narrow.",
	"The west gate is wide.",
	"The mill is driven by the tide.",
}

// ask returns the answer of a model that writes the sentences, each with a citation
// of the first passage.
func askModel(t *testing.T, encoder string, sentences []string) evidence.Answer {
	t.Helper()
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "mill.md"), []byte(tidalMill), 0o600); err != nil {
		t.Fatal(err)
	}
	ollama := ollamakit.Start(t)
	ollama.OnChat(func(c ollamakit.Call) ollamakit.Reply {
		if c.Format != nil { // it is asked for keywords
			return ollamakit.Reply{Tokens: []string{`{"queries":["tidal mill"]}`}}
		}
		var out []string
		for _, s := range sentences {
			out = append(out, strings.TrimSuffix(s, ".")+" [1]. ")
		}
		return ollamakit.Reply{Tokens: out}
	})
	w := startWorld(t, world.Options{})
	more := map[string]string{"ollama.enabled": "true", "ollama.host": ollama.Host(), "models.builtin": encoder, "sources.files.enabled": "true", "sources.files.dir": folder}
	for name := range w.URLs() {
		more["sources."+name+".enabled"] = "false"
	}
	a := start(t, w, t.TempDir(), more)
	defer func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	}()
	chooseOllama(t, a)
	answer, err := a.Engine().Research(t.Context(), research.Request{Question: "Tell me about the tidal mill of Sorrel Quay", Sources: []string{"files"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	checkQuotes(t, a, answer)
	return answer
}

// verdicts counts the verdicts on the sentences, and logs those that do not fit.
func verdicts(t *testing.T, answer evidence.Answer, sentences []string, true_ bool) map[string]int {
	t.Helper()
	count := map[string]int{}
	for _, s := range sentences {
		stem, _, _ := strings.Cut(strings.TrimSuffix(s, "."), " [")
		at := slices.IndexFunc(answer.Claims, func(c evidence.Claim) bool { return strings.HasPrefix(c.Text, stem) })
		if at < 0 {
			t.Errorf("no claim %q", s)
			continue
		}
		c := answer.Claims[at]
		count[c.Verdict]++
		if shown := strings.Contains(answer.Answer, stem); shown != (c.Verdict != evidence.Unsupported) {
			t.Errorf("%q is %s and shown: %v", s, c.Verdict, shown)
		}
		if true_ != (c.Verdict == evidence.Supported) && (true_ || c.Verdict != evidence.Unsupported) {
			t.Logf("%q is %s: %s", s, c.Verdict, c.Why)
		}
	}
	return count
}

// faithful returns the sentences of the mill's text: a draft of lies alone would not be
// used at all.
func faithful() []string {
	var out []string
	_, prose, _ := strings.Cut(tidalMill, "\n")
	for _, sp := range text.Sentences(prose) {
		out = append(out, strings.TrimSpace(prose[sp.Start:sp.End]))
	}
	return out
}

func addTo(sum, part map[string]int) {
	for k, n := range part {
		sum[k] += n
	}
}

// A model that lies about what it has read is not believed; one that tells the truth
// in its own words mostly is.
func TestTwentyLies(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		encoder                string
		shown                  int // lies at most
		trueShown, trueTrusted int // truths at least
	}{{"on", 3, 18, 15}, {"off", 3, 13, 9}} {
		t.Run("encoder "+c.encoder, func(t *testing.T) {
			t.Parallel()
			var untrue []string
			for _, lie := range lies {
				untrue = append(untrue, lie[1])
			}
			lied, told := map[string]int{}, map[string]int{}
			const part = 5
			for i := 0; i < len(lies); i += part {
				sentences := append(faithful(), append(slices.Clone(untrue[i:i+part]), truths[i:i+part]...)...)
				answer := askModel(t, c.encoder, sentences)
				if !strings.HasPrefix(answer.Synthesizer, "ollama/") {
					t.Fatalf("written by %s: %q", answer.Synthesizer, answer.Warnings)
				}
				addTo(lied, verdicts(t, answer, untrue[i:i+part], false))
				addTo(told, verdicts(t, answer, truths[i:i+part], true))
			}
			if lied[evidence.Supported] > 0 || lied[evidence.Weak] > c.shown {
				t.Errorf("of %d lies %d are supported and %d weak", len(lies), lied[evidence.Supported], lied[evidence.Weak])
			}
			if told[evidence.Supported] < c.trueTrusted || told[evidence.Supported]+told[evidence.Weak] < c.trueShown {
				t.Errorf("of %d truths %d are supported and %d weak", len(truths), told[evidence.Supported], told[evidence.Weak])
			}
		})
	}
}
