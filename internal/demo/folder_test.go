package demo

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// inFolder makes the test binary a process that has a folder in the named one until its
// input ends.
const inFolder = "DEMO_TEST_IN_FOLDER"

func TestMain(m *testing.M) {
	base := os.Getenv(inFolder)
	if base == "" {
		os.Exit(m.Run())
	}
	f, err := newFolder(base)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(f.path)
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// startInFolder starts a process with a folder in base, and returns the folder.
func startInFolder(t *testing.T, base string) (path string, process *exec.Cmd) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe)
	cmd.Env, cmd.Stderr = append(os.Environ(), inFolder+"="+base), os.Stderr
	if _, err := cmd.StdinPipe(); err != nil { // it ends with the test at the latest
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	path, err = bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(path), cmd
}

// TestFolderOfKilledDemoIsRemoved: the next demo removes it, and only it.
func TestFolderOfKilledDemoIsRemoved(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	living, survivor := startInFolder(t, base)
	killed, victim := startInFolder(t, base)
	if err := victim.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = victim.Wait() // "signal: killed"
	starting, old, foreign := filepath.Join(base, folderPrefix+"starting"), filepath.Join(base, folderPrefix+"old"), filepath.Join(base, "research-mcp")
	for _, dir := range []string{starting, old, foreign} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	long := time.Now().Add(-2 * startsWithin)
	if err := os.Chtimes(old, long, long); err != nil {
		t.Fatal(err)
	}
	f, err := newFolder(base)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]bool{living: true, killed: false, starting: true, old: false, foreign: true, f.path: true} {
		if _, err := os.Stat(path); (err == nil) != want {
			t.Errorf("%s is there: %t, want %t", path, err == nil, want)
		}
	}
	if err := f.remove(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(f.path); err == nil {
		t.Errorf("%s is there after its removal", f.path)
	}
	if err := survivor.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = survivor.Wait()
}
