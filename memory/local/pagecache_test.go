package local

import (
	"database/sql"
	"testing"

	"modernc.org/sqlite"

	"github.com/research-mcp/research-mcp/memory/contract"
)

// TestRobbedCacheRecovers: a connection whose place in the common page cache was taken by
// another keeps pages again after a read that has noticed it.
func TestRobbedCacheRecovers(t *testing.T) {
	l, err := Open(t.Context(), contract.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	const pages = 5000 // more than the caches of a reader and the writer have together
	if _, err := l.wdb.ExecContext(t.Context(), `CREATE TABLE filler(id INTEGER PRIMARY KEY, b BLOB);
		WITH n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 5000) INSERT INTO filler SELECT i, zeroblob(4000) FROM n`); err != nil {
		t.Fatal(err)
	}
	most := func(tx querier) error { // of what a reader may keep
		for id := range readCache / pageKiB * 3 / 4 {
			var b []byte
			if err := tx.QueryRowContext(t.Context(), "SELECT b FROM filler WHERE id = ?", id+1).Scan(&b); err != nil {
				return err
			}
		}
		return nil
	}
	missed := func() (n int) { // by the second of two equal rounds
		conn, err := l.rdb.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		for range 2 {
			if err := most(conn); err != nil {
				t.Fatal(err)
			}
			err := conn.Raw(func(c any) (err error) {
				n, _, err = c.(sqlite.DBStatus).Status(sqlite.DBStatusCacheMiss, true)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		return n
	}
	if n := missed(); n > 10 {
		t.Fatalf("%d misses before anything was taken", n)
	}
	if ids, err := int64s(t.Context(), l.wdb, "SELECT id FROM filler WHERE b IS NOT NULL"); err != nil || len(ids) != pages {
		t.Fatal(len(ids), err)
	}
	if n := missed(); n < 100 {
		t.Fatalf("%d misses: the writer has taken nothing, so the test shows nothing", n)
	}
	err = l.read(t.Context(), "testing", func(tx *sql.Tx) error {
		for range 3 {
			if err := most(tx); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if n := missed(); n > 10 {
		t.Errorf("%d misses after a read that had none of its pages kept", n)
	}
}
