//go:build !unix

package isolate

import (
	"os"
	"os/exec"
)

// dieWithParent does nothing here: the child reacts to the end of stdin.
func dieWithParent(*exec.Cmd) {}

func ownImage() (string, error) { return os.Executable() }

func ownGroup(*exec.Cmd) {}

// ownNamespaces does nothing here: there are none.
func ownNamespaces(*exec.Cmd) {}

func canNamespace() bool { return false }

// closeInherited does nothing here: a child inherits what it is given by name.
func closeInherited() error { return nil }

// child is a single process here: processes that it starts are not killed with it.
type child struct{ cmd *exec.Cmd }

func (c *child) kill() { _ = c.cmd.Process.Kill() } // an error means that it is dead

func (c *child) wait() error { return c.cmd.Wait() }

func limitKernel(int64) error { return nil }

func killSelf() { os.Exit(exitBroken) }
