package main

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/research-mcp/research-mcp/internal/app"
	"github.com/research-mcp/research-mcp/internal/config"
	"github.com/research-mcp/research-mcp/internal/testkit/unprivileged"
	"github.com/research-mcp/research-mcp/internal/testkit/world"
)

// binary runs the program on a data folder of its own.
type binary struct {
	env   []string
	start func(args ...string) *exec.Cmd // nil: the test binary as this user
}

// worldly is a binary whose sources are local servers.
func worldly(t *testing.T, data string) *binary {
	t.Helper()
	none := map[string]time.Duration{}
	for name := range world.Latencies() {
		none[name] = 0
	}
	w, err := world.Start(world.Options{Latency: none})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Log("closing the world:", err)
		}
	})
	in := &binary{env: []string{asProgram + "=1", "OLLAMA_HOST=127.0.0.1:9", "PATH=/nonexistent", config.EnvName("data_dir") + "=" + data}}
	for name, d := range app.SourceDefaults() {
		if d.URL != "" {
			in.env = append(in.env, config.EnvName("sources."+name+".enabled")+"=false")
		}
	}
	for name, url := range w.URLs() {
		in.env = append(in.env, config.EnvName("sources."+name+".enabled")+"=true", config.EnvName("sources."+name+".url")+"="+url)
	}
	return in
}

// run returns what a command printed and its exit code.
func (in *binary) run(t *testing.T, stdin string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	home := t.TempDir()
	if in.start != nil {
		cmd = in.start(args...)
		home = cmd.Dir
	}
	cmd.Env = append(slices.Clone(in.env), "HOME="+home)
	var out, diag bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &diag
	err := cmd.Run()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return out.String(), diag.String(), cmd.ProcessState.ExitCode()
}

// must is run for a command that has to succeed.
func (in *binary) must(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	out, diag, code := in.run(t, stdin, args...)
	if code != 0 {
		t.Fatalf("%q: exit code %d, stderr %q", args, code, diag)
	}
	return out
}

// shown is what an answer in JSON has of the memory.
type shown struct {
	Status    string   `json:"status"`
	Session   string   `json:"session"`
	RunID     string   `json:"run_id"`
	Warnings  []string `json:"warnings"`
	Citations []struct {
		DocumentID string `json:"document_id"`
	} `json:"citations"`
}

func (in *binary) ask(t *testing.T, question string) shown {
	t.Helper()
	var a shown
	if out := in.must(t, "", "ask", question, "--json"); json.Unmarshal([]byte(out), &a) != nil || a.Status == "insufficient" {
		t.Fatalf("ask = %s", out)
	}
	return a
}

// about returns the warnings that have a text in them.
func about(warnings []string, what string) []string {
	var out []string
	for _, w := range warnings {
		if strings.Contains(w, what) {
			out = append(out, w)
		}
	}
	return out
}

// mount puts an empty file system of that size at dir.
func mount(t *testing.T, dir, size string) {
	t.Helper()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Skipf("NOT RUN: it needs the right to mount a tmpfs: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
}

const (
	asked      = "What is a goroutine?"
	askedLater = "What is the transformer architecture?"
)

// What was stored is found, asked and exported where nothing can be written; one warning
// says that nothing is kept, and no ids are shown that lead nowhere.
func readOnlyFolder(t *testing.T, in *binary, run string) {
	t.Helper()
	if out := in.must(t, "", "recall", "harbour lions"); !strings.Contains(out, "Lindau") {
		t.Errorf("recall = %q", out)
	}
	if out := in.must(t, "", "run", run); !strings.Contains(out, "goroutine") {
		t.Errorf("run = %q", out)
	}
	if out := in.must(t, "", "memory", "export", "-"); strings.Count(out, `{"document":`) < 2 {
		t.Errorf("export has %d documents", strings.Count(out, `{"document":`))
	}
	a := in.ask(t, askedLater)
	if a.Session != "" || a.RunID != "" {
		t.Errorf("session %q and run %q are shown, and are not stored", a.Session, a.RunID)
	}
	if got := about(a.Warnings, "not writable"); len(got) == 0 || len(got) > 2 { // of the documents, and of the turn
		t.Errorf("warnings %q, want one of the documents and one of the turn", a.Warnings)
	}
	for _, c := range a.Citations {
		if c.DocumentID != "" {
			t.Errorf("the id %s is shown, and is not stored", c.DocumentID)
		}
	}
	out, diag, code := in.run(t, "A new text.", "remember", "-")
	if code == 0 || !strings.Contains(out+diag, "not writable") {
		t.Errorf("remember: exit code %d, %q %q", code, out, diag)
	}
}

// grow adds an answer of so many bytes to a cache.
func grow(t *testing.T, cache string, size int) {
	t.Helper()
	db, err := sql.Open("sqlite", cache)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	at := time.Now().UnixNano()
	if _, err := db.ExecContext(t.Context(), "INSERT INTO entries VALUES(x'00', '', '', '', '', ?1, ?1, ?1, 0, 0, ?2, zeroblob(?2))", at, size); err != nil {
		t.Fatal(err)
	}
	if _, err := db.ExecContext(t.Context(), "PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
		t.Fatal(err)
	}
}

func filledFolder(t *testing.T, data string) (in *binary, run string) {
	t.Helper()
	in = worldly(t, data)
	in.must(t, "The harbour of Lindau has a lion and a lighthouse; two lions are a legend.", "remember", "-")
	a := in.ask(t, asked)
	if a.RunID == "" || len(a.Citations) == 0 || a.Citations[0].DocumentID == "" {
		t.Fatalf("ask = %+v: there are no ids", a)
	}
	return in, a.RunID
}

func TestReadOnlyMount(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	mount(t, dir, "32m")
	in, run := filledFolder(t, filepath.Join(dir, "data"))
	if err := syscall.Mount("", dir, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Skipf("NOT RUN: the folder cannot be mounted read-only: %v", err)
	}
	readOnlyFolder(t, in, run)
}

func TestFolderOfAnotherUser(t *testing.T) {
	t.Parallel()
	if unprivileged.Bound() {
		t.Skip("NOT RUN: only root can start another user's process; TestReadOnlyMemory covers this user")
	}
	dir := unprivileged.Dir(t)
	data := filepath.Join(dir, "data")
	in, run := filledFolder(t, data)
	open := []string{data}
	for _, name := range []string{"memory.db", "cache.db"} {
		open = append(open, filepath.Join(data, name))
	}
	for i, path := range open { // others may read, and only read
		mode := os.FileMode(0o644)
		if i == 0 {
			mode = 0o755
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	in.start = func(args ...string) *exec.Cmd { return unprivileged.Command(t, dir, os.Args[0], args...) }
	readOnlyFolder(t, in, run)
}

// fillDisk leaves so many bytes of the disk with dir free.
func fillDisk(t *testing.T, dir string, free int64) {
	t.Helper()
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, fmt.Sprint("filler", time.Now().UnixNano()))
	if err := os.WriteFile(name, make([]byte, max(0, int64(st.Bavail)*st.Bsize-free)), 0o600); err != nil {
		t.Fatal(err)
	}
}

// On a full disk the cache makes room for what moves the whole memory, too. Without it,
// the error says what was done and what was not, and nothing is lost.
func TestFullDiskMovesTheMemory(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("A long text about the lighthouse of Lindau and its keeper. ", 3000)
	elsewhere := &binary{env: []string{asProgram + "=1", "PATH=/nonexistent", config.EnvName("data_dir") + "=" + t.TempDir()}}
	for i := range 12 {
		elsewhere.must(t, fmt.Sprint(text, "It is number ", i, " of them. ", strings.Repeat(fmt.Sprint("word", i, " "), 9000)), "remember", "-")
	}
	export := filepath.Join(t.TempDir(), "memory.jsonl")
	elsewhere.must(t, "", "memory", "export", export)
	for name, args := range map[string][]string{"import": {"memory", "import", export}, "backup": {"memory", "backup", "COPY"}, "repair": {"memory", "repair"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			mount(t, dir, "48m")
			data := filepath.Join(dir, "data")
			in, _ := filledFolder(t, data)
			if name != "import" {
				in.must(t, text+strings.Repeat("other words ", 60_000), "remember", "-")
			}
			if name == "repair" { // the others have no use for it
				if err := os.Remove(filepath.Join(data, "memory.db-reserve")); err != nil {
					t.Fatal(err)
				}
			}
			cache := filepath.Join(data, "cache.db")
			do := func(copied string) (out, diag string, code int) {
				return in.run(t, "", slices.Replace(slices.Clone(args), len(args)-1, len(args), strings.ReplaceAll(args[len(args)-1], "COPY", filepath.Join(dir, copied)))...)
			}
			fillDisk(t, dir, 0)
			out, diag, code := do("none.db")
			if code != 1 || !strings.Contains(diag, "is full") || !strings.Contains(diag, map[string]string{"import": "stored: ", "backup": "not made", "repair": "as it was"}[name]) {
				t.Errorf("%s without room: exit code %d, %q %q", name, code, out, diag)
			}
			for _, filler := range glob(t, filepath.Join(dir, "filler*")) {
				if err := os.Remove(filler); err != nil {
					t.Fatal(err)
				}
			}
			if out := in.must(t, "", "recall", "harbour lions"); !strings.Contains(out, "Lindau") {
				t.Errorf("recall = %q", out)
			}
			in.ask(t, asked) // makes the cache again, if it was given up
			grow(t, cache, 14<<20)
			fillDisk(t, dir, 512<<10) // enough to open the memory
			if out, diag, code := do("copy.db"); code != 0 || !strings.Contains(diag, "cache") {
				t.Errorf("%s: exit code %d, %q %q; want that the cache made room, and said so", name, code, out, diag)
			}
			in.must(t, "", "memory", "check")
		})
	}
}

func glob(t *testing.T, pattern string) []string {
	t.Helper()
	found, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// On a full disk the cache makes room for the memory; when there is none left, an answer
// comes nevertheless, with one warning for a cause.
func TestFullDataFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	mount(t, dir, "12m")
	data := filepath.Join(dir, "data")
	in, _ := filledFolder(t, data)
	cache := filepath.Join(data, "cache.db")
	fill := func(free int64) { fillDisk(t, dir, free) }
	grow(t, cache, 3<<20)
	fill(16 << 10)
	text := strings.Repeat("A long text about the lighthouse of Lindau and its keeper. ", 2000)
	out, diag, code := in.run(t, text, "remember", "-")
	if code != 0 || !strings.Contains(diag, "cache") {
		t.Errorf("remember: exit code %d, %q %q; want that the cache made room, and said so", code, out, diag)
	}
	if info, err := os.Stat(cache); err == nil && info.Size() > 1<<20 {
		t.Errorf("the cache still has %d bytes", info.Size())
	}
	if out := in.must(t, "", "recall", "lighthouse keeper"); !strings.Contains(out, "keeper") {
		t.Errorf("recall = %q", out)
	}
	fill(0)
	for i := 0; ; i++ { // until nothing fits into the pages that are free
		_, diag, code := in.run(t, text+strings.Repeat(fmt.Sprint("word", i, " "), 4000), "remember", "-")
		if code != 0 {
			if !strings.Contains(diag, "full") {
				t.Errorf("remember: %q", diag)
			}
			break
		}
		if i == 50 {
			t.Fatal("the disk is never full")
		}
	}
	a := in.ask(t, askedLater)
	if got := about(a.Warnings, "full"); len(got) > 2 {
		t.Errorf("warnings %q, want one of the documents and one of the turn at most", got)
	}
	if len(about(a.Warnings, "turn was not stored")) > 0 && (a.Session != "" || a.RunID != "") {
		t.Errorf("session %q and run %q are shown, and are not stored", a.Session, a.RunID)
	}
	in.must(t, "", "forget", "--source", "note", "--yes")
	in.must(t, "A small text.", "remember", "-")
	in.must(t, "", "memory", "check")
}
