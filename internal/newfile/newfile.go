// Package newfile gives a finished file its name without replacing another file.
package newfile

import (
	"errors"
	"os"
)

// Publish gives the content of the file temp the name path, which is in the same
// file system. path has the whole content as soon as it can be opened, or, where
// the file system has no hard links, is empty for a moment. If path exists, even
// if it was created a moment ago, nothing is changed and the error is an
// os.ErrExist. temp may be left: remove it.
func Publish(temp, path string) error { return publish(temp, path, os.Link) }

// publish is Publish with the function that makes hard links.
func publish(temp, path string, link func(old, name string) error) error {
	err := link(temp, path) // unlike a rename, it never replaces a file
	if err == nil || errors.Is(err, os.ErrExist) {
		return err
	}
	// Without hard links the name is created exclusively, then replaced.
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Close(), os.Rename(temp, path)); err != nil {
		return errors.Join(err, os.Remove(path)) // the empty file
	}
	return nil
}
