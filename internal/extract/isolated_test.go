package extract

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/research-mcp/research-mcp/internal/isolate"
)

func newPool(t testing.TB, o isolate.Options) *isolate.Pool {
	t.Helper()
	p, err := isolate.NewPool(isolate.PoolOptions{Options: o})
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

// bigPage is a page of about 200 kB as they are: prose, headings, links, a table
// and code, navigation around it, and a style sheet of its own.
func bigPage() []byte {
	var b strings.Builder
	b.WriteString("<style>" + strings.Repeat(".menu a:hover{color:red} .note{margin:1em} .ad{display:none}\n", 100) + "</style>")
	for i := range 350 {
		fmt.Fprintf(&b, `<h2 id="s%d">Section %d</h2>%s<p class="note">See <a href="/other/%d">the <b>other</b> page</a>, and <code>go build</code>.</p>`, i, i, lorem, i)
		switch {
		case i%10 == 0:
			b.WriteString(`<table><tr><th>Year</th><th>Boats</th></tr>` + strings.Repeat(`<tr><td>1900</td><td>212</td></tr>`, 10) + `</table>`)
		case i%10 == 5:
			b.WriteString("<pre><code class=\"language-go\">func main() {\n\tprintln(\"ahoy\")\n}</code></pre>")
		}
	}
	return []byte(article(b.String()))
}

func BenchmarkIsolatedPage200kB(b *testing.B) {
	raw := bigPage()
	for _, c := range []struct {
		name string
		run  func(b *testing.B) func() error
	}{
		{"warm", func(b *testing.B) func() error {
			p := newPool(b, isolate.Options{})
			if err := p.Warm(b.Context()); err != nil {
				b.Fatal(err)
			}
			return func() error {
				_, err := Isolated{Runner: p}.HTML(b.Context(), raw, "text/html", "https://example.org/a")
				return err
			}
		}},
		{"cold", func(b *testing.B) func() error {
			r, err := isolate.NewRunner(isolate.Options{})
			if err != nil {
				b.Fatal(err)
			}
			return func() error {
				_, err := Isolated{Runner: r}.HTML(b.Context(), raw, "text/html", "https://example.org/a")
				return err
			}
		}},
		{"same-process", func(b *testing.B) func() error {
			return func() error {
				_, err := HTML(b.Context(), raw, "text/html", "https://example.org/a")
				return err
			}
		}},
	} {
		b.Run(c.name, func(b *testing.B) {
			do := c.run(b)
			b.SetBytes(int64(len(raw)))
			took := make([]time.Duration, 0, 1024)
			for b.Loop() {
				start := time.Now()
				if err := do(); err != nil {
					b.Fatal(err)
				}
				took = append(took, time.Since(start))
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
		})
	}
}
