package newfile

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

var links = map[string]func(old, name string) error{
	"with hard links":    os.Link,
	"without hard links": func(string, string) error { return errors.ErrUnsupported },
}

func write(t *testing.T, dir, name, content string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestPublish(t *testing.T) {
	t.Parallel()
	for name, link := range links {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			path := filepath.Join(dir, "report")
			if err := publish(write(t, dir, "temp", "finished"), path, link); err != nil {
				t.Fatalf("publish to a free name = %v", err)
			}
			if got, err := os.ReadFile(path); err != nil || string(got) != "finished" {
				t.Errorf("the file holds %q, %v", got, err)
			}
			if info, err := os.Stat(path); err != nil || info.Mode().Perm()&0o077 != 0 && os.PathSeparator == '/' {
				t.Errorf("the file's mode = %v, %v, want that of the temporary file", info.Mode(), err)
			}
		})
	}
}

// Another program may create the file after a caller's check.
func TestPublishNeverReplaces(t *testing.T) {
	t.Parallel()
	for name, link := range links {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			path := write(t, dir, "report", "another program's")
			if err := publish(write(t, dir, "temp", "finished"), path, link); !errors.Is(err, os.ErrExist) {
				t.Errorf("publish to a file that exists = %v, want os.ErrExist", err)
			}
			if got, err := os.ReadFile(path); err != nil || string(got) != "another program's" {
				t.Errorf("the file holds %q, %v", got, err)
			}
		})
	}
}

func TestPublishLeavesNothingAfterAnError(t *testing.T) {
	t.Parallel()
	for name, link := range links {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			path := filepath.Join(dir, "report")
			if err := publish(filepath.Join(dir, "no temp"), path, link); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("publish of a file that does not exist = %v, want os.ErrNotExist", err)
			}
			if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("a file was left: %v", err)
			}
		})
	}
}
