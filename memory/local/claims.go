package local

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gofrs/flock"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/contract"
	"github.com/research-mcp/research-mcp/memory/intake"
)

// Claims are files in a folder of their own, two for each: the record, and a file whose
// lock its process holds, which the kernel frees however the process ends. They are not in
// the database, so that a claim neither waits for its lock nor writes to it for each
// question, and that nothing of a removed one stays in pages and backups.
const (
	claimsFolder = fileName + "-claims"
	claimRecord  = ".json"
	claimLock    = ".lock"
	claimPart    = ".part" // a record that is being written
)

// claims are the locks that this memory holds, by the name of the files.
type claims struct {
	mu     sync.Mutex
	closed bool
	held   map[string]*flock.Flock
}

// claimFile is where the files of a claim are, without their endings. The id may be a
// client's: it does not become a name.
func claimFile(memory, id string) string {
	sum := sha256.Sum256([]byte(id))
	return filepath.Join(filepath.Dir(memory), claimsFolder, hex.EncodeToString(sum[:16]))
}

// ClaimRun stores who works on a run; see contract.RunClaimer.
func (l *Local) ClaimRun(ctx context.Context, run contract.ClaimedRun) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	if err := intake.CheckClaim(run); err != nil {
		return false, err
	}
	switch {
	case run.ID == "":
		return false, evidence.BadInput("a claim has no run", "name the run that it is for")
	case l.readOnly:
		return false, notWritable(l.path, nil)
	}
	file := claimFile(l.path, run.ID)
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return false, fmt.Errorf("claiming a run: %w", err)
	}
	got, err := l.claims.take(file)
	if err != nil || !got {
		return false, err
	}
	// Under the lock: Append stores the answer before it ends the claim.
	if _, stored, err := l.Run(ctx, run.ID); err != nil || stored {
		l.claims.release(l.path, run.ID)
		return false, err
	}
	if err := writeClaim(file, run); err != nil {
		l.claims.release(l.path, run.ID)
		return false, fmt.Errorf("claiming a run: %w", err)
	}
	return true, nil
}

// take locks a claim's file, and reports whether nobody else had it locked.
func (c *claims) take(file string) (bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false, sql.ErrConnDone
	}
	if c.held[file] != nil {
		return false, nil
	}
	lock := flock.New(file+claimLock, flock.SetPermissions(0o600))
	got, err := lockBesideLooks(lock)
	if err != nil {
		return false, fmt.Errorf("claiming a run: %w", err)
	}
	if !got {
		return false, lock.Close()
	}
	if c.held == nil {
		c.held = map[string]*flock.Flock{}
	}
	c.held[file] = lock
	return true, nil
}

// looksFor is how long a claim waits for those who look whether there is one.
const looksFor = 2 * time.Second

// lockBesideLooks locks a file that nobody else has locked. Who only looks, as alive does,
// shares its lock for a moment: then it is tried again.
func lockBesideLooks(lock *flock.Flock) (got bool, err error) {
	for end := time.Now().Add(looksFor); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if got, err = lock.TryLock(); err != nil || got {
			return got, err
		}
		if shared, err := lock.TryRLock(); err != nil || !shared {
			return false, err
		}
		if err := lock.Unlock(); err != nil {
			return false, err
		}
	}
	return false, nil
}

func writeClaim(file string, run contract.ClaimedRun) error {
	run.Alive = false
	raw, err := json.Marshal(run)
	if err != nil {
		return err
	}
	part := file + claimPart
	if err := os.WriteFile(part, raw, 0o600); err != nil {
		return errors.Join(err, os.Remove(part))
	}
	return os.Rename(part, file+claimRecord)
}

// release ends a claim of this memory, if there is one, and removes its files. Who
// locks the file between its release and its removal is not seen by others: then a run
// may be worked on twice, and one of the answers is stored.
func (c *claims) release(memory, id string) {
	file := claimFile(memory, id)
	c.mu.Lock()
	defer c.mu.Unlock()
	lock := c.held[file]
	if lock == nil {
		return
	}
	delete(c.held, file)
	os.Remove(file + claimRecord)
	_ = lock.Close() // what cannot be closed is freed with the process
	os.Remove(file + claimLock)
}

// close gives the locks back. The records stay: another process may work on the runs.
func (c *claims) close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	var errs []error
	for _, lock := range c.held {
		errs = append(errs, lock.Close())
	}
	c.held = nil
	return errors.Join(errs...)
}

// ReleaseRun ends a claim; see contract.RunClaimer.
func (l *Local) ReleaseRun(ctx context.Context, id string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	file := claimFile(l.path, id)
	if _, err := os.Stat(file + claimRecord); err == nil {
		if _, err := l.claims.take(file); err != nil { // of a process that has ended
			return err
		}
	}
	l.claims.release(l.path, id)
	return nil
}

// ClaimedRuns lists the claims; see contract.RunClaimer.
func (l *Local) ClaimedRuns(ctx context.Context) ([]contract.ClaimedRun, error) {
	out := []contract.ClaimedRun{}
	if err := ctx.Err(); err != nil {
		return out, err
	}
	old := l.now().Add(-contract.ClaimKept)
	err := l.eachClaim([]string{claimRecord}, func(path string, run contract.ClaimedRun) {
		file := strings.TrimSuffix(path, claimRecord)
		run.Alive = l.claims.alive(file)
		if run.Alive || run.Begun.After(old) {
			out = append(out, run)
			return
		}
		os.Remove(file + claimRecord) // the words of a question are not kept for nothing
		os.Remove(file + claimLock)
	})
	slices.SortFunc(out, func(a, b contract.ClaimedRun) int { return a.Begun.Compare(b.Begun) })
	return out, err
}

// sweepClaims removes the claims that ended without an answer long ago, and files that a
// killed process left without a record.
func (l *Local) sweepClaims(ctx context.Context) {
	_, _ = l.ClaimedRuns(ctx) // the next sweep tries again
	files, _ := filepath.Glob(filepath.Join(filepath.Dir(l.path), claimsFolder, "*"))
	for _, path := range files {
		file := strings.TrimSuffix(path, filepath.Ext(path))
		info, err := os.Stat(path)
		if err != nil || l.now().Sub(info.ModTime()) < contract.ClaimKept || l.claims.alive(file) {
			continue
		}
		if _, err := os.Stat(file + claimRecord); errors.Is(err, fs.ErrNotExist) {
			os.Remove(path)
		}
	}
}

// claimsHold reports whether a claim has words, whatever their case.
func (l *Local) claimsHold(words string) (found bool, err error) {
	err = l.eachClaim([]string{claimRecord, claimPart}, func(_ string, run contract.ClaimedRun) {
		all := strings.ToLower(strings.Join([]string{run.ID, run.Session, run.Question, string(run.Request)}, "\n"))
		found = found || strings.Contains(all, strings.ToLower(words))
	})
	return found, err
}

// eachClaim calls fn with every record whose file has one of some endings. What is no record
// is left out: one that is being removed, or that a full disk cut.
func (l *Local) eachClaim(endings []string, fn func(path string, run contract.ClaimedRun)) error {
	dir := filepath.Join(filepath.Dir(l.path), claimsFolder)
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading the claims of runs: %w", err)
	}
	for _, e := range entries {
		if !slices.Contains(endings, filepath.Ext(e.Name())) {
			continue
		}
		var run contract.ClaimedRun
		path := filepath.Join(dir, e.Name())
		raw, err := os.ReadFile(path)
		if err == nil && json.Unmarshal(raw, &run) == nil {
			fn(path, run)
		}
	}
	return nil
}

// alive reports whether a process holds the lock of a claim.
func (c *claims) alive(file string) bool {
	c.mu.Lock()
	mine := c.held[file] != nil
	c.mu.Unlock()
	if mine {
		return true
	}
	if _, err := os.Stat(file + claimLock); err != nil {
		return false
	}
	lock := flock.New(file+claimLock, flock.SetPermissions(0o600))
	defer lock.Close() //nolint:errcheck // it was opened for this question alone
	free, err := lock.TryRLock()
	return err == nil && !free
}

// forgetClaims removes the claims of a session that is removed, and those whose
// question quotes what is; also records that a killed process was writing. Who works on them
// holds its lock until it ends.
func (l *Local) forgetClaims(ctx context.Context, tx *sql.Tx, f *forgetting) error {
	var failed error
	err := l.eachClaim([]string{claimRecord, claimPart}, func(path string, run contract.ClaimedRun) {
		quotes, err := f.quotes.isQuote(ctx, tx, run.Question)
		failed = errors.Join(failed, err)
		if quotes || f.sel.WholeSession() && run.Session == f.sel.Session {
			if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) { // else its answer has just been stored
				failed = errors.Join(failed, err)
			}
		}
	})
	return errors.Join(err, failed)
}
