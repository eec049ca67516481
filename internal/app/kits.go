package app

import (
	"context"
	"log/slog"

	"github.com/research-mcp/research-mcp/internal/config"
	"github.com/research-mcp/research-mcp/internal/embed"
	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/research"
	"github.com/research-mcp/research-mcp/internal/text"
)

type kits struct{}

func newKits(cfg *config.Config, log *slog.Logger) (*kits, error) { return &kits{}, nil }
func (k *kits) Close() error                                      { return nil }
func (k *kits) checks(context.Context) []Check                    { return nil }
func (k *kits) Pick(context.Context) research.Kit                 { return k.BuiltIn() }
func (k *kits) BuiltIn() research.Kit {
	return research.Kit{Embedder: embed.NewBuiltin(), Synthesizer: tmp{}, Linguist: tmp{}}
}
func builtInKits() *kits { return &kits{} }

type tmp struct{}

func (tmp) Name() string { return "tmp" }
func (tmp) Keywords(_ context.Context, q string, s evidence.Session, n int) ([]string, error) {
	return text.QueryTerms(q), nil
}
func (tmp) Summarise(_ context.Context, s string, turns []evidence.Turn) (string, error) {
	return s + turns[0].Text, nil
}
func (tmp) Write(_ context.Context, in evidence.Brief, _ func(string)) (evidence.Draft, error) {
	var d evidence.Draft
	for i, e := range in.Evidence[:min(4, len(in.Evidence))] {
		sp := text.Sentences(e.Passage.Text)[0]
		sp.Start, sp.End = sp.Start+e.Passage.Start, sp.End+e.Passage.Start
		d.Sentences = append(d.Sentences, evidence.Sentence{Text: e.Document.Text[sp.Start:sp.End], Marks: []int{i + 1}, Quotes: []evidence.Span{sp}})
	}
	return d, nil
}
