package memorytest_test

import (
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/contract"
	"github.com/research-mcp/research-mcp/memory/local"
	"github.com/research-mcp/research-mcp/memory/memorytest"
)

// Backends that declare a capability without having it, each by one method.
type (
	emptyBackup   struct{ *local.Local } // writes a byte, and counts the documents correctly
	partialBackup struct{ *local.Local } // copies an empty memory, and counts the documents correctly
	blindCheck    struct{ *local.Local }
	emptyExport   struct{ *local.Local }
	blindProof    struct{ *local.Local }
	keepsSessions struct{ *local.Local } // forgets no session
	storesNothing struct{ *local.Local } // of sessions
)

func (m emptyBackup) Backup(ctx context.Context, path string) (contract.BackupReport, error) {
	st, err := m.Stats(ctx)
	if err != nil {
		return contract.BackupReport{}, err
	}
	return contract.BackupReport{Path: path, Bytes: 1, Documents: st.Documents}, os.WriteFile(path, []byte("x"), 0o600)
}

func (m partialBackup) Backup(ctx context.Context, path string) (contract.BackupReport, error) {
	st, err := m.Stats(ctx)
	if err != nil {
		return contract.BackupReport{}, err
	}
	dir, err := os.MkdirTemp("", "empty-*")
	if err != nil {
		return contract.BackupReport{}, err
	}
	defer os.RemoveAll(dir)
	empty, err := local.Open(ctx, contract.Config{Dir: dir})
	if err != nil {
		return contract.BackupReport{}, err
	}
	defer empty.Close()
	r, err := empty.Backup(ctx, path)
	r.Documents = st.Documents
	return r, err
}

func (m blindCheck) Check(ctx context.Context) (contract.CheckReport, error) {
	st, err := m.Stats(ctx)
	return contract.CheckReport{OK: true, Documents: st.Documents, Chunks: st.Chunks, Vectors: st.Chunks, Problems: []string{}}, err
}

func (m emptyExport) Export(ctx context.Context, _ io.Writer, opts contract.ExportOptions) (contract.Moved, error) {
	return m.Local.Export(ctx, io.Discard, opts)
}

func (blindProof) ProveErased(ctx context.Context, id string) (contract.ErasureReport, error) {
	return contract.ErasureReport{ID: id, Gone: true, Found: []string{}}, ctx.Err()
}

func (m keepsSessions) Forget(ctx context.Context, sel contract.Selector) (evidence.Receipt, error) {
	if sel.Session = ""; sel.Empty() {
		return evidence.Receipt{}, ctx.Err()
	}
	return m.Local.Forget(ctx, sel)
}

func (storesNothing) Append(ctx context.Context, _ string, _ ...evidence.Turn) error {
	return ctx.Err()
}

// rubbish are the backends, with the tests of the suite that must fail.
var rubbish = map[string]struct {
	wrap  func(*local.Local) contract.Memory
	fails string
	bare  bool // the backend gives the suite nothing but Open
}{
	"EmptyBackup":   {func(l *local.Local) contract.Memory { return emptyBackup{l} }, "backup/Backup", false},
	"PartialBackup": {func(l *local.Local) contract.Memory { return partialBackup{l} }, "backup/Backup", false},
	"BlindCheck":    {func(l *local.Local) contract.Memory { return blindCheck{l} }, "check/CheckFindsDamage", false},
	"EmptyExport":   {func(l *local.Local) contract.Memory { return emptyExport{l} }, "export/ExportImport", false},
	"BlindProof":    {func(l *local.Local) contract.Memory { return blindProof{l} }, "proof_of_erasure/ProveErased", false},
	"KeepsSessions": {func(l *local.Local) contract.Memory { return keepsSessions{l} }, "stored_bytes/ForgetSessionLeavesNoBytes", false},
	"StoresNothing": {func(l *local.Local) contract.Memory { return storesNothing{l} }, "stored_bytes/ForgetSessionLeavesNoBytes", false},
	"NoRestore":     {func(l *local.Local) contract.Memory { return l }, "backup/Backup", true},
	"NoDamage":      {func(l *local.Local) contract.Memory { return l }, "check/CheckFindsDamage", true},
}

// rubbishName says, in a process of TestTheSuiteRefusesRubbish, which backend to run.
const rubbishName = "MEMORYTEST_RUBBISH"

// TestTheSuiteRefusesRubbish runs the suite on each backend in a process of its own,
// because a test that fails fails its process.
func TestTheSuiteRefusesRubbish(t *testing.T) {
	t.Parallel()
	for name, c := range rubbish {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestRubbish$/^"+strings.ReplaceAll(c.fails, "/", "$/^")+"$", "-test.v")
			cmd.Env = append(os.Environ(), rubbishName+"="+name)
			out, err := cmd.CombinedOutput()
			if want := "--- FAIL: TestRubbish/" + c.fails; err == nil || !strings.Contains(string(out), want) {
				t.Errorf("the suite does not print %q (%v):\n%s", want, err, out)
			}
		})
	}
}

// TestRubbish is what TestTheSuiteRefusesRubbish starts.
func TestRubbish(t *testing.T) {
	t.Parallel()
	c, ok := rubbish[os.Getenv(rubbishName)]
	if !ok {
		t.Skip("runs in the processes of TestTheSuiteRefusesRubbish")
	}
	b := memorytest.Backend{Open: func(ctx context.Context, cfg contract.Config) (contract.Memory, error) {
		l, err := local.Open(ctx, cfg)
		if err != nil {
			return nil, err
		}
		return c.wrap(l), nil
	}}
	if !c.bare {
		b.Leftovers, b.Restore = leftovers, restore
		b.Damage = map[string]func(*testing.T, string){"file": damage}
	}
	memorytest.Run(t, b)
}

const file = "memory.db" // of the backend local

func leftovers(t *testing.T, dir, marker string) []string {
	t.Helper()
	var out []string
	for _, name := range []string{file, file + "-wal"} {
		if b, err := os.ReadFile(filepath.Join(dir, name)); err == nil && strings.Contains(string(b), marker) {
			out = append(out, name)
		}
	}
	return out
}

func restore(t *testing.T, path, dir string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, file), b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func damage(t *testing.T, dir string) {
	t.Helper()
	if err := os.Truncate(filepath.Join(dir, file), 100); err != nil {
		t.Fatal(err)
	}
}
