package extract

import (
	"context"
	"strings"
	"testing"
	"time"
)

// Markup that parsers and renderers take quadratic time for: each page ends within
// the time that a child has.
func TestHostileMarkupEndsInTime(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a second for each page")
	}
	fill := func(s string, tags int) string { return strings.Repeat(s, tags/strings.Count(s, "<")) }
	const many = 120_000 // enough for quadratic cost to show, also under the race detector
	for name, raw := range map[string]string{
		"formatting":          fill("<b><i><u><font>", many),
		"formatting in items": fill("<p><b>", many),
		"misnested":           fill("<b><p></b>", many),
		"links":               fill("<a href=x>y", many),
		"links in blocks":     fill("<a><p>", many),
		"formatting names":    fill("<b class=a><i id=b><u title=c><s lang=d><em><strong><code><small><tt><big>", many),
		"scripts":             fill("<sub><sup>x", many),
		"a million elements":  strings.Repeat("<div>", 1_000_000),
		"deep tables":         strings.Repeat("<table><tr><td>", 160) + "x",
		"wide table":          "<table><tr>" + fill("<td>x", many),
		"spans":               "<table>" + fill("<tr><td colspan=1000 rowspan=1000>xxxxxxxxxx", 100_000),
		"deep lists":          fill("<ul><li>", 500) + fill("<li>x", many),
		"line breaks":         "<p>" + fill("x<br>", many),
		"sibling rules":       "<style>p~p~p~b,p+p+b,p:nth-child(7n+3) b{display:none}</style>" + fill("<p>x", many),
		"has":                 "<style>p:has(b i),div:has(~ b),:has(x){display:none}</style>" + fill("<p><i>x</i></p>", many),
		"not":                 "<style>" + strings.Repeat(":not(:has(x:nth-last-child(3 of p))) p{opacity:0}", 50) + "</style>" + fill("<p>x</p>", 100_000),
		"nested rules":        "<style>" + strings.Repeat("a,b,c,d,e,f{&,& x,", 30) + "y{display:none}",
		"nested selectors":    "<style>" + strings.Repeat(".a,.b,.c,.d{", 24) + "display:none" + strings.Repeat("}", 24) + "</style><p class=a>x",
		"is":                  "<style>" + strings.Repeat(":is(a,", 2000) + "{display:none}</style><a>x",
		"variables":           "<style>:root{" + billionLaughs() + "}p{color:var(--z9)}</style>" + fill("<p>x</p>", 20_000),
		"variables everywhere": "<style>*{" + strings.Repeat("--a:1;--b:2;--c:var(--a);", 40) + "color:var(--c)}</style>" +
			fill("<p>x</p>", 100_000),
		"calc":         "<p style='font-size:" + strings.Repeat("calc(", 50_000) + "1px'>x",
		"many styles":  fill("<p style='color:#123456;left:-1px;transform:scale(1)'>x", many),
		"hidden parts": fill("<div style='display:none' class=tab>x", 400) + fill("<div hidden>x</div>", many),
		"formulas":     fill("<math><mi>x</mi></math>", many),
		"deep formula": strings.Repeat("<math><mrow>", 240) + "x",
		"listing":      "<pre>" + fill("<span class=line>x</span>", many),
		"buttons":      fill("<h3><button>x</button></h3><div hidden>x</div>", many),
		"dialogs":      fill("<div role=dialog>cookies</div>", many) + "<main>" + lorem,
		"asides":       "<main>" + fill("<aside><a href=x>y</a></aside>", many) + lorem,
		"deep asides":  strings.Repeat("<aside>", 500) + fill("<p>x", many),
		"no landmark":  fill("<div><p>hello, world, this is, some, text</p></div>", many),
	} {
		t.Run(name, func(t *testing.T) {
			raw = raw[:min(len(raw), MaxInput)]
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			start := time.Now()
			if _, err := HTML(ctx, []byte(raw), "text/html", "https://example.org/"); err != nil {
				t.Errorf("HTML = %v", err)
			}
			// The minute above is what fails a page of quadratic cost, on a slow machine too.
			t.Logf("%v for %d kB", time.Since(start).Round(time.Millisecond), len(raw)/1000)
		})
	}
}

func billionLaughs() string {
	var b strings.Builder
	b.WriteString("--z0:red red red;")
	for i := range 9 {
		a, c := string(rune('0'+i)), string(rune('1'+i))
		b.WriteString("--z" + c + ":" + strings.Repeat("var(--z"+a+") ", 10) + ";")
	}
	return b.String()
}
