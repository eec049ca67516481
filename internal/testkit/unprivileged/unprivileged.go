//go:build unix

// Package unprivileged runs tests as a user whom file permissions bind, also where
// the tests run as root.
package unprivileged

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// ID is the user and group of the processes that this package starts: nobody.
const ID = 65534

// Bound reports whether permissions bind the user of this process.
func Bound() bool { return os.Geteuid() != 0 }

// Rerun runs the calling test again in a process of an unprivileged user, and fails t
// if it fails or did not run there. The test calls it if Bound reports false, and
// returns after it. The process has temporary folders of its own.
func Rerun(t *testing.T) {
	t.Helper()
	dir := Dir(t)
	cmd := Command(t, dir, os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v", "-test.timeout=5m")
	out, err := cmd.CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("--- PASS: "+t.Name())) {
		t.Errorf("as user %d: %v\n%s", ID, err, out)
	}
}

// Dir returns a new folder that belongs to the unprivileged user, whose parents it
// can pass through, as it cannot with those of t.TempDir. Where processes of that user
// cannot be started or cannot reach temporary files, the test is skipped, and says so.
func Dir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "unprivileged-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chown(dir, ID, ID); err != nil {
		t.Skipf("NOT RUN: a folder cannot be given to user %d: %v", ID, err)
	}
	probe := exec.CommandContext(t.Context(), "ls", dir)
	probe.SysProcAttr = credential()
	if out, err := probe.CombinedOutput(); err != nil {
		t.Skipf("NOT RUN: user %d cannot list %s: %v %s", ID, dir, err, out)
	}
	return dir
}

func credential() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: ID, Gid: ID}}
}

// Command returns a command of the unprivileged user that runs a copy of the program in
// dir, which Dir has made, and has its temporary files there. Only root can start it.
func Command(t *testing.T, dir, program string, args ...string) *exec.Cmd {
	t.Helper()
	bin := filepath.Join(dir, "bin")
	if err := os.Mkdir(bin, 0o755); err != nil && !errors.Is(err, os.ErrExist) { //nolint:gosec // another user runs what is in it
		t.Fatal(err)
	}
	at := filepath.Join(bin, filepath.Base(program))
	if err := clone(program, at); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), at, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "TMPDIR="+dir, "HOME="+dir)
	cmd.SysProcAttr = credential()
	return cmd
}

// clone makes an executable copy, unless there is one.
func clone(from, to string) error {
	if _, err := os.Stat(to); err == nil {
		return nil
	}
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	// A process that another test starts meanwhile would inherit the file, open for
	// writing, and the kernel runs no such file ("text file busy").
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	if err = errors.Join(err, out.Chmod(0o755), out.Close()); err != nil {
		return fmt.Errorf("copying %s: %w", from, err)
	}
	return nil
}
