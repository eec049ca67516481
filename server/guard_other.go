//go:build !unix

package server

import "os"

func detachStdout() *os.File { return os.Stdout }
