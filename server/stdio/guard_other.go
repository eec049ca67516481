//go:build !unix

package stdio

import "os"

func detachStdout() *os.File { return os.Stdout }
