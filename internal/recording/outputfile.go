package recording

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/research-mcp/research-mcp/internal/evidence"
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
		err = publish(temp, o.name)
	}
	if err != nil {
		err = fmt.Errorf("writing the recording %s: %w", o.name, err)
	}
	return errors.Join(err, os.Remove(temp))
}

// discard removes what was not written.
func (o *outputFile) discard() error {
	if o.temp == nil {
		return nil
	}
	return errors.Join(o.temp.Close(), os.Remove(o.temp.Name()))
}

// publish gives the content of temp the name file. It fails, and changes
// nothing, when file exists, even if it was created a moment ago: a link, unlike
// a rename, never replaces a file.
func publish(temp, file string) error {
	err := os.Link(temp, file)
	if err == nil {
		return nil
	}
	if errors.Is(err, fs.ErrExist) {
		return errTaken(file)
	}
	return copyNew(temp, file) // a file system without hard links
}

// copyNew copies temp to file, which must not exist.
func copyNew(temp, file string) (err error) {
	text, err := os.ReadFile(temp)
	if err != nil {
		return err
	}
	out, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return errTaken(file)
	}
	if err != nil {
		return err
	}
	_, err = out.Write(text)
	if err = errors.Join(err, out.Sync(), out.Close()); err != nil {
		return errors.Join(err, os.Remove(file))
	}
	return nil
}
