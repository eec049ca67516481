package extract

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"
)

// minShare is the share of the words of a page's main part, as a browser shows it,
// that extraction keeps.
const minShare = 0.99

// TestRealPages compares pages of documentation with what Chromium shows of their
// main part. internal/testkit/scripts/pages.sh makes the folder.
func TestRealPages(t *testing.T) {
	folder := os.Getenv("PAGES_TEST_DIR")
	if folder == "" {
		t.Skip("PAGES_TEST_DIR is not set: no real pages; internal/testkit/scripts/pages.sh makes them")
	}
	pages, err := filepath.Glob(filepath.Join(folder, "*.html"))
	if err != nil || len(pages) < 12 {
		t.Fatalf("%d pages in %s (%v), want 12", len(pages), folder, err)
	}
	var table strings.Builder
	fmt.Fprintf(&table, "%-42s %8s %8s %8s\n", "page", "words", "kept", "added")
	for _, path := range pages {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		shown, err := os.ReadFile(strings.TrimSuffix(path, ".html") + ".txt")
		if err != nil {
			t.Fatal(err)
		}
		page, err := HTML(t.Context(), raw, "text/html", "file://"+path)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimSuffix(filepath.Base(path), ".html")
		want, got := countWords(string(shown)), countWords(page.Text)
		total, lost, missing := without(want, got)
		_, added, extra := without(got, want)
		share := 1 - float64(lost)/float64(max(total, 1))
		fmt.Fprintf(&table, "%-42s %8d %7.2f%% %7.2f%%\n", name, total, 100*share, 100*float64(added)/float64(max(total, 1)))
		t.Logf("%s: lost %s; added %s", name, missing, extra)
		if share < minShare {
			t.Errorf("%s keeps %.2f %% of its words, want %.0f %%", name, 100*share, 100*minShare)
		}
	}
	t.Log("\n" + table.String())
}

func countWords(s string) map[string]int {
	words := map[string]int{}
	for _, w := range strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		words[w]++
	}
	return words
}

// without returns how many words a has, how many of them b has not, and those that
// are missing most often.
func without(a, b map[string]int) (total, missing int, most string) {
	type entry struct {
		word string
		n    int
	}
	var list []entry
	for w, n := range a {
		total += n
		if d := n - b[w]; d > 0 {
			missing += d
			list = append(list, entry{w, d})
		}
	}
	slices.SortFunc(list, func(x, y entry) int { return cmp.Or(y.n-x.n, strings.Compare(x.word, y.word)) })
	var out []string
	for _, e := range list[:min(len(list), 25)] {
		out = append(out, fmt.Sprintf("%s×%d", e.word, e.n))
	}
	return total, missing, strings.Join(out, " ")
}
