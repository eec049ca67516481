package sources

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/fileindex"
	"github.com/research-mcp/research-mcp/internal/text"
)

// Bounds of a folder, so that a home folder named by mistake neither fills the disk
// nor delays a question.
const (
	maxFiles      = 100_000
	maxEntries    = 2_000_000 // files of any type and folders that are listed
	maxHeld       = 250_000   // folders in one folder, and files of a known type, that are looked at
	maxFileBytes  = 2 << 20   // of one file, as extract.MaxInput; the rest is not read
	maxIndexBytes = 1 << 30   // of all texts
	maxPart       = 32 << 10  // bytes; longer texts are cut into parts
)

// bounds are how much of a folder is read.
type bounds struct{ files, entries, bytes int }

// inMemory are the bounds of an index that is kept in this process's memory.
var inMemory = bounds{files: 5000, entries: 100_000, bytes: 32 << 20}

// folder keeps the index of a folder up to date. Only files that changed are read
// again, by one goroutine at a time, which goes on until it is done or the folder is
// closed. It is safe for concurrent use.
type folder struct {
	dir     string
	pages   PageReader
	log     *slog.Logger
	bounds  bounds
	options fileindex.Options
	idle    func(context.Context) error // see Settings.Idle; nil: never waited for

	life context.Context // of the goroutines
	end  context.CancelFunc
	wait sync.WaitGroup

	mu     sync.Mutex
	index  *fileindex.Index // nil: not open
	notes  []string         // about the index, for the user
	once   []string         // the same, until an answer from a whole index has said so
	update *update          // the present or last one
	unread unreadFiles
	warned bool // that the folder holds more than is read

	searches int             // that wait for the reading
	none     context.Context // ends when there is one
	begin    context.CancelFunc
}

// unusedFor is how long the index of a folder is kept that is not searched.
const unusedFor = 30 * 24 * time.Hour

// foldersDir is the folder of the indexes in the data folder.
const foldersDir = "folders"

// folderKey names the index of a folder, which its absolute path identifies.
func folderKey(dir string) string {
	sum := sha256.Sum256([]byte(dir))
	return hex.EncodeToString(sum[:8])
}

func newFolder(dir string, s Settings) *folder {
	x := &folder{dir: dir, pages: s.reader(), log: s.logger(), bounds: bounds{maxFiles, maxEntries, maxIndexBytes},
		options: fileindex.Options{Version: s.Version, Logger: s.logger()}, idle: s.Idle}
	if s.DataDir == "" {
		x.bounds = inMemory
	} else {
		x.options.Dir = filepath.Join(s.DataDir, foldersDir, folderKey(dir))
	}
	x.life, x.end = context.WithCancel(context.Background())
	x.none, x.begin = context.WithCancel(x.life)
	return x
}

// Close ends the reading and waits for it.
func (x *folder) Close() error {
	x.end()
	x.wait.Wait()
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.index == nil {
		return nil
	}
	err := x.index.Close()
	x.index = nil
	return err
}

// update is one reading of what changed in the folder.
type update struct {
	done  chan struct{}
	err   error        // once it is done
	files atomic.Int64 // in the folder; 0: not known yet
	read  atomic.Int64 // of these, those that the index has
	more  bool         // once it is done: the folder holds more than the bounds allow
}

// errIndex is the cause of an update that failed at the index, not at the folder.
var errIndex = errors.New("the index cannot be used")

// errUnreadable is the error for a folder with files none of which can be read.
var errUnreadable = errors.New("none of its files can be read")

// refresh updates the index from the folder as it is now. It returns when that is done,
// or with an unfinished update when ctx ends.
func (x *folder) refresh(ctx context.Context) (u *update, err error) {
	defer x.awaiting()()
	u, own, err := x.join()
	if err != nil {
		return nil, err
	}
	if !u.wait(ctx) || own {
		return u, nil
	}
	if u, _, err = x.join(); err != nil { // the first one may have listed the folder before this call
		return nil, err
	}
	u.wait(ctx)
	return u, nil
}

// awaiting notes that a search waits for the reading until done is called.
func (x *folder) awaiting() (done func()) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.searches++; x.searches == 1 {
		x.begin()
	}
	return func() {
		x.mu.Lock()
		defer x.mu.Unlock()
		if x.searches--; x.searches == 0 {
			x.none, x.begin = context.WithCancel(x.life)
		}
	}
}

// turn returns when the reading may go on: while a search waits for it, with all
// processors, else between questions, with one.
func (x *folder) turn(ctx context.Context) (workers int, err error) {
	x.mu.Lock()
	searches, none := x.searches, x.none
	x.mu.Unlock()
	if searches == 0 && x.idle != nil {
		bounded, cancel := context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(none, cancel)()
		if x.idle(bounded) == nil {
			return 1, ctx.Err()
		}
	}
	return runtime.GOMAXPROCS(0), ctx.Err()
}

// wait reports whether the update was done before the end of ctx.
func (u *update) wait(ctx context.Context) bool {
	select {
	case <-u.done:
		return true
	case <-ctx.Done():
		return u.finished()
	}
}

func (u *update) finished() bool {
	select {
	case <-u.done:
		return true
	default:
		return false
	}
}

// join returns the update that is under way, or starts one.
func (x *folder) join() (u *update, own bool, err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if err := x.life.Err(); err != nil {
		return nil, false, fmt.Errorf("reading a folder that was closed: %w", err)
	}
	if x.update != nil && !x.update.finished() {
		return x.update, false, nil
	}
	u = &update{done: make(chan struct{})}
	x.update = u
	x.wait.Go(func() {
		defer close(u.done)
		defer func() {
			if p := recover(); p != nil {
				u.err = fmt.Errorf("reading the folder panicked: %v", p)
			}
		}()
		u.err = x.run(x.life, u)
	})
	return u, true, nil
}

// run brings the index up to date.
func (x *folder) run(ctx context.Context, u *update) error {
	root, err := os.OpenRoot(x.dir)
	if err != nil {
		return err
	}
	defer root.Close() // it was only read from
	index, err := x.open(ctx)
	if err != nil {
		return err
	}
	unlock, err := index.Lock(ctx)
	if err != nil {
		return fmt.Errorf("%w: %w", errIndex, err)
	}
	defer unlock()
	listed, all, err := x.list(ctx, root)
	if err != nil {
		return err
	}
	known, err := index.Files(ctx)
	if err != nil {
		return fmt.Errorf("%w: %w", errIndex, err)
	}
	r := &reading{folder: x, root: root, index: index, update: u, known: known}
	err = r.all(ctx, listed)
	u.more = r.leftOut > 0 || !all
	x.warn(u.more, int(u.read.Load()))
	return err
}

// open returns the index. Where none can be stored, it is kept in memory; after a failure
// that may pass, the next search tries again. Only one update at a time calls it.
func (x *folder) open(ctx context.Context) (*fileindex.Index, error) {
	if index := x.current(); index != nil {
		return index, nil
	}
	index, err := fileindex.Open(ctx, x.options) // without the lock: it may wait for another process
	if err != nil && ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if fileindex.Unwritable(err) {
		x.keepInMemory(err)
		index, err = fileindex.Open(ctx, x.options)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errIndex, err)
	}
	x.mu.Lock()
	x.index = index
	if why := index.Replaced(); why != "" {
		x.once = append(x.once, fmt.Sprintf("the index of the folder %s was made anew: %s", x.dir, why))
	}
	x.mu.Unlock()
	if x.options.Dir != "" {
		fileindex.RemoveUnused(x.options.Dir, time.Now().Add(-unusedFor))
	}
	return index, nil
}

// keepInMemory gives up storing the index.
func (x *folder) keepInMemory(why error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.log.Warn("the index of the folder is kept in memory", "folder", x.dir, "err", why)
	x.notes = append(x.notes, fmt.Sprintf("the index of the folder %s cannot be stored, so that each process reads the folder anew: %v", x.dir, why))
	x.bounds, x.options.Dir = inMemory, ""
}

// unusable reports whether err means that the index must be opened again.
func unusable(err error) bool { return fileindex.Damaged(err) || fileindex.Gone(err) }

// discard closes an index that turned out to be unusable. One that is damaged is removed.
// The next update opens or makes it anew.
func (x *folder) discard(index *fileindex.Index, why error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.index != index || index == nil {
		return
	}
	x.index = nil
	if !fileindex.Damaged(why) {
		x.log.Info("the index of the folder is opened again", "folder", x.dir, "err", why)
		_ = index.Close() // it is gone
		return
	}
	x.log.Warn("the index of the folder is damaged and is made anew", "folder", x.dir)
	x.once = append(x.once, fmt.Sprintf("the index of the folder %s was made anew: it was damaged", x.dir))
	if err := index.Discard(); err != nil {
		x.log.Warn("a damaged index was not removed", "err", err)
	}
}

// current returns the index if it is open.
func (x *folder) current() *fileindex.Index {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.index
}

// indexed returns how many files of the folder have text in the index.
func (x *folder) indexed() int {
	index := x.current()
	if index == nil {
		return 0
	}
	n, err := index.Count(x.life)
	if err != nil {
		x.log.Warn("the files of the index cannot be counted", "folder", x.dir, "err", err)
	}
	return n
}

// warn logs once that files are left out, and again after a time without.
func (x *folder) warn(leftOut bool, read int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if leftOut && !x.warned {
		x.log.Warn("the folder of sources.files.dir holds more than is searched: name a smaller folder, or move files that need no search",
			"files searched", read, "max files", x.bounds.files, "max files and folders listed", x.bounds.entries, "max MB of text", x.bounds.bytes>>20)
	}
	x.warned = leftOut
}

// warnings are what the user should know of an answer from the index.
func (x *folder) warnings(u *update) []string {
	x.mu.Lock()
	defer x.mu.Unlock()
	out := slices.Concat(x.notes, x.once, x.unread.warning())
	switch read, files := u.read.Load(), u.files.Load(); {
	case !u.finished() && files == 0:
		return append(out, fmt.Sprintf("the folder %s is still being looked through: only what was read of it earlier was searched; ask again for the rest", x.dir))
	case !u.finished():
		return append(out, fmt.Sprintf("the folder %s is still being read: %d of %s so far; ask again for the rest", x.dir, read, text.Count(files, "file")))
	case u.more:
		out = append(out, fmt.Sprintf("the folder %s holds more than is searched: %s of it; the bounds are %d files, %d files and folders of any kind, and %d MB of text. Set sources.files.dir to a smaller folder",
			x.dir, text.Count(read, "file"), x.bounds.files, x.bounds.entries, x.bounds.bytes>>20))
	}
	x.once = nil
	x.unread.said()
	return out
}

// searchTerms returns the stems to search the folder for: those of the question as it
// was asked and of the keywords, with the spelling of unknown words repaired.
func searchTerms(ctx context.Context, index *fileindex.Index, q evidence.Query) ([]string, error) {
	all := q.Question + " " + q.Text
	var words []string
	seen := map[string]bool{}
	for _, t := range text.Tokenize(all) {
		if t.Stop || seen[t.Word] {
			continue
		}
		seen[t.Word] = true
		words = append(words, t.Word)
	}
	repaired, err := index.Repair(ctx, words)
	if err != nil {
		return nil, err
	}
	return text.SearchTerms(strings.Join(append([]string{all}, repaired...), " ")), nil
}
