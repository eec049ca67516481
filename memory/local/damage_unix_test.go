//go:build unix

package local

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"github.com/research-mcp/research-mcp/memory/contract"
)

// randomDamages are faults of a disk; each is applied in turn.
var randomDamages = []struct {
	name  string
	apply func([]byte, *rand.Rand)
}{
	{"a zeroed page", func(b []byte, r *rand.Rand) {
		at := r.IntN(len(b)/4096) * 4096
		clear(b[at : at+4096])
	}},
	{"64 flipped bytes in a row", func(b []byte, r *rand.Rand) {
		at := r.IntN(len(b) - 64)
		for i := range b[at : at+64] {
			b[at+i] ^= 0xff
		}
	}},
	{"20 flipped bits", func(b []byte, r *rand.Rand) {
		for range 20 {
			b[r.IntN(len(b))] ^= 1 << r.IntN(8)
		}
	}},
}

// Random damages are told by Check, or the file is refused with the next step; those
// that are not told have changed nothing that is stored. What SQLite itself reads by
// id is exported.
func TestRandomDamages(t *testing.T) {
	t.Parallel()
	tries, r := randomTries(t, 12)
	const n = 40
	_, whole := filled(t, n)
	told, harmless, readable, rescued := 0, 0, 0, 0
	for i := range tries {
		kind := randomDamages[i%len(randomDamages)]
		did := fmt.Sprintf("damage %d, %s", i, kind.name)
		b := bytes.Clone(whole)
		kind.apply(b, r)
		dir := t.TempDir()
		path := filepath.Join(dir, fileName)
		write(t, path, b)
		byID := 0
		if l, ok := openOrProblem(t, did, dir); ok {
			byID = readableByID(t, path, n)
			rep, err := l.Check(t.Context())
			switch {
			case err != nil || !rep.OK:
				told++
			case unchanged(t, l, n):
				harmless++
			default:
				t.Errorf("%s: Check does not tell", did)
			}
			if err := l.Close(); err != nil {
				t.Errorf("%s: Close = %v", did, err)
			}
		} else {
			told++
		}
		var out bytes.Buffer
		m, err := Rescue(t.Context(), contract.Config{Dir: dir}, &out, contract.ExportOptions{})
		if byID > 0 && (err != nil || m.Documents < byID) {
			t.Errorf("%s: Rescue = %d documents, %v; SQLite reads %d by id", did, m.Documents, err, byID)
		}
		readable, rescued = readable+byID, rescued+m.Documents
	}
	t.Logf("random damages: %d, of which %d told and %d without effect on anything stored; %d texts rescued, of %d that SQLite reads by id", tries, told, harmless, rescued, readable)
}

// unchanged reports whether the documents of filled are all there.
func unchanged(t *testing.T, l *Local, n int) bool {
	t.Helper()
	for i := 1; i <= n; i++ {
		want := textDoc(i, fmt.Sprintf("Number %d. ", i)+strings.Repeat(fmt.Sprintf("word%d ", i), 300))
		if d, ok, err := l.Document(t.Context(), want.ID); err != nil || !ok || d.Text != want.Text || d.Title != want.Title {
			return false
		}
	}
	return true
}
