package local

import (
	"testing"
	"time"

	"github.com/research-mcp/research-mcp/memory/contract"
)

func TestRetainWithoutWorkDoesNotWrite(t *testing.T) {
	t.Parallel()
	l, err := Open(t.Context(), contract.Config{Dir: t.TempDir(), Keep: contract.Retention{MaxAge: time.Hour, MaxBytes: 1 << 20}})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	keep(t, l, textDoc(1, "A text that was read just now."))
	before := dataVersion(t, l)
	if r, err := l.Retain(t.Context()); err != nil || r.Documents != 0 || r.Remaining != 1 {
		t.Errorf("Retain = %+v, %v", r, err)
	}
	if dataVersion(t, l) != before {
		t.Error("a Retain that removes nothing writes")
	}
}

// dataVersion changes with each commit of another connection.
func dataVersion(t *testing.T, l *Local) (n int64) {
	t.Helper()
	l.index.follow <- struct{}{}
	defer func() { <-l.index.follow }()
	if err := l.index.pin.QueryRowContext(t.Context(), "PRAGMA data_version").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}
