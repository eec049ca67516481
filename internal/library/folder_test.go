package library_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/research-mcp/research-mcp/internal/library"
)

func write(t *testing.T, path, body string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(body), 0o600)); err != nil {
		t.Fatal(err)
	}
}

func counts(r library.FolderResult) string {
	return fmt.Sprintf("%d files: %d kept, %d unchanged, %d failed", r.Files, r.Kept, r.Unchanged, r.Failed)
}

func TestRememberFolder(t *testing.T) {
	t.Parallel()
	l, m := open(t, nil)
	dir := t.TempDir()
	for i := range 30 {
		write(t, filepath.Join(dir, fmt.Sprintf("part%d", i%3), fmt.Sprintf("n%d.md", i)), fmt.Sprintf("# Note %d\n\nThe pump %d is blue.", i, i))
	}
	write(t, filepath.Join(dir, ".git", "config.md"), "hidden folder")
	write(t, filepath.Join(dir, ".secret.md"), "hidden file")
	write(t, filepath.Join(dir, "picture.png"), "no text")
	write(t, filepath.Join(dir, "empty.md"), "")
	write(t, filepath.Join(dir, "noise.txt"), "{\\rtf1 noise}")
	if err := os.Symlink(filepath.Join(dir, "part0", "n0.md"), filepath.Join(dir, "link.md")); err != nil {
		t.Fatal(err)
	}

	var last library.FolderResult
	calls := 0
	r, err := l.RememberFolder(t.Context(), dir, []string{"plant"}, func(p library.FolderResult) { calls++; last = p })
	if want := "32 files: 30 kept, 0 unchanged, 2 failed"; err != nil || counts(r) != want || calls != 32 || last.Done() != 32 {
		t.Fatalf("RememberFolder = %s, %v after %d calls of progress (%s); want %s", counts(r), err, calls, counts(last), want)
	}
	if all := strings.Join(r.Warnings, "\n"); !strings.Contains(all, "empty.md") || !strings.Contains(all, "RTF") {
		t.Errorf("warnings %q", all)
	}
	st, err := m.Stats(t.Context())
	if err != nil || st.Documents != 30 || st.Chunks != r.Chunks {
		t.Errorf("Stats = %+v, %v; %d chunks were kept", st, err, r.Chunks)
	}

	// A file that changes, even back to the same size, is read again; another tag is added.
	changed := filepath.Join(dir, "part1", "n1.md")
	write(t, changed, "# Note 1\n\nThe pump 1 is teal.")
	if err := os.Chtimes(changed, time.Time{}, time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	r, err = l.RememberFolder(t.Context(), dir, []string{"plant"}, nil)
	if want := "32 files: 1 kept, 29 unchanged, 2 failed"; err != nil || counts(r) != want {
		t.Errorf("after a change: %s, %v; want %s", counts(r), err, want)
	}
	got, err := l.RememberFile(t.Context(), changed, "", nil)
	if err != nil || !got.Deduplicated {
		t.Errorf("RememberFile of a file of the folder = %+v, %v", got, err)
	}
	if _, err := l.RememberFolder(t.Context(), filepath.Join(dir, "part2"), []string{"more"}, nil); err != nil {
		t.Fatal(err)
	}
	doc, _, err := m.Document(t.Context(), got.DocumentID)
	if err != nil || !strings.Contains(doc.Text, "teal") {
		t.Errorf("Document = %q, %v", doc.Text, err)
	}
}

// TestRememberFolderContinues: what was stored before an interruption is not read again.
func TestRememberFolderContinues(t *testing.T) {
	t.Parallel()
	l, _ := open(t, nil)
	dir := t.TempDir()
	for i := range 60 {
		write(t, filepath.Join(dir, fmt.Sprintf("n%02d.txt", i)), fmt.Sprintf("The pump %d is blue.", i))
	}
	ctx, cancel := context.WithCancel(t.Context())
	r, err := l.RememberFolder(ctx, dir, nil, func(p library.FolderResult) {
		if p.Done() == 10 {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) || r.Kept < 10 || r.Kept == 60 {
		t.Fatalf("RememberFolder = %s, %v", counts(r), err)
	}
	again, err := l.RememberFolder(t.Context(), dir, nil, nil)
	if err != nil || again.Unchanged < r.Kept || again.Kept+again.Unchanged != 60 {
		t.Errorf("first %s, then %s, %v", counts(r), counts(again), err)
	}
}

func TestRememberFolderRefuses(t *testing.T) {
	t.Parallel()
	l, _ := open(t, nil)
	dir := t.TempDir()
	for name, want := range map[string]string{filepath.Join(dir, "none"): "there is no file", dir: "no file of a kind that is read"} {
		if _, err := l.RememberFolder(t.Context(), name, nil, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("RememberFolder(%s) = %v, want a problem with %q", name, err, want)
		}
	}
	path := filepath.Join(dir, "a.md")
	write(t, path, "text")
	if _, err := l.RememberFile(t.Context(), dir, "", nil); err == nil || !strings.Contains(err.Error(), "is a folder") {
		t.Errorf("RememberFile of a folder = %v", err)
	}
}

// TestRememberFolderBehindLink: a folder that a symbolic link names is read, under that
// name; links within it are not followed.
func TestRememberFolderBehindLink(t *testing.T) {
	t.Parallel()
	l, m := open(t, nil)
	dir := t.TempDir()
	write(t, filepath.Join(dir, "real", "in", "a.md"), "The pump is blue.")
	if err := errors.Join(os.Symlink(filepath.Join(dir, "real"), filepath.Join(dir, "link")),
		os.Symlink(filepath.Join(dir, "real"), filepath.Join(dir, "real", "in", "loop"))); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{filepath.Join(dir, "link"), filepath.Join(dir, "link") + string(filepath.Separator)} {
		r, err := l.RememberFolder(t.Context(), name, nil, nil)
		if err != nil || r.Files != 1 || r.Failed != 0 {
			t.Fatalf("RememberFolder(%s) = %s, %v", name, counts(r), err)
		}
	}
	got, err := l.RememberFile(t.Context(), filepath.Join(dir, "link", "in", "a.md"), "", nil)
	if err != nil || !got.Deduplicated {
		t.Errorf("RememberFile of the same file = %+v, %v", got, err)
	}
	if st, err := m.Stats(t.Context()); err != nil || st.Documents != 1 {
		t.Errorf("Stats = %+v, %v", st, err)
	}
}

// TestRememberFolderWarnings: one warning for each file is not thousands of lines, and a
// folder that cannot be read is a failure.
func TestRememberFolderWarnings(t *testing.T) {
	t.Parallel()
	l, _ := open(t, nil)
	dir := t.TempDir()
	for i := range 25 {
		write(t, filepath.Join(dir, fmt.Sprintf("latin%d.txt", i)), fmt.Sprintf("broken \xff\xc3\x28 bytes\x81 %d, 日本\xff語", i))
	}
	r, err := l.RememberFolder(t.Context(), dir, nil, nil)
	if err != nil || r.Kept != 25 || len(r.Warnings) > 21 {
		t.Errorf("%s, %v: %d warnings, such as %q", counts(r), err, len(r.Warnings), r.Warnings[:min(2, len(r.Warnings))])
	}
	closed := filepath.Join(dir, "closed")
	if err := os.Mkdir(closed, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := os.ReadDir(closed); err == nil {
		t.Log("this user reads any folder: that one cannot be read is not shown")
		return
	}
	r, err = l.RememberFolder(t.Context(), dir, nil, nil)
	if want := "26 files: 0 kept, 25 unchanged, 1 failed"; err != nil || counts(r) != want || !strings.Contains(strings.Join(r.Warnings, "\n"), closed+" cannot be read: permission denied") {
		t.Errorf("%s, %v, %q; want %s", counts(r), err, r.Warnings, want)
	}
}
