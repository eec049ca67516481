package postgres

import (
	"fmt"
	"strings"
	"testing"

	"github.com/research-mcp/research-mcp/memory/contract"
)

// The log of changes is shortened by who writes, without retention: who has not read what is
// removed begins anew, and others go on.
func TestChangesAreShortened(t *testing.T) { //nolint:paralleltest // a position that saw others at work is older than it seems
	needServer(t)
	dir := t.TempDir()
	reader, err := openAt(t.Context(), contract.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	writer, err := openAt(t.Context(), contract.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	writer.fewChanges = 10
	at := func() contract.Position {
		t.Helper()
		c, err := reader.Changes(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		return c.Next
	}
	before, near := at(), contract.Position("")
	for i := range 30 {
		if i == 25 {
			eventually(t, "no transaction is under way on the server", func() bool {
				near = at()
				xmin, rest, _ := strings.Cut(string(near)[strings.Index(string(near), "/")+1:], ":")
				return strings.HasPrefix(rest, xmin+":")
			})
		}
		keep(t, writer, textDoc(i, fmt.Sprintf("Text %d.", i)))
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	n := 0
	if err := admin(t).QueryRow(t.Context(), fmt.Sprintf("select count(*) from %s.change", schemaOf(dir))).Scan(&n); err != nil || n != 10 {
		t.Errorf("%d changes are left, %v, want 10", n, err)
	}
	if c, err := reader.Changes(t.Context(), before); err != nil || !c.Reset || len(c.Documents) != 0 {
		t.Errorf("who fell behind gets %+v, %v, want a reset", c, err)
	}
	c, err := reader.Changes(t.Context(), near)
	if err != nil || c.Reset || len(c.Documents) != 5 {
		t.Errorf("who did not gets %+v, %v, want 5 documents", c, err)
	}
	if c, err := reader.Changes(t.Context(), c.Next); err != nil || c.Reset || len(c.Documents) != 0 {
		t.Errorf("after that: %+v, %v", c, err)
	}
}

// A snapshot of what a standby shows sees that, and nothing else, by the server's own rules.
func TestSnapshotWith(t *testing.T) {
	t.Parallel()
	needServer(t)
	conn := admin(t)
	for _, tt := range []struct {
		xmin    int64
		visible []int64
		want    string
		sees    string
	}{
		{100, nil, "100:100:", "[99]"},
		{100, []int64{100}, "100:101:", "[99 100]"},
		{100, []int64{101, 104}, "100:105:100,102,103", "[99 101 104]"},
		{100, []int64{101, 101 + mostBetween}, "100:102:100", "[99 101]"}, // the rest is seen again
	} {
		got := snapshotWith(tt.xmin, tt.visible)
		if got != tt.want || positionForm().FindString("00000000-0000-0000-0000-000000000000/"+got) == "" {
			t.Errorf("snapshotWith(%d, %v) = %s, want %s", tt.xmin, tt.visible, got, tt.want)
		}
		seen, err := column[int64](t.Context(), conn, "select x from generate_series(99, 1200) x where pg_visible_in_snapshot(x::text::xid8, $1::text::pg_snapshot)", got)
		if err != nil || fmt.Sprint(seen) != tt.sees {
			t.Errorf("%s sees %v, %v, want %s", got, seen, err, tt.sees)
		}
	}
}
