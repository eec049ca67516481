package local

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/contract"
)

func TestRetain(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name string
		keep contract.Retention
		want []int // that go; document 1 is pinned
	}{
		{"nothing", contract.Retention{}, nil},
		{"age", contract.Retention{MaxAge: 75 * time.Hour}, []int{0, 2}}, // six to one days old
		{"size", contract.Retention{MaxBytes: 350}, []int{0, 2, 3}},
		{"both", contract.Retention{MaxAge: 130 * time.Hour, MaxBytes: 500}, []int{0}},
		{"all that may go", contract.Retention{MaxBytes: 1}, []int{0, 2, 3, 4, 5}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			l, err := Open(t.Context(), contract.Config{Dir: t.TempDir(), Keep: c.keep, Now: func() time.Time { return now }})
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			var uids []string
			for i := range 6 {
				d := textDoc(i, fmt.Sprintf("n%d", i)+strings.Repeat("x", 98))
				d.Retrieved = now.Add(time.Duration(i-6) * 24 * time.Hour)
				if i == 1 {
					d.Meta = map[string]string{contract.MetaPinned: "true"}
				}
				uids = append(uids, d.ID)
				if _, err := l.Put(t.Context(), d, evidence.Chunks{}); err != nil {
					t.Fatal(err)
				}
			}
			want := []string{}
			for _, i := range c.want {
				want = append(want, uids[i])
			}
			r, err := l.Retain(t.Context())
			if err != nil || !slices.Equal(r.IDs, want) || r.Documents != len(want) || r.Remaining != 6-len(want) {
				t.Errorf("Retain = %+v, %v, want %q", r, err, want)
			}
			before := dataVersion(t, l)
			if r, err := l.Retain(t.Context()); err != nil || r.Documents != 0 || r.Remaining != 6-len(want) {
				t.Errorf("second Retain = %+v, %v", r, err)
			}
			if dataVersion(t, l) != before {
				t.Error("a Retain that removes nothing writes")
			}
			if r, err := l.Check(t.Context()); err != nil || !r.OK {
				t.Errorf("Check = %+v, %v", r, err)
			}
		})
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
