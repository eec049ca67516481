package local

import (
	"bytes"
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

// talked returns a folder with n sessions of a question and an answer each.
func talked(t *testing.T, n int) string {
	t.Helper()
	dir := t.TempDir()
	l, err := Open(t.Context(), contract.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	for i := 1; i <= n; i++ {
		id := fmt.Sprintf("s_%d", i)
		say(t, l, id, evidence.Turn{Role: evidence.RoleUser, Text: fmt.Sprintf("Question %d?", i), At: time.Unix(int64(1000*i), 0)}, evidence.Turn{Role: evidence.RoleAssistant, Text: "See the answer.", At: time.Unix(int64(1000*i+60), 0),
			Run: &evidence.Answer{RunID: fmt.Sprintf("r_%d", i), Session: id, Answer: fmt.Sprintf("Answer %d.", i)}})
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

// Sessions of which only turns or answers are left are kept, with what else names
// them, and the report says so.
func TestRepairSessionsWithoutRows(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		damage         string
		sessions       int
		turns, answers int // of session 3
		said           string
	}{
		"two rows":               {"DELETE FROM session WHERE id IN (3, 5)", 6, 2, 1, "session s_3"},
		"rows and turns":         {"DELETE FROM session WHERE id IN (3, 5); DELETE FROM turn WHERE session=3", 6, 1, 1, "answer r_3"},
		"rows and answers":       {"DELETE FROM session WHERE id=3; DELETE FROM run WHERE session=3", 6, 2, 0, "1 of them"},
		"turns":                  {"DELETE FROM turn WHERE session=3", 6, 1, 1, "answer r_3"},
		"answers":                {"DELETE FROM run WHERE session=3", 6, 2, 0, "answers of session s_3"},
		"a role with other bits": {"UPDATE turn SET role='ucer' WHERE session=3 AND role='user'", 6, 2, 1, "ucer"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := talked(t, 6)
			execOn(t, filepath.Join(dir, fileName), "PRAGMA foreign_keys=0; "+c.damage)
			r, err := Repair(t.Context(), contract.Config{Dir: dir})
			if err != nil || r.Moved.Sessions != c.sessions || !strings.Contains(strings.Join(r.Moved.Warnings, "\n"), c.said) {
				t.Fatalf("Repair = %+v, %v, want a warning with %q", r, err, c.said)
			}
			l := openIn(t, dir)
			uid := "s_3"
			if name == "rows and answers" {
				uid = "s_rescued3"
			}
			s, err := l.Open(t.Context(), uid)
			if err != nil || len(s.Turns) != c.turns || strings.Contains(c.damage, "FROM session") && (s.Created.Year() != 1970 || s.Updated.Year() != 1970) {
				t.Errorf("session %s = %+v, %v", uid, s, err)
			}
			if a, ok, err := l.Run(t.Context(), "r_3"); err != nil || ok != (c.answers == 1) || ok && a.Answer != "Answer 3." {
				t.Errorf("answer = %+v, %v, %v", a, ok, err)
			}
		})
	}
}

// Each document whose text can be read is in the repaired memory, whatever does not
// fit it.
func TestRepairKeepsWhatCanBeRead(t *testing.T) {
	t.Parallel()
	id := textDoc(2, "").ID
	for name, c := range map[string]struct{ damage, said string }{
		"a bit of a text":        {"UPDATE body SET text=replace(text, 'purple', 'qurple') WHERE doc=2", "not the one that was stored"},
		"a byte that is no rune": {"UPDATE body SET text=CAST(x'ff' || substr(CAST(text AS BLOB), 2) AS TEXT) WHERE doc=2", "not the one that was stored"},
		"a title":                {"UPDATE doc SET title='U' WHERE id=2", "not the one that was stored"},
		"a hash":                 {"UPDATE doc SET hash='0' WHERE id=2", "not the one that was stored"},
		"a chunk":                {"UPDATE chunk SET stop=stop+99 WHERE doc=2", "damaged"},
		"chunks that overlap":    {"INSERT INTO chunk(doc, ord, start, stop, simhash, terms) SELECT 2, 90+value, 0, 4, 0, '' FROM json_each('[1,2,3]')", "chunks cannot be kept"},
		"vectors":                {"UPDATE vec SET v=zeroblob(7), sum=NULL WHERE doc=2", "vectors"},
		"vectors of no length":   {"UPDATE vec SET v=CAST(x'0000f07f' || substr(v, 5) AS BLOB), sum=NULL WHERE doc=2", "vectors"},
		"a row":                  {"DELETE FROM doc WHERE id=2", "damaged"},
		"an id":                  {"UPDATE doc SET uid='" + strings.Repeat("x", 5000) + "' WHERE id=2", "its id cannot be kept"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			l := openIn(t, dir)
			for i := 1; i <= 3; i++ {
				d := textDoc(i, secret+fmt.Sprint(i))
				if _, err := l.Put(t.Context(), d, memorytest.Chunks(d.Text)); err != nil {
					t.Fatal(err)
				}
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			execOn(t, filepath.Join(dir, fileName), "PRAGMA foreign_keys=0; "+c.damage)
			r, err := Repair(t.Context(), contract.Config{Dir: dir})
			if err != nil || r.Moved.Documents != 3 || r.Moved.Failed != 0 || !strings.Contains(strings.Join(r.Moved.Warnings, "\n"), c.said) {
				t.Fatalf("Repair of %s = %+v, %v, want a warning with %q", id, r, err, c.said)
			}
			if check, err := openIn(t, dir).Check(t.Context()); err != nil || !check.OK {
				t.Errorf("Check = %+v, %v", check, err)
			}
		})
	}
}

// A file with the layout of an older program is exported with its vectors.
func TestRescueOldLayouts(t *testing.T) {
	t.Parallel()
	for version, drop := range map[int]string{
		4: "ALTER TABLE vec DROP COLUMN sum",
		3: "DROP TABLE cell; DROP TABLE codebook; ALTER TABLE vec DROP COLUMN sum; DROP INDEX vec_missing; ALTER TABLE vec DROP COLUMN missing",
	} {
		dir, _ := filled(t, 3)
		execOn(t, filepath.Join(dir, fileName), fmt.Sprintf("%s; PRAGMA user_version=%d", drop, version))
		var out bytes.Buffer
		m, err := Rescue(t.Context(), contract.Config{Dir: dir}, &out, contract.ExportOptions{Vectors: true})
		if err != nil || m.Documents != 3 || m.Vectors != 3 || len(m.Warnings) > 0 {
			t.Errorf("layout %d: Rescue = %+v, %v", version, m, err)
		}
	}
}

// A file whose number of the layout is damaged is not taken for an old one: it is told,
// exported and repaired in full.
func TestRescueOfAWrongLayoutNumber(t *testing.T) {
	t.Parallel()
	for _, layout := range []int{0, 1, 3} {
		t.Run(fmt.Sprint(layout), func(t *testing.T) {
			t.Parallel()
			dir := talked(t, 3)
			execOn(t, filepath.Join(dir, fileName), fmt.Sprintf("PRAGMA user_version=%d", layout))
			if _, err := Open(t.Context(), contract.Config{Dir: dir}); !errors.Is(err, contract.ErrDamaged) {
				t.Fatalf("Open = %v, want that it is damaged", err)
			}
			var out bytes.Buffer
			if m, err := Rescue(t.Context(), contract.Config{Dir: dir}, &out, contract.ExportOptions{}); err != nil || m.Sessions != 3 {
				t.Errorf("Rescue = %+v, %v", m, err)
			}
			if r, err := Repair(t.Context(), contract.Config{Dir: dir}); err != nil || r.Moved.Sessions != 3 {
				t.Errorf("Repair = %+v, %v", r, err)
			}
			l := openIn(t, dir)
			if rep, err := l.Check(t.Context()); err != nil || !rep.OK {
				t.Errorf("Check = %+v, %v", rep, err)
			}
		})
	}
}

// A backup of a clock that was wrong does not end the daily backups.
func TestBackupDailyIgnoresTheFuture(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := openIn(t, dir)
	keep(t, l, textDoc(1, secret))
	if err := os.Mkdir(filepath.Join(dir, backupDir), 0o700); err != nil {
		t.Fatal(err)
	}
	future := filepath.Join(dir, backupDir, dailyPrefix+"20990101T000000Z.db")
	write(t, future, nil)
	if _, made, err := l.BackupDaily(t.Context(), 0); err != nil || !made {
		t.Errorf("BackupDaily beside a backup of 2099 = %v, %v", made, err)
	}
	if _, made, err := l.BackupDaily(t.Context(), 0); err != nil || made {
		t.Errorf("a second BackupDaily = %v, %v", made, err)
	}
	if _, err := os.Stat(future); err != nil {
		t.Error(err)
	}
}
