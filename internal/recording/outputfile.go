package recording

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/newfile"
)

// outputFile is a new file that appears under its name when it is complete, or
// not at all. It never replaces a file.
type outputFile struct {
	temp *os.File // nil after write
	name string
}

// newOutputFile checks that a file can be created before there is anything to
// write. Discard it.
func newOutputFile(name string) (*outputFile, error) {
	if name == "" {
		return nil, evidence.BadInput("--record names no file", "name a new one, as in --record run.har")
	}
	switch _, err := os.Lstat(name); {
	case err == nil:
		return nil, errTaken(name)
	case !errors.Is(err, fs.ErrNotExist):
		return nil, errNotWritable(name, err)
	}
	temp, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+"-*") // of mode 0600
	if err != nil {
		return nil, errNotWritable(name, err)
	}
	return &outputFile{temp: temp, name: name}, nil
}

func errTaken(name string) error {
	return evidence.BadInput(name+" already exists, and a recording never overwrites a file", "name another file, or delete this one first")
}

func errNotWritable(name string, err error) error {
	return evidence.BadInput(fmt.Sprintf("the recording cannot be written to %s: %v", name, withoutPath(err)), "name a file in a folder that exists and that you may write to")
}

// withoutPath is a file error without the path.
func withoutPath(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// write gives the file its content and its name. A file that another program has
// created meanwhile is an *evidence.Problem.
func (o *outputFile) write(text []byte) error {
	_, err := o.temp.Write(text)
	err = errors.Join(err, o.temp.Sync(), o.temp.Close())
	temp := o.temp.Name()
	o.temp = nil
	if err == nil {
		err = newfile.Publish(temp, o.name)
	}
	switch {
	case errors.Is(err, fs.ErrExist):
		err = errTaken(o.name)
	case err != nil:
		err = fmt.Errorf("writing the recording %s: %w", o.name, err)
	}
	if rm := os.Remove(temp); rm != nil && !errors.Is(rm, fs.ErrNotExist) {
		err = errors.Join(err, rm)
	}
	return err
}

// discard removes what was not written.
func (o *outputFile) discard() error {
	if o.temp == nil {
		return nil
	}
	return errors.Join(o.temp.Close(), os.Remove(o.temp.Name()))
}
