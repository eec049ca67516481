package fileindex

import (
	"context"
	"database/sql"
	"errors"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/agnivade/levenshtein"

	"github.com/research-mcp/research-mcp/internal/text"
)

// Bounds of the list of words and of a repair.
const (
	maxWords      = 200_000
	shortestWord  = 4 // runes of a word that is repaired: shorter ones have too many neighbours
	longWord      = 6 // from this length on two letters may be wrong
	longestRepair = 32
)

// addWords counts each word of a text that can repair another once.
func addWords(count map[string]int, body string) {
	seen := map[string]bool{}
	for _, t := range text.Tokenize(body) {
		if !t.Stop && !seen[t.Word] && utf8.RuneCountInString(t.Word) >= shortestWord && len(t.Word) <= longestRepair {
			seen[t.Word] = true
			count[t.Word]++
		}
	}
}

// countWords adds counts to the list, which takes no new word when it is full. A word
// stays in it when its file is gone.
func countWords(ctx context.Context, tx *sql.Tx, words map[string]int) error {
	if len(words) == 0 {
		return nil
	}
	have := 0
	if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM word").Scan(&have); err != nil {
		return err
	}
	query := "INSERT INTO word VALUES(?, ?) ON CONFLICT(word) DO UPDATE SET n = n + excluded.n"
	if have >= maxWords {
		query = "UPDATE word SET n = n + ?2 WHERE word = ?1"
	}
	put, err := tx.PrepareContext(ctx, query)
	if err != nil {
		return err
	}
	defer put.Close()
	for _, w := range slices.Sorted(maps.Keys(words)) {
		if _, err := put.ExecContext(ctx, w, words[w]); err != nil {
			return err
		}
	}
	return nil
}

// maxRepairs limits the words that are compared with those of the files: each costs some
// milliseconds.
const maxRepairs = 16

// Repair returns the words of the files that some of the words were probably meant to be:
// one or, in a long word, two letters differ; the nearest, and the most frequent of those.
// Words that are in the files need none; of the others, the first maxRepairs are repaired.
func (x *Index) Repair(ctx context.Context, words []string) ([]string, error) {
	var out []string
	tried := 0
	for _, word := range words {
		unknown, err := x.repairable(ctx, word)
		if err != nil {
			return nil, failed(ctx, "looking for a word in the index", err)
		}
		if !unknown {
			continue
		}
		if tried++; tried > maxRepairs {
			break
		}
		most := 1
		if utf8.RuneCountInString(word) >= longWord {
			most = 2
		}
		fixed, err := x.nearest(ctx, word, most)
		if err != nil {
			return nil, failed(ctx, "looking for a word in the index", err)
		}
		if fixed != "" {
			out = append(out, fixed)
		}
	}
	return out, nil
}

// repairable reports whether a word is in no file and may be misspelt.
func (x *Index) repairable(ctx context.Context, word string) (bool, error) {
	if utf8.RuneCountInString(word) < shortestWord || len(word) > longestRepair || strings.ContainsAny(word, "0123456789") {
		return false, nil
	}
	known := 0
	err := x.read.QueryRowContext(ctx, "SELECT 1 FROM word WHERE word=?", word).Scan(&known)
	if errors.Is(err, sql.ErrNoRows) {
		return true, nil
	}
	return false, err
}

// nearest returns the nearest word with the same first byte, at most so far away.
func (x *Index) nearest(ctx context.Context, word string, most int) (string, error) {
	rows, err := x.read.QueryContext(ctx, "SELECT word, n FROM word WHERE word >= ? AND word < ? AND length(CAST(word AS BLOB)) BETWEEN ? AND ?",
		word[:1], string([]byte{word[0] + 1}), len(word)-most, len(word)+most)
	if err != nil {
		return "", err
	}
	defer rows.Close()
	best, bestCount, bestDistance := "", 0, most+1
	for rows.Next() {
		var w string
		var count int
		if err := rows.Scan(&w, &count); err != nil {
			return "", err
		}
		d := levenshtein.ComputeDistance(word, w)
		if d < bestDistance || d == bestDistance && best != "" && (count > bestCount || count == bestCount && w < best) {
			best, bestCount, bestDistance = w, count, d
		}
	}
	return best, rows.Err()
}
