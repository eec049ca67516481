package local

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/contract"
	"github.com/research-mcp/research-mcp/memory/memorytest"
)

func TestContract(t *testing.T) {
	t.Parallel()
	memorytest.Run(t, memorytest.Backend{
		Open: func(ctx context.Context, cfg contract.Config) (contract.Memory, error) { return Open(ctx, cfg) },
		OpenLarge: func(ctx context.Context, cfg contract.Config) (contract.Memory, error) {
			l, err := openSized(ctx, cfg, sizes{divideFrom: 2000, manyVectors: 240}) // the usual of a million vectors, in proportion
			return &dividedMemory{Local: l, t: t}, err
		},
		Leftovers: holding,
		Restore:   restore,
		Damage: map[string]func(*testing.T, string){
			"counter":    damage("UPDATE tally SET n=n+1 WHERE name='documents'"),
			"text":       damage("DELETE FROM body WHERE doc=1"),
			"word index": damage("UPDATE chunk SET terms='t other' WHERE id=1"),
			"vectors":    damage("UPDATE vec SET v=zeroblob(3) WHERE doc=1"),
		},
	})
}

// dividedMemory recalls when its vectors are divided into cells that were learned from all of
// them: when the background learned the first ones depends on how busy the machine is.
type dividedMemory struct {
	*Local
	t    *testing.T
	wait sync.Once
}

func (m *dividedMemory) Recall(ctx context.Context, q evidence.RecallQuery) (evidence.RecallResult, error) {
	m.wait.Do(func() {
		asked := int64(-1)
		for ctx.Err() == nil {
			s := spaceFor(m.t, m.Local, q.Model)
			if version := s.bookVersion(); isDivided(s) && s.tidyWork() == nothingToDo {
				if asked >= 0 && version > asked {
					return
				}
				asked = version
				s.mark(version, func(s *space) { s.void = true })
			}
			m.index.wakeTidy()
			time.Sleep(10 * time.Millisecond)
		}
	})
	return m.Local.Recall(ctx, q)
}

// isDivided tells it while the background may divide the space.
func isDivided(s *space) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.divided()
}

// restore does what docs and messages tell the user: the copy takes the place of
// the file.
func restore(t *testing.T, path, dir string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, fileName), b)
}

// damage changes the file behind the back of the memories that have it open.
func damage(statement string) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		t.Helper()
		db, err := openDB(filepath.Join(dir, fileName), false)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Error(err)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
}

// The suite skips what is not declared: this backend declares everything.
func TestCapabilities(t *testing.T) {
	t.Parallel()
	if got := contract.Capabilities(openIn(t, t.TempDir())); !slices.Equal(got, contract.AllCapabilities()) {
		t.Errorf("Capabilities = %q, want all of %q", got, contract.AllCapabilities())
	}
}

func TestURLIsRefused(t *testing.T) {
	t.Parallel()
	_, err := Open(t.Context(), contract.Config{Dir: t.TempDir(), URL: "postgres://user:password@db.test/x"})
	var p *evidence.Problem
	if !errors.As(err, &p) || !p.Usage || !strings.Contains(p.Error(), "memory.url") || strings.Contains(p.Error(), "password") {
		t.Errorf("Open with a URL = %v, want a problem that names the setting, without its value", err)
	}
}

// A panic inside of a transaction does not leave it open: the next writer of
// the process would wait forever.
func TestAPanicRollsBack(t *testing.T) {
	t.Parallel()
	l := openIn(t, t.TempDir())
	func() {
		defer func() { _ = recover() }()
		_ = l.write(t.Context(), "panicking", func(tx *sql.Tx) error {
			if _, err := tx.ExecContext(t.Context(), "UPDATE tally SET n=7 WHERE name='documents'"); err != nil {
				t.Error(err)
			}
			panic("a bug")
		})
	}()
	if n := l.wdb.Stats().InUse; n != 0 {
		t.Fatalf("%d connections are still in use after a panic", n)
	}
	keep(t, l, textDoc(1, "A text that is stored afterwards."))
	if st, err := l.Stats(t.Context()); err != nil || st.Documents != 1 {
		t.Errorf("Stats = %d documents, %v, want 1", st.Documents, err)
	}
}

// A reader that missed more changes than are kept has to begin again.
func TestChangesResetWhereTheLogWasCut(t *testing.T) {
	t.Parallel()
	l := openIn(t, t.TempDir())
	for i := range 3 {
		keep(t, l, textDoc(i, "A text."))
	}
	if _, err := l.wdb.ExecContext(t.Context(), "DELETE FROM change WHERE seq <= 2"); err != nil {
		t.Fatal(err)
	}
	if c, err := l.Changes(t.Context(), "1"); err != nil || !c.Reset || c.Next != "3" || len(c.Documents) != 0 {
		t.Errorf("Changes since 1 = %+v, %v, want a reset", c, err)
	}
	if c, err := l.Changes(t.Context(), "2"); err != nil || c.Reset || len(c.Documents) != 1 {
		t.Errorf("Changes since 2 = %+v, %v, want the last", c, err)
	}
}
