package extract

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/research-mcp/research-mcp/internal/isolate"
)

func newPool(t testing.TB, o isolate.Options) *isolate.Pool {
	t.Helper()
	p, err := isolate.NewPool(o)
	if err != nil {
		t.Fatalf("NewPool = %v", err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Errorf("Close = %v", err)
		}
	})
	return p
}

// usualPage is a 200 kB page like those of news and reference sites: two fifths are
// an article with links, tables and code; the rest is scripts, style sheets, menus
// and icons.
func usualPage() []byte {
	var head, menu strings.Builder
	for i := range 250 {
		fmt.Fprintf(&head, ".m%d a:hover{color:#333;margin:0 1em}\n.h%d{display:none}\n", i, i)
	}
	for i := range 300 {
		fmt.Fprintf(&menu, `<li class="menu-item m%d"><a class="link" href="/topics/%d?from=menu">Topic %d</a></li>`, i, i, i)
	}
	page := `<!doctype html><html lang="en"><head><title>Ellwick harbour</title><style>` + head.String() + `</style><script>` +
		strings.Repeat("window.state.push({id: 12345, name: 'a tracker of some kind', on: true});\n", 1100) + `</script></head><body><nav><ul>` + menu.String() +
		`</ul></nav><svg><path d="` + strings.Repeat("M10 10L20 20", 500) + `"/></svg><article><h1>Ellwick harbour</h1>` + sections(130) + `</article><footer>Imprint</footer></body></html>`
	return []byte(page)
}

// densePage is a 200 kB page that is all article, with many elements.
func densePage() []byte { return []byte(article(sections(345))) }

func sections(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `<h2 id="s%d">Section %d</h2>%s<p class="note">See <a href="/other/%d">the <b>other</b> page</a>, and <code>go build</code>.</p>`, i, i, lorem, i)
		switch i % 10 {
		case 0:
			b.WriteString(`<table><tr><th>Year</th><th>Boats</th></tr>` + strings.Repeat(`<tr><td>1900</td><td>212</td></tr>`, 10) + `</table>`)
		case 5:
			b.WriteString("<pre><code class=\"language-go\">func main() {\n\tprintln(\"ahoy\")\n}</code></pre>")
		}
	}
	return b.String()
}

// failingRunner ends each task with an error.
type failingRunner struct{ err error }

func (r failingRunner) Run(context.Context, string, any, any) error { return r.err }

// What interrupted the reading is told apart from what the page is to blame for.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		runner Runner
		raw    string
		want   bool
	}{
		"a crash":          {failingRunner{fmt.Errorf("task extract: %w: exit status 2", isolate.ErrCrashed)}, "<p>a", true},
		"a time-out":       {failingRunner{fmt.Errorf("task extract: %w: killed after 3s", isolate.ErrTimeout)}, "<p>a", true},
		"a broken answer":  {failingRunner{isolate.ErrOutput}, "<p>a", false},
		"a picture":        {failingRunner{isolate.ErrCrashed}, "\x89PNG\r\n\x1a\n", false},
		"a child, no text": {newPool(t, isolate.Options{}), "<html><body></body></html>", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Isolated{Runner: c.runner}.HTML(t.Context(), []byte(c.raw), "", "https://example.org/a")
			if Interrupted(err) != c.want {
				t.Errorf("Interrupted(%v) = %v, want %v", err, !c.want, c.want)
			}
		})
	}
}

// BenchmarkIsolatedPage200kB measures a page in a child that is running (warm), and
// in a pool that starts one for it (cold).
func BenchmarkIsolatedPage200kB(b *testing.B) {
	pool := newPool(b, isolate.Options{})
	if err := pool.Warm(b.Context()); err != nil {
		b.Fatal(err)
	}
	cold := func(ctx context.Context, raw []byte, contentType, pageURL string) (Page, error) {
		return Isolated{Runner: newPool(b, isolate.Options{})}.HTML(ctx, raw, contentType, pageURL)
	}
	for _, c := range []struct {
		name string
		raw  []byte
		read reader
	}{
		{"warm", usualPage(), Isolated{Runner: pool}.HTML},
		{"warm-dense", densePage(), Isolated{Runner: pool}.HTML},
		{"cold", usualPage(), cold},
		{"same-process", usualPage(), HTML},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(int64(len(c.raw)))
			took := make([]time.Duration, 0, 1024)
			for b.Loop() {
				start := time.Now()
				if _, err := c.read(b.Context(), c.raw, "text/html", "https://example.org/a"); err != nil {
					b.Fatal(err)
				}
				took = append(took, time.Since(start))
			}
			slices.Sort(took)
			b.ReportMetric(float64(len(c.raw))/1000, "page-kB")
			b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
		})
	}
}
