package memory

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/contract"
)

func TestOpenNamesTheBackends(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"", "postgers"} {
		_, err := Open(t.Context(), Config{Backend: name, Dir: t.TempDir()})
		var p *evidence.Problem
		if !errors.As(err, &p) || !p.Usage || !strings.Contains(p.What, `"`+name+`"`) || !errors.Is(err, ErrUnsupported) || !strings.Contains(p.Try, "memory.backend") || !strings.Contains(p.Try, "local") {
			t.Errorf("Open(%q) = %v, want a problem that names the backends", name, err)
		}
	}
	if !slices.IsSorted(Backends()) || !slices.Contains(Backends(), "local") {
		t.Errorf("Backends = %q, want local among them, sorted by name", Backends())
	}
}

// required hides the optional interfaces of a memory.
type required struct{ Memory }

func (required) Backend() string { return "bare" }

func TestRequire(t *testing.T) {
	t.Parallel()
	m, err := Open(t.Context(), Config{Backend: "local", Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if _, err := Require[Backuper](m); err != nil {
		t.Errorf("Require[Backuper](local) = %v", err)
	}
	bare := required{m}
	if got := contract.Capabilities(bare); len(got) != 0 || got == nil {
		t.Errorf("Capabilities = %q, want none", got)
	}
	for want, err := range map[contract.Capability]error{
		contract.CapBackup:    missing[Backuper](bare),
		contract.CapCheck:     missing[Checker](bare),
		contract.CapClaims:    missing[RunClaimer](bare),
		contract.CapExport:    missing[Exporter](bare),
		contract.CapErasure:   missing[ErasureProver](bare),
		contract.CapReindex:   missing[Reindexer](bare),
		contract.CapRetention: missing[Retainer](bare),
		contract.CapLists:     missing[Lister](bare),
		contract.CapVectors:   missing[VectorFiller](bare),
	} {
		var p *evidence.Problem
		if !errors.As(err, &p) || !strings.Contains(p.What, string(want)) || !strings.Contains(p.What, `"bare"`) || p.Try == "" {
			t.Errorf("Require of %s = %v, want a problem that names it and the backend", want, err)
		}
	}
}

func missing[T any](m Memory) error {
	_, err := Require[T](m)
	return err
}

// A backend that cannot remove old documents does not ignore the setting.
func TestRetentionNeedsARetainer(t *testing.T) {
	t.Parallel()
	m, err := Open(t.Context(), Config{Backend: "local", Dir: t.TempDir(), Keep: Retention{MaxAge: time.Hour}})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	_, err = checked(required{m}, Config{Backend: "bare", Keep: Retention{MaxAge: time.Hour}})
	var p *evidence.Problem
	if !errors.As(err, &p) || !strings.Contains(p.What, "bare") || !strings.Contains(p.Try, "memory.max_age_days") {
		t.Errorf("Open with a retention = %v, want a problem", err)
	}
}
