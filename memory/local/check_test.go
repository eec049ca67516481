package local

import (
	"context"
	"database/sql"
	"strings"
	"testing"

	"github.com/research-mcp/research-mcp/memory/contract"
)

func TestCheckFindsInconsistencies(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, damage, want string }{
		{"counter", "UPDATE tally SET n=n+1 WHERE name='chunks'", "chunks"},
		{"terms", "UPDATE tally SET n=0 WHERE name='terms'", "terms"},
		{"text", "DELETE FROM body WHERE doc=1", "text"},
		{"chunk", "UPDATE chunk SET stop=9999 WHERE id=1", "outside of their text"},
		{"words", "UPDATE chunk SET terms='t other' WHERE id=1", "word index"},
		{"vectors", "UPDATE vec SET v=zeroblob(3) WHERE doc=1", "vectors"},
		{"run", "INSERT INTO session VALUES(1,'s','','',0,0,0); INSERT INTO turn VALUES(1,1,'user','x',0,'r_none')", "answer"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			l := openIn(t, t.TempDir())
			d := textDoc(1, "some text")
			if _, err := l.Put(t.Context(), d, vectored(d, "m")); err != nil {
				t.Fatal(err)
			}
			if r, err := l.Check(t.Context()); err != nil || !r.OK || r.Try != "" {
				t.Fatalf("Check of a sound memory = %+v, %v", r, err)
			}
			err := l.write(t.Context(), "damaging", func(tx *sql.Tx) error {
				_, err := tx.ExecContext(context.Background(), c.damage)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			r, err := l.Check(t.Context())
			if err != nil || r.OK || r.Try == "" || len(r.Problems) == 0 || !strings.Contains(strings.Join(r.Problems, "; "), c.want) {
				t.Errorf("Check = %+v, %v, want a problem with %q", r, err, c.want)
			}
		})
	}
}

func TestProveErasedNamesThePlaces(t *testing.T) {
	t.Parallel()
	l := openIn(t, t.TempDir())
	d := textDoc(1, "some text")
	if _, err := l.Put(t.Context(), d, vectored(d, "m")); err != nil {
		t.Fatal(err)
	}
	if g, err := l.ProveErased(t.Context(), d.ID); err != nil || g.Gone || len(g.Found) < 2 {
		t.Errorf("ProveErased of a stored document = %+v, %v", g, err)
	}
	if _, err := l.Forget(t.Context(), contract.Selector{IDs: []string{d.ID}}); err != nil {
		t.Fatal(err)
	}
	if g, err := l.ProveErased(t.Context(), d.ID); err != nil || !g.Gone {
		t.Errorf("Gone = %+v, %v", g, err)
	}
}
