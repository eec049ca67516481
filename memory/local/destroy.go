package local

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
)

const (
	// destroyWait is how long a memory may still be in use that shall be destroyed.
	destroyWait = time.Second
	// destroyedPrefix begins the name of a folder that is being removed.
	destroyedPrefix = ".removed-"
)

// Destroy removes the data folder dir with everything in it, and reports whether there was
// one. A memory that a process uses is refused: what it would still write would be lost. The
// folder loses its name first, so that an interrupted removal leaves nothing that could be
// taken for a memory; the next Destroy beside it completes it.
func Destroy(ctx context.Context, dir string) (bool, error) {
	parent := filepath.Dir(dir)
	if err := completeRemovals(parent); err != nil {
		return false, err
	}
	if info, err := os.Lstat(dir); errors.Is(err, os.ErrNotExist) {
		return false, nil
	} else if err != nil || !info.IsDir() {
		return false, &evidence.Problem{What: dir + " is no folder", Try: "remove it by hand", Cause: err}
	}
	path := filepath.Join(dir, fileName)
	if _, err := os.Stat(path); err == nil {
		f, err := openRaw(path)
		if err != nil {
			return false, err
		}
		alone, err := f.lockAlone(ctx, destroyWait)
		if err != nil || !alone {
			return false, errors.Join(&evidence.Problem{What: "another process uses " + path,
				Try: "stop the servers and assistants that use it, or wait until they have closed it, and repeat the command", Cause: err}, f.release())
		}
		defer f.release() //nolint:errcheck // the file is gone
	}
	gone := filepath.Join(parent, destroyedPrefix+filepath.Base(dir)+fmt.Sprintf("-%d", time.Now().UnixNano()))
	if err := os.Rename(dir, gone); err != nil {
		return false, &evidence.Problem{What: fmt.Sprintf("%s cannot be removed: %v", dir, err), Try: "check the owner of the folder above it", Cause: err}
	}
	return true, completeRemovals(parent)
}

// completeRemovals removes what Destroy has renamed.
func completeRemovals(parent string) error {
	entries, _ := os.ReadDir(parent) // there may be none
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), destroyedPrefix) {
			continue
		}
		if err := os.RemoveAll(filepath.Join(parent, e.Name())); err != nil {
			return &evidence.Problem{What: fmt.Sprintf("what is left of a removed memory cannot be removed: %v", err), Try: "remove it by hand", Cause: err}
		}
	}
	return nil
}
