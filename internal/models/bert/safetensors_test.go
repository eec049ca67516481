package bert

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// reference is what transformers computed; scripts/reference_models.py wrote it.
type reference struct {
	Encoder []struct {
		IDs    []int32
		Vector []float64
	}
	Reranker []struct {
		IDs    []int32
		Second int
		Score  float64
	}
}

func readReference(t *testing.T) reference {
	t.Helper()
	raw, err := os.ReadFile("testdata/reference.json")
	if err != nil {
		t.Fatal(err)
	}
	var ref reference
	if err := json.Unmarshal(raw, &ref); err != nil {
		t.Fatal(err)
	}
	if len(ref.Encoder) < 5 || len(ref.Reranker) < 5 {
		t.Fatal("the reference is incomplete")
	}
	return ref
}

func TestEmbedEqualsTransformers(t *testing.T) {
	t.Parallel()
	m, err := Load("testdata/encoder.safetensors", 2)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range readReference(t).Encoder {
		got, err := m.Embed([]Input{{IDs: c.IDs}})
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range c.Vector {
			if math.Abs(float64(got[0][i])-want) > 2e-4 {
				t.Fatalf("%d tokens: component %d = %g, want %g", len(c.IDs), i, got[0][i], want)
			}
		}
	}
}

func TestScoresEqualTransformers(t *testing.T) {
	t.Parallel()
	m, err := Load("testdata/reranker.safetensors", 2)
	if err != nil {
		t.Fatal(err)
	}
	var batch []Input
	ref := readReference(t).Reranker
	for _, c := range ref {
		batch = append(batch, Input{IDs: c.IDs, Second: c.Second})
	}
	got, ok, err := m.Scores(batch)
	if err != nil || !ok {
		t.Fatalf("Scores = %v, %v", ok, err)
	}
	for i, c := range ref {
		if math.Abs(got[i]-c.Score) > 2e-3 {
			t.Errorf("%d tokens: score %g, want %g", len(c.IDs), got[i], c.Score)
		}
	}
}

func TestLoadRefusesDamagedFiles(t *testing.T) {
	t.Parallel()
	whole, err := os.ReadFile("testdata/encoder.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{
		"empty":           "",
		"no safetensors":  "this is a text file and not weights",
		"half":            string(whole[:len(whole)/2]),
		"header only":     string(whole[:2000]),
		"another network": strings.ReplaceAll(string(whole), "word_embeddings", "nerd_embeddings"),
		"another type":    strings.ReplaceAll(string(whole), `"F16"`, `"I16"`),
	} {
		file := filepath.Join(t.TempDir(), "model.safetensors")
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(file, 2); err == nil || !strings.Contains(err.Error(), file) {
			t.Errorf("%s: Load = %v, want an error that names the file", name, err)
		}
	}
	if m, err := Load("testdata/encoder.safetensors", 2); err != nil {
		t.Error(err)
	} else if _, ok, _ := m.Scores(nil); ok {
		t.Error("an encoder without a classifier gives scores")
	}
}
