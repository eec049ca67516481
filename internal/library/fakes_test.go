package library_test

import (
	"context"
	"encoding/json"
	"hash/fnv"
	"testing"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/extract"
	"github.com/research-mcp/research-mcp/internal/isolate"
	"github.com/research-mcp/research-mcp/internal/library"
	"github.com/research-mcp/research-mcp/internal/models"
	"github.com/research-mcp/research-mcp/memory"
)

// fakeEmbedder makes vectors of a text's bytes; err, when not nil, is its answer.
type fakeEmbedder struct {
	model evidence.Model
	err   error
	hang  bool // until ctx ends
}

func (e fakeEmbedder) Model() evidence.Model { return e.model }

func (e fakeEmbedder) Embed(ctx context.Context, texts []string) ([][]float32, error) {
	if e.hang {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if e.err != nil {
		return nil, e.err
	}
	out := make([][]float32, len(texts))
	for i, t := range texts {
		h := fnv.New32a()
		h.Write([]byte(t))
		n := h.Sum32()
		out[i] = []float32{1, float32(n%7) / 7, float32(n%11) / 11, float32(n%13) / 13}
	}
	return out, ctx.Err()
}

var (
	builtIn = fakeEmbedder{model: evidence.Model{Name: "built-in", Revision: "1", Dims: 4, Kind: evidence.KindLexical}}
	trained = fakeEmbedder{model: evidence.Model{Name: "ollama/mini", Revision: "1", Dims: 4, Kind: evidence.KindTransformer}}
)

// fakeChooser always chooses the same embedder; encoder may be nil.
type fakeChooser struct{ embedder, encoder models.Embedder }

func (c fakeChooser) Choose(context.Context) models.Set {
	return models.Set{Embedder: c.embedder, Encoder: c.encoder}
}

func (c fakeChooser) BuiltIn() models.Set { return models.Set{Embedder: builtIn, Encoder: c.encoder} }

// inProcess runs the extraction without a child process.
type inProcess struct{}

func (inProcess) Run(ctx context.Context, name string, in, out any) error {
	raw, err := json.Marshal(in)
	if err != nil {
		return err
	}
	task := map[string]isolate.Task{extract.TaskName: extract.Task, extract.TaskNamePDF: extract.TaskPDF, extract.TaskNameDocument: extract.TaskDocument}[name]
	if raw, err = task(ctx, raw); err != nil {
		return err
	}
	return json.Unmarshal(raw, out)
}

// open returns a library over a real memory in a folder of its own.
func open(t *testing.T, change func(*library.Deps)) (*library.Library, memory.Memory) {
	t.Helper()
	m, err := memory.Open(t.Context(), memory.Config{Backend: "local", Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	d := library.Deps{Memory: m, Models: fakeChooser{embedder: builtIn}, Files: extract.Isolated{Runner: inProcess{}}.All()}
	if change != nil {
		change(&d)
	}
	return library.New(d), m
}

// remember stores texts.
func remember(t *testing.T, l *library.Library, texts ...string) []string {
	t.Helper()
	var ids []string
	for _, body := range texts {
		got, err := l.Remember(t.Context(), library.RememberRequest{Text: body})
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, got.DocumentID)
	}
	return ids
}

const (
	heron = "The heron nests in the delta."
	crane = "Cranes spend the winter in the south."
)
