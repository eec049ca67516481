// Package guide reads the steps that docs/adding-a-*.md print, for the tests that
// follow them.
package guide

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Step is a file of a guide, or a change of one.
type Step struct {
	Path    string // in the module, with slashes
	Diff    bool   // Content is a diff of added lines
	Content string
}

// step is a path in backticks at the start of a line that ends in a colon, and the
// fenced block below it.
var step = regexp.MustCompile("(?m)^`([a-z/_.-]+)`[^\n]*:\n\n```([a-z]+)\n((?s:.*?))\n```$")

// Steps returns the steps of a guide, in order.
func Steps(page string) []Step {
	var out []Step
	for _, m := range step.FindAllStringSubmatch(page, -1) {
		out = append(out, Step{Path: m[1], Diff: m[2] == "diff", Content: m[3] + "\n"})
	}
	return out
}

// Patched returns file with the added lines of a diff. The lines of context must be
// in the file, in this order, but others may be between them: an added line goes where
// the order of the lines between its neighbours puts it. A line that is there already
// is not added again, as after somebody has followed the guide.
func Patched(file, diff string) (string, error) {
	lines := strings.SplitAfter(file, "\n")
	at := 0        // the line below the last context
	added := -1    // where an addition is waiting for its lower neighbour
	addition := "" // which
	insert := func(end int) {
		if added < 0 || slices.Contains(lines, addition) {
			return
		}
		i := added
		for i < end && strings.TrimSpace(lines[i]) < strings.TrimSpace(addition) {
			i++
		}
		lines = slices.Insert(lines, i, addition)
	}
	for line := range strings.Lines(diff) {
		switch kind, text := line[0], line[1:]; kind {
		case ' ':
			i := slices.Index(lines[at:], text)
			if i < 0 {
				return "", fmt.Errorf("the diff does not fit: %q is not below line %d", text, at)
			}
			before := len(lines)
			insert(at + i)
			at, added = at+i+1+len(lines)-before, -1
		case '+':
			if added >= 0 || at == 0 {
				return "", fmt.Errorf("%q is not the only added line below a line of context", text)
			}
			added, addition = at, text
		default:
			return "", fmt.Errorf("line %q is neither context nor added", line)
		}
	}
	insert(at + endOfList(lines[at:]))
	return strings.Join(lines, ""), nil
}

// endOfList is the index of the first line that ends a list, or its length.
func endOfList(lines []string) int {
	i := slices.IndexFunc(lines, func(s string) bool {
		s = strings.TrimSpace(s)
		return s == "" || s[0] == ')' || s[0] == '}'
	})
	if i < 0 {
		return len(lines)
	}
	return i
}

// Overlay is the argument of the go command's -overlay: which file stands for each
// file of the module, "" for none.
type Overlay struct {
	root, temp string
	replace    map[string]string
}

// NewOverlay returns an empty overlay of the module at root, which keeps its files in
// the folder temp.
func NewOverlay(root, temp string) *Overlay {
	return &Overlay{root: root, temp: temp, replace: map[string]string{}}
}

// Read returns the content of a file of the module, as the overlay has it.
func (o *Overlay) Read(t *testing.T, path string) string {
	t.Helper()
	file := filepath.Join(o.root, filepath.FromSlash(path))
	if there, ok := o.replace[file]; ok {
		file = there
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// Write writes a file below temp, at the same path as in the module, and puts it into
// the overlay.
func (o *Overlay) Write(t *testing.T, path, content string) {
	t.Helper()
	at := filepath.Join(o.temp, filepath.FromSlash(path))
	if err := os.MkdirAll(filepath.Dir(at), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(at, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	o.replace[filepath.Join(o.root, filepath.FromSlash(path))] = at
}

// Hide takes files of the module away: what somebody who followed the guide has
// written under the same name.
func (o *Overlay) Hide(t *testing.T, pattern string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(o.root, filepath.FromSlash(pattern)))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		o.replace[file] = ""
	}
}

// Follow does what the steps say.
func (o *Overlay) Follow(t *testing.T, steps []Step) {
	t.Helper()
	for _, s := range steps {
		content := s.Content
		if s.Diff {
			var err error
			if content, err = Patched(o.Read(t, s.Path), content); err != nil {
				t.Fatalf("%s: %v", s.Path, err)
			}
		}
		o.Write(t, s.Path, content)
	}
}

// File writes the overlay and returns the name of its file.
func (o *Overlay) File(t *testing.T) string {
	t.Helper()
	raw, err := json.Marshal(map[string]any{"Replace": o.replace})
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(o.temp, "overlay.json")
	if err := os.WriteFile(name, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}
