package transfer

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/text"
	"github.com/research-mcp/research-mcp/memory/contract"
)

// notALine says what is wrong with a line of size bytes that cannot be decoded.
func notALine(err error, size int) error {
	var syntax *json.SyntaxError
	var typed *json.UnmarshalTypeError
	var when *time.ParseError
	switch {
	case errors.As(err, &syntax) && syntax.Offset >= int64(size):
		return errors.New("it is not JSON: its end is missing")
	case errors.As(err, &syntax):
		return fmt.Errorf("it is not JSON: byte %d is wrong", syntax.Offset)
	case errors.As(err, &typed):
		field := strings.ReplaceAll(typed.Field, ".Document.", ".") // Go names the struct that it is embedded in
		return fmt.Errorf("%s has a JSON %s where %s belongs", cmp.Or(field, "it"), typed.Value, kindOf(typed.Type))
	case errors.As(err, &when):
		value, _ := text.Cut(strings.Trim(when.Value, `"`), 40)
		return fmt.Errorf("%q is not a time; write it like %s", value, time.DateOnly+"T"+time.TimeOnly+"Z")
	case strings.HasPrefix(err.Error(), "Time.UnmarshalJSON"): // an error without a type
		return errors.New("a time in it is not a text; write it like " + `"` + time.DateOnly + "T" + time.TimeOnly + `Z"`)
	}
	return err
}

// kindOf is what belongs in a field of type t, in words.
func kindOf(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "a text"
	case reflect.Bool:
		return "true or false"
	case reflect.Slice, reflect.Array:
		return "a list"
	case reflect.Struct, reflect.Map, reflect.Pointer:
		return "an object"
	}
	return "a whole number"
}

// ended returns the error of an import that ends at line n, and says what is stored. An
// error of the disk, of a lock or of reading is not blamed on the line.
func (im *importer[T]) ended(n int, err error) error {
	if ours := im.passing(err); ours != nil {
		what := ours.What
		if im.to.IsFull(err) {
			what = fmt.Sprintf("the disk with %s is full", im.to.Place)
		}
		return &evidence.Problem{What: fmt.Sprintf("the import ended at line %d: %s; %s of the lines before it, and nothing of the others", n, what, im.stored()),
			Try: ours.Try + "; then import again: existing records are skipped", Cause: err}
	}
	try := "the lines before it are stored; fix or remove the line and import again: existing records are skipped"
	if n == 1 && errors.Is(err, errNoExport) {
		try = "name a file that `research-mcp memory export` wrote"
	}
	p := evidence.BadInput(fmt.Sprintf("line %d of the export cannot be imported: %v", n, err), try)
	p.Cause = err
	return p
}

// stored says what the memory has of the lines before the one that ended the import.
func (im *importer[T]) stored() string {
	m := im.moved
	out := fmt.Sprintf("stored: %s and %s", text.Count(m.Documents, "document"), text.Count(m.Sessions, "session"))
	if m.Skipped > 0 {
		out += fmt.Sprintf(", beside %d that were there already,", m.Skipped)
	}
	return out
}

// lacks says what is missing of what an end has counted. Lines that could not be read count
// for any of it: each has been reported.
func (e EndLine) lacks(all EndLine, strange int) string {
	documents, sessions := max(0, all.Documents-e.Documents), max(0, all.Sessions-e.Sessions)
	if documents+sessions <= strange {
		return ""
	}
	return fmt.Sprintf("%s and %s are missing from the export: its end counts %d and %d", text.Count(documents, "document"), text.Count(sessions, "session"), all.Documents, all.Sessions)
}

// lack notes what is missing of an export.
func (im *importer[T]) lack(what string) { im.lacks = cmp.Or(im.lacks, what) }

// complete returns the error of an export of which something is missing: what was read of
// it is stored.
func (im *importer[T]) complete() error {
	what, try := im.lacks, "get the whole export and import it: existing records are skipped"
	switch {
	case !im.begun:
		what, try = "the export is empty", "name a file that `research-mcp memory export` wrote"
	case !im.end:
		what = "the export has no end: it was cut short, or is still being written"
	case what == "":
		return nil
	}
	if im.to.Lenient {
		im.moved.Warnings = append(im.moved.Warnings, what)
		return nil
	}
	return &evidence.Problem{What: what + "; " + im.stored(), Try: try, Cause: contract.ErrCutShort}
}

// errReading is an error of the reader that was given to Import.
var errReading = errors.New("reading the export")

// passing returns what is to be said of an error that a later attempt may not meet, or nil.
func (im *importer[T]) passing(err error) *evidence.Problem {
	if !errors.Is(err, errReading) {
		return im.to.Passing(err)
	}
	var p *evidence.Problem
	if errors.As(err, &p) {
		return p
	}
	return &evidence.Problem{What: err.Error(), Try: "check that the export is readable"}
}
