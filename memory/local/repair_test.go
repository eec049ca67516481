package local

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/contract"
	"github.com/research-mcp/research-mcp/memory/memorytest"
)

// filled returns a folder with a closed memory of n documents with vectors and a
// session, and its file.
func filled(t *testing.T, n int) (dir string, file []byte) {
	t.Helper()
	dir = t.TempDir()
	l, err := Open(t.Context(), contract.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	for i := 1; i <= n; i++ {
		d := textDoc(i, fmt.Sprintf("Number %d. ", i)+strings.Repeat(fmt.Sprintf("word%d ", i), 300))
		if _, err := l.Put(t.Context(), d, memorytest.Chunks(d.Text)); err != nil {
			t.Fatal(err)
		}
	}
	say(t, l, "s_1", evidence.Turn{Role: evidence.RoleUser, Text: "What of it?"})
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if file, err = os.ReadFile(filepath.Join(dir, fileName)); err != nil {
		t.Fatal(err)
	}
	return dir, file
}

func TestRepair(t *testing.T) {
	t.Parallel()
	const n, page = 60, 4096
	dir, whole := filled(t, n)
	for name, damage := range map[string]func([]byte) []byte{
		"a zeroed page of texts": func(b []byte) []byte {
			at := pagesOf(t, filepath.Join(dir, fileName), "body", 3)[1]
			clear(b[(at-1)*page : at*page])
			return b
		},
		"a zeroed page of the word index": func(b []byte) []byte {
			at := pagesOf(t, filepath.Join(dir, fileName), "fts_data", 2)[1]
			clear(b[(at-1)*page : at*page])
			return b
		},
		"a changed letter": func(b []byte) []byte { return bytes.Replace(b, []byte("Number 7. "), []byte("Bumber 7. "), 1) },
		"a cut end":        func(b []byte) []byte { return b[:len(b)-3*page] },
		"nothing at all":   func(b []byte) []byte { return b },
	} {
		t.Run(name, func(t *testing.T) {
			to := t.TempDir()
			broken := damage(bytes.Clone(whole))
			write(t, filepath.Join(to, fileName), broken)
			r, err := Repair(t.Context(), contract.Config{Dir: to})
			if err != nil || r.Moved.Documents < n-5 || r.Moved.Sessions != 1 {
				t.Fatalf("Repair = %+v, %v", r, err)
			}
			if quiet := len(r.Moved.Warnings) == 0; r.Moved.Documents < n && quiet && name != "a cut end" || name == "nothing at all" && !quiet {
				t.Errorf("%d of %d documents, with the warnings %q", r.Moved.Documents, n, r.Moved.Warnings)
			}
			if kept, err := os.ReadFile(r.Kept); err != nil || !bytes.Equal(kept, broken) {
				t.Errorf("the damaged file is not kept in %s: %v", r.Kept, err)
			}
			l := openIn(t, to)
			if c, err := l.Check(t.Context()); err != nil || !c.OK || c.Documents != r.Moved.Documents {
				t.Errorf("Check = %+v, %v", c, err)
			}
			if left, err := filepath.Glob(filepath.Join(to, repairPrefix+"*")); err != nil || len(left) > 0 {
				t.Errorf("left behind: %q", left)
			}
		})
	}
}

func TestRepairRefuses(t *testing.T) {
	t.Parallel()
	dir, whole := filled(t, 3)
	var p *evidence.Problem
	if _, err := Repair(t.Context(), contract.Config{Dir: t.TempDir()}); !errors.As(err, &p) || !p.Usage {
		t.Errorf("Repair of nothing = %v", err)
	}
	junk := t.TempDir()
	write(t, filepath.Join(junk, fileName), bytes.Repeat([]byte("junk"), 5000))
	if _, err := Repair(t.Context(), contract.Config{Dir: junk}); !errors.As(err, &p) {
		t.Errorf("Repair of a foreign file = %v", err)
	}
	if b, err := os.ReadFile(filepath.Join(junk, fileName)); err != nil || !bytes.HasPrefix(b, []byte("junk")) {
		t.Error("a file that cannot be read was replaced")
	}
	openIn(t, dir)
	if _, err := Repair(t.Context(), contract.Config{Dir: dir}); !errors.As(err, &p) || !strings.Contains(p.What, "another process") {
		t.Errorf("Repair of a memory in use = %v", err)
	}
	if b, err := os.ReadFile(filepath.Join(dir, fileName)); err != nil || len(b) < len(whole) {
		t.Errorf("a memory in use was changed: %d bytes, %v", len(b), err)
	}
}

// An empty database beside a log with data is not replaced by a new one.
func TestOpenRefusesAnOrphanedLog(t *testing.T) {
	t.Parallel()
	log := append([]byte{0x37, 0x7f, 0x06, 0x82}, make([]byte, 5000)...)
	for name, file := range map[string][]byte{"empty": {}, "absent": nil} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if file != nil {
				write(t, filepath.Join(dir, fileName), file)
			}
			write(t, filepath.Join(dir, fileName+"-wal"), log)
			var p *evidence.Problem
			if _, err := Open(t.Context(), contract.Config{Dir: dir}); !errors.As(err, &p) || !strings.Contains(p.What, "5004 bytes") {
				t.Errorf("Open = %v", err)
			}
			if b, err := os.ReadFile(filepath.Join(dir, fileName+"-wal")); err != nil || !bytes.Equal(b, log) {
				t.Errorf("the log was changed: %v", err)
			}
		})
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, fileName+"-wal"), log[:walHeader]) // without frames nothing is lost
	openIn(t, dir)
}

// A memory whose layout another process has updated is only read.
func TestNewerLayoutStopsWriting(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := openIn(t, dir)
	keep(t, l, textDoc(1, secret))
	execOn(t, filepath.Join(dir, fileName), "PRAGMA user_version=99")
	_, put := l.Put(t.Context(), textDoc(2, "Another."), evidence.Chunks{})
	_, forget := l.Forget(t.Context(), contract.Selector{IDs: []string{textDoc(1, secret).ID}})
	say := l.Append(t.Context(), "s_1", evidence.Turn{Role: evidence.RoleUser, Text: "Hello."})
	for what, err := range map[string]error{"Put": put, "Forget": forget, "Append": say} {
		if !errors.Is(err, errNewerLayout) {
			t.Errorf("%s = %v, want it to name the newer layout", what, err)
		}
	}
	if _, ok, err := l.Document(t.Context(), textDoc(1, secret).ID); !ok || err != nil {
		t.Errorf("Document = %v, %v", ok, err)
	}
}

// A backup is made once a day, seven are kept, and none if it does not fit.
func TestBackupDaily(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	l, err := Open(t.Context(), contract.Config{Dir: dir, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	daily := func(most int64) bool {
		_, made, err := l.BackupDaily(context.WithoutCancel(t.Context()), most)
		if err != nil {
			t.Fatal(err)
		}
		return made
	}
	if daily(0) {
		t.Error("an empty memory was backed up")
	}
	keep(t, l, textDoc(1, secret))
	if daily(1) {
		t.Error("a memory above the bound was backed up")
	}
	write(t, filepath.Join(dir, backupDir+"-not-ours"), nil)
	for day := range 10 {
		if !daily(0) || daily(0) {
			t.Errorf("day %d: want one backup", day)
		}
		now = now.Add(23 * time.Hour)
		if daily(0) {
			t.Errorf("day %d: a second backup after 23 hours", day)
		}
		now = now.Add(time.Hour)
	}
	all, err := dailies(filepath.Join(dir, backupDir), now)
	if err != nil || len(all) != dailyKept || !strings.Contains(all[0], "20260304") {
		t.Errorf("kept are %q, %v", all, err)
	}
	// What is forgotten goes from all of them.
	if r, err := l.Forget(t.Context(), contract.Selector{IDs: []string{textDoc(1, secret).ID}}); err != nil || r.Documents != 1 {
		t.Fatalf("Forget = %+v, %v", r, err)
	}
	if left := holding(t, dir, "zanzibarquux"); len(left) > 0 {
		t.Errorf("it is still in %q", left)
	}
}
