package sources

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/text"
)

// Bounds of a warning that names files.
const (
	maxNamed = 3   // files
	maxWhy   = 160 // bytes of a name, and of the reason
)

// unreadFiles are the files that could not be read, until an answer has said so. Each
// state of a file is said once. It is safe for concurrent use.
type unreadFiles struct {
	mu    sync.Mutex
	known map[string]time.Time // when they were modified, by path
	count int                  // not said yet
	names []string             // of the first ones, with the reasons
}

func (u *unreadFiles) add(files []outcome) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, got := range files {
		at, ok := u.known[got.file.path]
		switch {
		case got.why == nil:
			delete(u.known, got.file.path)
			continue
		case ok && at.Equal(got.file.modified):
			continue
		case u.known == nil:
			u.known = map[string]time.Time{}
		}
		u.known[got.file.path] = got.file.modified
		if u.count++; u.count <= maxNamed {
			u.names = append(u.names, fmt.Sprintf("%s (%s)", oneLine(got.file.path), oneLine(reason(got.why))))
		}
	}
}

// warning returns one warning, or none if there is nothing to say.
func (u *unreadFiles) warning() []string {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.count == 0 {
		return nil
	}
	out := fmt.Sprintf("%s of the folder could not be read: %s", text.Count(u.count, "file"), strings.Join(u.names, ", "))
	if more := u.count - len(u.names); more > 0 {
		out += fmt.Sprintf(" and %d more", more)
	}
	return []string{out}
}

// said forgets what a warning has said.
func (u *unreadFiles) said() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.count, u.names = 0, nil
}

// reason is why a file cannot be read, without its path.
func reason(err error) string {
	var problem *evidence.Problem
	var path *fs.PathError
	switch {
	case errors.As(err, &problem):
		return problem.What
	case errors.As(err, &path):
		return path.Err.Error()
	}
	return err.Error()
}

// oneLine makes s part of a line.
func oneLine(s string) string {
	out, cut := text.Cut(text.Squash(s), maxWhy)
	if cut {
		out += "…"
	}
	return out
}
