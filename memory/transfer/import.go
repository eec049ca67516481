package transfer

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/text"
	"github.com/research-mcp/research-mcp/memory/contract"
)

const (
	// Lines are stored in batches, so that no lock is held while the next one
	// is read.
	batchLines = 200
	batchBytes = 8 << 20
	// MaxLine fits the largest document with the vectors of several models.
	MaxLine = 512 << 20
	// maxNamed is how many records that are left out are named; the others are counted.
	maxNamed = 200
)

// Target is a backend that lines are imported into. T is its transaction.
type Target[T any] struct {
	// Batch runs fn in a transaction, which it may do again if it did not end.
	Batch func(ctx context.Context, fn func(tx T) error) error
	// Alone runs fn so that nothing of it stays in tx if it fails.
	Alone    func(ctx context.Context, tx T, fn func() error) error
	Model    func(ctx context.Context, m *ModelLine) (func(ctx context.Context, tx T) error, error) // prepares it before the transaction
	Document func(d *DocumentLine, lenient bool) (Keep[T], error)                                   // does the work that needs no transaction
	Session  func(ctx context.Context, tx T, s *SessionLine, m *contract.Moved) error
	// Passing returns what is to be said of an error that a later attempt may not meet, nil
	// of one that is the line's fault.
	Passing func(err error) *evidence.Problem
	IsFull  func(err error) bool // a disk is full
	Place   string               // where the memory is
	Lenient bool                 // the lines are of a damaged memory: as much of each as possible is stored
}

// Keep stores a record and counts it.
type Keep[T any] func(ctx context.Context, tx T, m *contract.Moved) error

// importer reads lines and stores them in batches.
type importer[T any] struct {
	to      Target[T]
	opts    contract.ImportOptions
	begun   bool // the header was read
	moved   contract.Moved
	batch   []item[T]
	size    int
	end     bool
	seen    EndLine // since the header
	strange int     // lines that are no record, since the header
	lacks   string  // what is missing of the exports that were read, the first of it
	cleaned int     // documents from which invisible characters were removed
	silent  bool    // no further warnings are added by warn
}

// item is a line that waits to be stored.
type item[T any] struct {
	line int
	keep Keep[T]
}

// Import reads an export and stores it; see contract.Exporter.
func Import[T any](ctx context.Context, r io.Reader, opts contract.ImportOptions, to Target[T]) (contract.Moved, error) {
	return (&importer[T]{to: to, opts: opts, moved: contract.Moved{Warnings: []string{}}}).run(ctx, r)
}

func (im *importer[T]) run(ctx context.Context, r io.Reader) (contract.Moved, error) {
	if err := ctx.Err(); err != nil {
		return im.moved, err
	}
	in := bufio.NewReaderSize(r, 1<<16)
	for n := 1; ; n++ {
		b, err := readLine(in)
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			err = im.take(ctx, b, n)
		} else {
			im.strange++
		}
		if err != nil && im.mayLeaveOut(err) {
			im.leaveOut(n, err)
			continue
		}
		if err != nil {
			kept := im.flush(ctx) // the lines before the bad one
			if kept != nil || ctx.Err() != nil {
				return im.moved, errors.Join(ctx.Err(), kept)
			}
			return im.moved, im.ended(n, err)
		}
		if len(im.batch) >= batchLines || im.size >= batchBytes {
			if err := im.flush(ctx); err != nil {
				return im.moved, err
			}
		}
	}
	if err := im.flush(ctx); err != nil {
		return im.moved, err
	}
	if im.cleaned > 0 {
		im.moved.Warnings = append(im.moved.Warnings, "invisible characters were removed from "+text.Count(im.cleaned, "document"))
	}
	return im.moved, im.complete()
}

// errNoExport is the cause of an input that is not an export, or not of a format
// that this program reads.
var errNoExport = errors.New("this is not an export that can be read")

// mayLeaveOut reports whether the import goes on without the line that caused err.
func (im *importer[T]) mayLeaveOut(err error) bool {
	return !im.opts.Strict && im.begun && !errors.Is(err, errNoExport) && im.passing(err) == nil
}

// leaveOut records that a line was not stored.
func (im *importer[T]) leaveOut(n int, err error) {
	im.moved.Failed++
	switch {
	case im.moved.Failed <= maxNamed:
		im.moved.Warnings = append(im.moved.Warnings, fmt.Sprintf("line %d was not imported: %v", n, err))
	case im.moved.Failed == maxNamed+1:
		im.moved.Warnings = append(im.moved.Warnings, "further lines that were not imported are only counted")
	}
}

// readLine returns the next line without its end, or io.EOF after the last one.
func readLine(in *bufio.Reader) ([]byte, error) {
	var out []byte
	long := false
	for {
		part, err := in.ReadSlice('\n')
		if long = long || len(out)+len(part) > MaxLine; long {
			out = out[:0] // read to its end, so that the next line is one
		} else {
			out = append(out, part...)
		}
		switch {
		case long && (err == nil || errors.Is(err, io.EOF)):
			return nil, fmt.Errorf("it is longer than %d bytes", MaxLine)
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case errors.Is(err, io.EOF) && len(out) > 0, err == nil:
			return bytes.TrimSpace(out), nil
		case errors.Is(err, io.EOF):
			return nil, err
		default:
			return nil, fmt.Errorf("%w: %w", errReading, err)
		}
	}
}

// take checks a line, and does the work that needs no lock.
func (im *importer[T]) take(ctx context.Context, b []byte, n int) error {
	if len(b) == 0 {
		return nil
	}
	var ln Line
	if err := json.Unmarshal(b, &ln); err != nil {
		err = notALine(err, len(b))
		im.strange++
		if !im.begun {
			return fmt.Errorf("%w: %w", errNoExport, err)
		}
		return err
	}
	if !im.begun && ln.Header == nil {
		return fmt.Errorf("%w: it does not begin an export of a memory", errNoExport)
	}
	first := !im.begun
	im.begun = true
	im.size += len(b)
	switch {
	case ln.Header != nil:
		if ln.Header.Format != Format {
			return fmt.Errorf("%w: it has format %d, this program reads %d", errNoExport, ln.Header.Format, Format)
		}
		if !first && !im.end { // of several in one file
			im.lack("an export before the last one has no end")
		}
		im.end, im.seen, im.strange = false, EndLine{}, 0
	case ln.Model != nil:
		keep, err := im.to.Model(ctx, ln.Model)
		if err != nil {
			return err
		}
		im.later(n, func(ctx context.Context, tx T, _ *contract.Moved) error { return keep(ctx, tx) })
	case ln.Document != nil:
		im.seen.Documents++
		return im.takeDocument(ln.Document, n)
	case ln.Session != nil:
		im.seen.Sessions++
		if ln.Session.ID == "" {
			return errors.New("a session has no id")
		}
		if im.to.Lenient {
			im.warn(ln.Session.lenient())
		} else if err := checkSession(ln.Session); err != nil {
			return err
		}
		ln.Session.clean()
		im.later(n, func(ctx context.Context, tx T, m *contract.Moved) error {
			return im.to.Session(ctx, tx, ln.Session, m)
		})
	case ln.End != nil:
		im.end = true
		im.lack(im.seen.lacks(*ln.End, im.strange))
	default:
		im.strange++
		return errors.New("it is not a record of an export")
	}
	return nil
}

func (im *importer[T]) takeDocument(d *DocumentLine, n int) error {
	if im.to.Lenient {
		im.warn(d.lenient())
	}
	if err := checkLine(d); err != nil {
		return err
	}
	if d.clean() {
		im.cleaned++
	}
	keep, err := im.to.Document(d, im.to.Lenient)
	if err != nil {
		return err
	}
	im.later(n, keep)
	return nil
}

// warn adds warnings, and few enough that a report can be read.
func (im *importer[T]) warn(notes []string) {
	room := max(0, maxNamed-len(im.moved.Warnings))
	if len(notes) > room && !im.silent {
		im.silent = true
		notes = append(notes[:room:room], "there are more warnings than these")
	} else {
		notes = notes[:min(room, len(notes))]
	}
	im.moved.Warnings = append(im.moved.Warnings, notes...)
}

func (im *importer[T]) later(n int, fn Keep[T]) {
	im.batch = append(im.batch, item[T]{n, fn})
}

// flush stores the batch in one transaction, without the lines that cannot be
// stored. If a line ends the import, it stores those before it in another, and the
// error names the line.
func (im *importer[T]) flush(ctx context.Context) error {
	batch := im.batch
	im.batch, im.size = nil, 0
	failed, err := im.storeAll(ctx, batch)
	if im.to.IsFull(err) && im.opts.MakeRoom != nil && im.opts.MakeRoom(ctx) {
		failed, err = im.storeAll(ctx, batch)
	}
	if err == nil || ctx.Err() != nil {
		return err
	}
	if failed < 0 { // no line is to blame
		return im.ended(batch[0].line, err)
	}
	if _, again := im.storeAll(ctx, batch[:failed]); again != nil {
		return im.ended(batch[0].line, again)
	}
	return im.ended(batch[failed].line, err)
}

// storeAll writes items in one transaction, and returns the index of the item
// that failed, or -1.
func (im *importer[T]) storeAll(ctx context.Context, batch []item[T]) (failed int, err error) {
	if len(batch) == 0 {
		return -1, ctx.Err()
	}
	var sum, before contract.Moved
	left := map[int]error{} // by line
	failed = -1
	err = im.to.Batch(ctx, func(tx T) error {
		failed, before = -1, sum
		sum = contract.Moved{}
		clear(left)
		for i, it := range batch {
			err := im.keepOne(ctx, tx, it, &sum)
			if err == nil {
				continue
			}
			if ctx.Err() != nil || !im.mayLeaveOut(err) {
				failed = i
				return err
			}
			left[it.line] = err
		}
		return nil
	})
	if err != nil {
		return failed, err
	}
	if stored := before.Documents + before.Sessions; stored > 0 && sum.Documents+sum.Sessions == 0 && sum.Skipped == before.Skipped+stored {
		sum = before // it was done, and the answer was lost
	}
	for _, n := range slices.Sorted(maps.Keys(left)) {
		im.leaveOut(n, left[n])
	}
	m := &im.moved
	m.Documents, m.Chunks, m.Sessions = m.Documents+sum.Documents, m.Chunks+sum.Chunks, m.Sessions+sum.Sessions
	m.Turns, m.Vectors, m.Skipped = m.Turns+sum.Turns, m.Vectors+sum.Vectors, m.Skipped+sum.Skipped
	m.Warnings = append(m.Warnings, sum.Warnings...)
	return -1, nil
}

// keepOne stores a line, or nothing of it.
func (im *importer[T]) keepOne(ctx context.Context, tx T, it item[T], sum *contract.Moved) error {
	var one contract.Moved
	if err := im.to.Alone(ctx, tx, func() error { return it.keep(ctx, tx, &one) }); err != nil {
		return err
	}
	sum.Documents, sum.Chunks, sum.Sessions = sum.Documents+one.Documents, sum.Chunks+one.Chunks, sum.Sessions+one.Sessions
	sum.Turns, sum.Vectors, sum.Skipped = sum.Turns+one.Turns, sum.Vectors+one.Vectors, sum.Skipped+one.Skipped
	sum.Warnings = append(sum.Warnings, one.Warnings...)
	return nil
}
