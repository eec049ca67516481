package memorytest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/contract"
)

// wantSound checks the memory, if its backend can.
func wantSound(t *testing.T, m contract.Memory) {
	t.Helper()
	c, ok := m.(contract.Checker)
	if !ok {
		return
	}
	if r, err := c.Check(t.Context()); err != nil || !r.OK || len(r.Problems) != 0 || r.Problems == nil {
		t.Errorf("Check = %+v, %v", r, err)
	}
}

// wantCanceled checks that call ends with the error of a cancelled context.
func wantCanceled(t *testing.T, call func(ctx context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := call(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("with a cancelled context = %v, want context.Canceled", err)
	}
}

func (s suite) check(t *testing.T) {
	m := s.start(t)
	seed(t, m)
	c := as[contract.Checker](t, m)
	r, err := c.Check(t.Context())
	if err != nil || !r.OK || r.Problems == nil || r.Documents != 4 || r.Chunks != 4 || r.Vectors != 4 || r.Try != "" {
		t.Errorf("Check of a sound memory = %+v, %v", r, err)
	}
	wantCanceled(t, func(ctx context.Context) error { _, err := c.Check(ctx); return err })
}

// A check that finds nothing wrong in damaged data is none.
func (s suite) checkFindsDamage(t *testing.T) {
	if len(s.Damage) == 0 {
		t.Fatal("the backend declares check, and the suite cannot damage anything: set Backend.Damage")
	}
	for name, damage := range s.Damage {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			m := s.at(t, dir)
			seed(t, m)
			wantSound(t, m)
			damage(t, dir)
			r, err := as[contract.Checker](t, m).Check(t.Context())
			if err != nil || r.OK || len(r.Problems) == 0 || r.Try == "" {
				t.Errorf("Check of a damaged memory = %+v, %v, want problems and what to do", r, err)
			}
		})
	}
}

func (s suite) proveErased(t *testing.T) {
	x := s.secret(t, t.TempDir())
	p := as[contract.ErasureProver](t, x.m)
	for _, id := range []string{secretID, x.session, "r_quoting"} {
		if r, err := p.ProveErased(t.Context(), id); err != nil || r.Gone || r.ID != id || len(r.Found) == 0 {
			t.Errorf("ProveErased(%s) before Forget = %+v, %v", id, r, err)
		}
	}
	forget(t, x.m, contract.Selector{IDs: []string{secretID}})
	forget(t, x.m, contract.Selector{Session: x.session})
	for _, id := range []string{secretID, x.session, "r_quoting"} {
		if r, err := p.ProveErased(t.Context(), id); err != nil || !r.Gone || r.Found == nil || len(r.Found) != 0 {
			t.Errorf("ProveErased(%s) = %+v, %v", id, r, err)
		}
	}
	wantCanceled(t, func(ctx context.Context) error { _, err := p.ProveErased(ctx, secretID); return err })
}

// A copy that cannot be restored is no backup.
func (s suite) backup(t *testing.T) {
	if s.Restore == nil {
		t.Fatal("the backend declares backup, and the suite cannot restore one: set Backend.Restore")
	}
	m, thread := s.full(t)
	path := filepath.Join(t.TempDir(), "copy")
	r, err := as[contract.Backuper](t, m).Backup(t.Context(), path)
	if err != nil || r.Documents != fullDocuments || r.Bytes <= 0 || r.Path != path {
		t.Fatalf("Backup = %+v, %v", r, err)
	}
	if info, err := os.Stat(path); err != nil || info.Size() != r.Bytes {
		t.Errorf("the copy: %v, want %d bytes", err, r.Bytes)
	}
	if entries, err := os.ReadDir(filepath.Dir(path)); err != nil || len(entries) != 1 {
		t.Errorf("beside the copy are %v, %v", entries, err)
	}
	dir := t.TempDir()
	s.Restore(t, path, dir)
	restored := s.at(t, dir)
	wantSame(t, m, restored, thread)
	for _, id := range []string{"d0", "two", "linked", "plain"} {
		want, _, err := m.Document(t.Context(), id)
		got, ok, gotErr := restored.Document(t.Context(), id)
		if diff := cmp.Diff(want, got); diff != "" || !ok || err != nil || gotErr != nil {
			t.Errorf("document %s, %v, %v, %v (-stored +restored):\n%s", id, ok, err, gotErr, diff)
		}
	}
	want, _, err := m.Run(t.Context(), "r_moved")
	got, ok, gotErr := restored.Run(t.Context(), "r_moved")
	if diff := cmp.Diff(want, got); diff != "" || !ok || err != nil || gotErr != nil {
		t.Errorf("run, %v, %v, %v (-stored +restored):\n%s", ok, err, gotErr, diff)
	}
	wantSound(t, restored)
	put(t, m, Doc("later", "A text that is stored after the backup."))
	if _, ok, err := restored.Document(t.Context(), "later"); ok || err != nil {
		t.Errorf("a document that was stored later is in the restored memory: %v", err)
	}
}

func (s suite) backupRefuses(t *testing.T) {
	m := s.start(t)
	seed(t, m)
	b := as[contract.Backuper](t, m)
	path := filepath.Join(t.TempDir(), "copy")
	if err := os.WriteFile(path, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := b.Backup(t.Context(), path)
	wantProblem(t, err, path)
	if got, err := os.ReadFile(path); err != nil || string(got) != "mine" {
		t.Errorf("an existing file was changed: %q, %v", got, err)
	}
	_, err = b.Backup(t.Context(), "")
	wantProblem(t, err)
	late := filepath.Join(t.TempDir(), "late")
	wantCanceled(t, func(ctx context.Context) error { _, err := b.Backup(ctx, late); return err })
	if _, err := os.Stat(late); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a cancelled Backup left a file: %v", err)
	}
}

func (s suite) retain(t *testing.T) {
	now := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name string
		keep contract.Retention
		want []string // removed; r1 is pinned
	}{
		{"nothing", contract.Retention{}, []string{}},
		{"age", contract.Retention{MaxAge: 75 * time.Hour}, []string{"r0", "r2"}}, // six to one days old
		{"size", contract.Retention{MaxBytes: 350}, []string{"r0", "r2", "r3"}},
		{"both", contract.Retention{MaxAge: 130 * time.Hour, MaxBytes: 500}, []string{"r0"}},
		{"everything that is not pinned", contract.Retention{MaxBytes: 1}, []string{"r0", "r2", "r3", "r4", "r5"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := s.with(t, contract.Config{Dir: t.TempDir(), Keep: c.keep, Now: func() time.Time { return now }})
			for i := range 6 {
				d := Doc(fmt.Sprintf("r%d", i), fmt.Sprintf("n%d", i)+strings.Repeat("x", 98))
				d.Retrieved = now.Add(time.Duration(i-6) * 24 * time.Hour)
				if i == 1 {
					d.Meta = map[string]string{evidence.MetaPinned: "true"}
				}
				put(t, m, d)
			}
			re := as[contract.Retainer](t, m)
			r, err := re.Retain(t.Context())
			if err != nil || !slices.Equal(r.IDs, c.want) || r.Documents != len(c.want) || r.Remaining != 6-len(c.want) {
				t.Errorf("Retain = %+v, %v, want %q", r, err, c.want)
			}
			if r, err := re.Retain(t.Context()); err != nil || r.Documents != 0 || r.Remaining != 6-len(c.want) {
				t.Errorf("second Retain = %+v, %v", r, err)
			}
			wantSound(t, m)
			wantCanceled(t, func(ctx context.Context) error { _, err := re.Retain(ctx); return err })
		})
	}
}
