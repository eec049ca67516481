package app

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/library"
	"github.com/research-mcp/research-mcp/internal/research"
	"github.com/research-mcp/research-mcp/internal/testkit/world"
)

// A question about a file of one's own is answered with a citation of it whose
// quote is at its offsets, now and when another process recalls it.
func TestAFileIsCited(t *testing.T) {
	t.Parallel()
	dir, notes := t.TempDir(), t.TempDir()
	body := "# The Quillon report\n\nThe Quillon engine was built by Ottoline Verrier in 1911. It ran on turnip oil."
	if err := os.WriteFile(filepath.Join(notes, "my notes.md"), []byte(body), 0o600); err != nil {
		t.Fatal(err)
	}
	w := startWorld(t, world.Options{})
	a := start(t, w, dir, map[string]string{"sources.files.dir": notes})
	answer, err := a.Engine().Research(t.Context(), research.Request{Question: "Who built the Quillon engine?"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var cited *evidence.Citation
	for i, c := range answer.Citations {
		if c.Source == "files" {
			cited = &answer.Citations[i]
		}
	}
	if cited == nil || answer.Status != evidence.Answered {
		t.Fatalf("%s: %s, citations %+v", answer.Status, answer.Answer, answer.Citations)
	}
	u, err := url.Parse(cited.URL)
	if err != nil || u.Scheme != "file" || !strings.HasSuffix(u.Path, "/my notes.md") || cited.Title != "The Quillon report" {
		t.Errorf("citation %+v", cited)
	}
	checkQuotes(t, a, answer)
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	b := start(t, w, dir, nil)
	defer b.Close()
	got, err := b.library.Recall(t.Context(), library.RecallRequest{Query: "Quillon engine turnip oil", K: 3})
	if err != nil || len(got.Hits) == 0 || got.Hits[0].URL != cited.URL || !got.Hits[0].Untrusted {
		t.Errorf("recalled %+v, %v", got.Hits, err)
	}
}

// Documents of the user's own folder are read by default, in isolated processes.
func TestADocumentIsCited(t *testing.T) {
	t.Parallel()
	notes := t.TempDir()
	var raw bytes.Buffer
	z := zip.NewWriter(&raw)
	w, err := z.Create("word/document.xml")
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(w, "<document><body><p><r><t>The Quillon engine was built by Ottoline Verrier in 1911. It ran on turnip oil.</t></r></p></body></document>")
	if err := errors.Join(z.Close(), os.WriteFile(filepath.Join(notes, "report.docx"), raw.Bytes(), 0o600)); err != nil {
		t.Fatal(err)
	}
	a := start(t, startWorld(t, world.Options{}), t.TempDir(), map[string]string{"sources.files.dir": notes})
	defer a.Close()
	answer, err := a.Engine().Research(t.Context(), research.Request{Question: "Who built the Quillon engine?"}, nil)
	if err != nil || !slices.ContainsFunc(answer.Citations, func(c evidence.Citation) bool { return strings.HasSuffix(c.URL, "/report.docx") }) {
		t.Errorf("%v, citations %+v", err, answer.Citations)
	}
	checkQuotes(t, a, answer)
}

// A folder that does not exist is an error in that source's report, which says
// what to do.
func TestAMissingFolderIsData(t *testing.T) {
	t.Parallel()
	a := start(t, startWorld(t, world.Options{}), t.TempDir(), map[string]string{"sources.files.dir": filepath.Join(t.TempDir(), "gone")})
	defer a.Close()
	answer, err := a.Engine().Research(t.Context(), research.Request{Question: attentionQuestion}, nil)
	if err != nil || answer.Status != evidence.Answered {
		t.Fatalf("%s, %v", answer.Status, err)
	}
	for _, s := range answer.Sources {
		if s.Name == "files" && (s.Status != evidence.StatusError || !strings.Contains(s.Err, "does not exist; set sources.files.dir to a folder that exists")) {
			t.Errorf("report %+v", s)
		}
	}
}

// The doctor builds the sources a second time.
func TestBuildingSourcesAgainNamesNoneTwice(t *testing.T) {
	t.Parallel()
	a := start(t, startWorld(t, world.Options{}), t.TempDir(), nil)
	defer a.Close()
	if _, err := a.buildSources(nil); err != nil {
		t.Fatal(err)
	}
	names := a.sourceNames()
	if slices.Sort(names); len(names) == 0 || len(slices.Compact(slices.Clone(names))) != len(names) {
		t.Errorf("names = %q, want each once", names)
	}
}

// What is remembered of an older version of a file does not answer for it: neither what
// an earlier question read nor what was stored by hand.
func TestAChangedFileIsQuotedAsItIsNow(t *testing.T) {
	t.Parallel()
	notes := t.TempDir()
	path := filepath.Join(notes, "quillon.md")
	w := startWorld(t, world.Options{})
	a := start(t, w, t.TempDir(), map[string]string{"sources.files.dir": notes})
	defer a.Close()
	for i, name := range []string{"Ottoline Verrier", "Bartholomew Crane", "Cleo Dunnock"} {
		if err := os.WriteFile(path, []byte("# The Quillon report\n\nThe Quillon engine was built by "+name+" in 1911. It ran on turnip oil.\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		when := time.Date(2026, 11, 1+i, 12, 0, 0, 0, time.UTC)
		if err := os.Chtimes(path, when, when); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			if _, err := a.library.RememberFile(t.Context(), path, "", nil); err != nil {
				t.Fatal(err)
			}
		}
		answer, err := a.Engine().Research(t.Context(), research.Request{Question: "Who built the Quillon engine?", Sources: []string{"files"}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(answer.Answer, name) || strings.Count(answer.Answer, "built by") != 1 {
			t.Errorf("version %d: %s", i+1, answer.Answer)
		}
	}
}
