//go:build !unix

package clients

import (
	"io/fs"
	"os"
)

// own does nothing: a file belongs to the user who writes it.
func own(*os.File, fs.FileInfo) error { return nil }
