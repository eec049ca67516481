package watch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/gofrs/flock"

	"github.com/research-mcp/research-mcp/internal/evidence"
)

// AuditOptions configure OpenAudit.
type AuditOptions struct {
	Path     string
	MaxBytes int64 // a larger file is rotated
	Keep     int   // rotated files: Path.1 is the latest
	Required bool  // without a record nothing is remembered or forgotten; else the log warns
	Now      func() time.Time
	NewID    func(prefix string) string
	Log      *slog.Logger
}

// Audit appends a record to a file before and after each change of the memory that
// somebody asked for. The record before it is why nothing changes without a trace, even
// if the process is killed. Several processes may share the file. It is safe for
// concurrent use, and holds nothing open.
type Audit struct {
	o    AuditOptions
	mu   sync.Mutex
	lock *flock.Flock
}

// Operation is a change that somebody asked for.
type Operation struct {
	Event  string   // remember or forget
	Caller string   // name of a token, or what runs the command
	Client string   // the program that is connected, as it names itself
	Tenant string   // empty: there are none
	By     []string // the kinds of selectors, such as ids, url or session; not their values
}

// Outcome is what an operation did.
type Outcome struct {
	IDs       []string // of the documents
	Documents int
	Unchanged bool // they were there already
	Err       error
}

// record is a line of the file.
type record struct {
	Time      string   `json:"time"`
	Op        string   `json:"op"` // the same in all records of an operation
	Event     string   `json:"event"`
	Phase     string   `json:"phase"` // begin, ids (more of them than fit into one record) or end
	Caller    string   `json:"caller"`
	Client    string   `json:"client,omitempty"`
	Tenant    string   `json:"tenant,omitempty"`
	By        []string `json:"by,omitempty"`
	Outcome   string   `json:"outcome,omitempty"` // ok, refused, cancelled or error
	Documents *int     `json:"documents,omitempty"`
	Unchanged bool     `json:"unchanged,omitempty"`
	IDs       []string `json:"ids,omitempty"`
}

// Bounds of a record and of the wait for the file.
const (
	idsInRecord  = 1000
	longestLabel = 200 // runes of a name in a record
	auditWithin  = 5 * time.Second
	lockEvery    = 2 * time.Millisecond
)

// OpenAudit checks that records can be written, and makes the folder of the file if it is
// missing. Its error is an *evidence.Problem.
func OpenAudit(o AuditOptions) (*Audit, error) {
	a := &Audit{o: o, lock: flock.New(o.Path+".lock", flock.SetPermissions(0o600))}
	err := os.MkdirAll(filepath.Dir(o.Path), 0o700)
	if err == nil {
		err = a.append(nil)
	}
	if err != nil {
		return nil, a.problem(err)
	}
	return a, nil
}

func (a *Audit) problem(err error) error {
	return &evidence.Problem{What: fmt.Sprintf("the audit log %s cannot be written: %v", a.o.Path, withoutPath(err)),
		Try: "make its folder writable and its disk not full, or set watch.audit_log to another file", Cause: err}
}

// withoutPath removes the path, which the message has already.
func withoutPath(err error) error {
	var path *os.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

// Begin records that op begins. The returned function records its end, and is called
// once. An error means that there is no record and, if one is required, that op must not
// go on.
func (a *Audit) Begin(op Operation) (end func(Outcome) error, err error) {
	r := record{Op: a.o.NewID("a_"), Event: op.Event, Caller: label(op.Caller), Client: label(op.Client), Tenant: label(op.Tenant)}
	first := r
	first.Phase, first.By = "begin", op.By
	if err := a.write(first); err != nil {
		if a.o.Required {
			return nil, a.problem(err)
		}
		a.o.Log.Error("a change of the memory is not in the audit log", "event", op.Event, "err", err)
	}
	return func(done Outcome) error { return a.end(r, done) }, nil
}

func (a *Audit) end(r record, done Outcome) error {
	var records []record
	ids := done.IDs
	for ; len(ids) > idsInRecord; ids = ids[idsInRecord:] {
		more := r
		more.Phase, more.IDs = "ids", ids[:idsInRecord]
		records = append(records, more)
	}
	r.Phase, r.IDs, r.Documents, r.Unchanged = "end", ids, &done.Documents, done.Unchanged
	r.Outcome = auditOutcome(done.Err)
	err := a.write(append(records, r)...)
	if err == nil {
		return nil
	}
	a.o.Log.Error("the end of a change of the memory is not in the audit log", "event", r.Event, "op", r.Op, "outcome", r.Outcome, "documents", done.Documents, "err", err)
	return a.problem(err)
}

func auditOutcome(err error) string {
	if err == nil {
		return "ok"
	}
	switch kind := errorKind(err); kind {
	case "refused":
		return kind
	case "cancelled", "timeout":
		return "cancelled"
	}
	return "error"
}

// label bounds a name that a client chose.
func label(s string) string {
	if r := []rune(s); len(r) > longestLabel {
		return string(r[:longestLabel]) + "…"
	}
	return s
}

// write appends records, which stand together.
func (a *Audit) write(records ...record) error {
	var lines []byte
	for _, r := range records {
		r.Time = a.o.Now().UTC().Format(time.RFC3339Nano)
		line, err := json.Marshal(r)
		if err != nil {
			return err
		}
		lines = append(append(lines, line...), '\n')
	}
	return a.append(lines)
}

// append writes lines to the end of the file and to the disk, after rotating it if it
// would become too large. After an error nothing of them is in it.
func (a *Audit) append(lines []byte) (err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), auditWithin)
	defer cancel()
	if _, err := a.lock.TryLockContext(ctx, lockEvery); err != nil {
		return fmt.Errorf("another process holds its lock: %w", err)
	}
	defer func() { err = errors.Join(err, a.lock.Unlock()) }()
	info, err := os.Stat(a.o.Path)
	if err == nil && info.Size() > 0 && info.Size()+int64(len(lines)) > a.o.MaxBytes {
		if err := a.rotate(); err != nil {
			return err
		}
	}
	f, err := os.OpenFile(a.o.Path, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(appendTo(f, lines), f.Close())
}

// appendTo ends a line that a killed process has left open.
func appendTo(f *os.File, lines []byte) error {
	info, err := f.Stat()
	if err != nil || len(lines) == 0 {
		return err
	}
	last := []byte{'\n'}
	if size := info.Size(); size > 0 {
		if _, err := f.ReadAt(last, size-1); err != nil {
			return err
		}
	}
	if last[0] != '\n' {
		lines = append([]byte{'\n'}, lines...)
	}
	if _, err = f.Write(lines); err == nil {
		err = f.Sync()
	}
	if err != nil {
		return errors.Join(err, f.Truncate(info.Size()))
	}
	return nil
}

// rotate renames the file to Path.1, and that to Path.2; the last one is removed.
func (a *Audit) rotate() error {
	name := func(i int) string {
		if i == 0 {
			return a.o.Path
		}
		return fmt.Sprintf("%s.%d", a.o.Path, i)
	}
	if a.o.Keep < 1 {
		return os.Remove(a.o.Path)
	}
	for i := range slices.Backward(make([]struct{}, a.o.Keep)) {
		if err := os.Rename(name(i), name(i+1)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}
