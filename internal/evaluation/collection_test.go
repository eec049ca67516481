package evaluation

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/research-mcp/research-mcp/internal/evidence"
)

// A collection whose judged queries are others than its queries is refused:
// there would be nothing to average.
func TestACollectionWithoutJudgedQueries(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		judged string
		ok     bool
	}{{"q1", true}, {"q2", false}} {
		dir := t.TempDir()
		for name, body := range map[string]string{
			"corpus.jsonl": `{"_id":"d1","text":"whales"}`, "queries.jsonl": `{"_id":"q1","text":"whales?"}`, "qrels.tsv": c.judged + "\td1\t1\n",
		} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(body), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		_, err := loadCollection(dir)
		var p *evidence.Problem
		if (err == nil) != c.ok || err != nil && (!errors.As(err, &p) || !p.Usage) {
			t.Errorf("judged %s: %v", c.judged, err)
		}
	}
}
