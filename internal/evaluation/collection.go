package evaluation

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/text"
)

// maxRecord is the longest line of a collection.
const maxRecord = 16 << 20

// record is a line of corpus.jsonl or queries.jsonl in BEIR's layout. Fields
// that a collection may add say more about a question.
type record struct {
	ID           string   `json:"_id"`
	Title        string   `json:"title"`
	Text         string   `json:"text"`
	Answers      []string `json:"answers"`          // strings that an answering sentence holds
	Candidates   []string `json:"candidates"`       // documents to choose from, instead of the judged ones
	Facts        []fact   `json:"supporting_facts"` // sentences that answer, as [document, index]
	Conversation string   `json:"conversation"`     // the prefix of the ids of the documents to search in
}

// fact is a sentence of a document.
type fact struct {
	doc   string
	index int
}

func (f *fact) UnmarshalJSON(b []byte) error {
	pair := []any{&f.doc, &f.index}
	if err := json.Unmarshal(b, &pair); err != nil {
		return fmt.Errorf("a supporting fact is a pair of document and sentence number: %w", err)
	}
	return nil
}

// collection is a test collection.
type collection struct {
	docs    []record
	queries []record
	grades  map[string]map[string]float64 // query to document to grade, above zero alone
}

// loadCollection reads a folder in BEIR's layout.
func loadCollection(dir string) (*collection, error) {
	c := &collection{grades: map[string]map[string]float64{}}
	var err error
	if c.docs, err = readRecords(filepath.Join(dir, "corpus.jsonl")); err != nil {
		return nil, err
	}
	if c.queries, err = readRecords(filepath.Join(dir, "queries.jsonl")); err != nil {
		return nil, err
	}
	if err := c.readGrades(gradesIn(dir)); err != nil {
		return nil, err
	}
	if len(c.docs) == 0 || len(c.grades) == 0 {
		return nil, evidence.BadInput(fmt.Sprintf("%s has %s and %s", dir, text.Count(len(c.docs), "document"), text.Count(len(c.grades), "judged query")), "name a folder with a whole collection")
	}
	for _, q := range c.queries {
		if len(c.grades[q.ID]) > 0 {
			return c, nil
		}
	}
	return nil, evidence.BadInput(fmt.Sprintf("none of the %d judged queries of %s is among the %d of queries.jsonl", len(c.grades), dir, len(c.queries)),
		"name a folder whose qrels.tsv judges the queries of queries.jsonl")
}

// gradesIn is where a collection's judgements are: qrels.tsv, or a split as BEIR
// ships it, the one for tests first.
func gradesIn(dir string) string {
	whole := filepath.Join(dir, "qrels.tsv")
	for _, path := range []string{whole, filepath.Join(dir, "qrels", "test.tsv"), filepath.Join(dir, "qrels", "dev.tsv"), filepath.Join(dir, "qrels", "train.tsv")} {
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	return whole
}

// open is os.Open with words for who named the wrong folder.
func open(path string) (*os.File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, &evidence.Problem{What: "the collection cannot be read: " + err.Error(), Usage: true, Cause: err,
			Try: "name a folder that holds corpus.jsonl, queries.jsonl and qrels.tsv or qrels/test.tsv"}
	}
	return f, nil
}

func readRecords(path string) ([]record, error) {
	f, err := open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var out []record
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, maxRecord)
	for n := 1; lines.Scan(); n++ {
		if len(strings.TrimSpace(lines.Text())) == 0 {
			continue
		}
		var r record
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			return nil, fmt.Errorf("%s, line %d: %w", path, n, err)
		}
		out = append(out, r)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	return out, nil
}

// readGrades reads lines of query, document and grade, with or without a head.
func (c *collection) readGrades(path string) error {
	f, err := open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	lines := bufio.NewReader(f)
	for n := 1; ; n++ {
		line, err := lines.ReadString('\n')
		if fields := strings.Fields(line); len(fields) >= 3 {
			grade, bad := strconv.ParseFloat(fields[len(fields)-1], 64)
			switch {
			case bad != nil && n == 1: // the head
			case bad != nil:
				return fmt.Errorf("%s, line %d: the grade %q is no number", path, n, fields[len(fields)-1])
			case grade > 0:
				q, d := fields[0], fields[len(fields)-2]
				if c.grades[q] == nil {
					c.grades[q] = map[string]float64{}
				}
				c.grades[q][d] = grade
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading %s: %w", path, err)
		}
	}
}
