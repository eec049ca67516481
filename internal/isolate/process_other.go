//go:build !unix

package isolate

import (
	"os"
	"os/exec"
)

// dieWithParent has nothing to do here: the end of stdin tells the child.
func dieWithParent(*exec.Cmd) {}

func ownImage() (string, error) { return os.Executable() }

func ownGroup(*exec.Cmd) {}

// child is a single process here: what it starts is not killed with it.
type child struct{ cmd *exec.Cmd }

func (c *child) kill() { _ = c.cmd.Process.Kill() } // it is dead already, then

func (c *child) wait() error { return c.cmd.Wait() }

func limitKernel(int64) error { return nil }

func die() { os.Exit(exitBroken) }
