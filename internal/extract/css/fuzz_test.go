package css

import (
	"math"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

const fuzzPage = `<div id=a class="x y"><p class=q lang=en title="t u">one <b>two</b></p><ul><li>1<li>2<li>3</ul><input checked disabled></div>`

// FuzzCascade resolves a style sheet and an inline style for each element of a page:
// tokens, rules, selectors, conditions, variables and values.
func FuzzCascade(f *testing.F) {
	f.Add(".x{display:none}", "color:#fff;font:0/0 a")
	f.Add("@media (min-width:1px) and (not (hover)){p:nth-child(2n+1 of .q):not(:has(> b)){opacity:calc(1 - var(--o,1))}}", "--o:var(--o)")
	f.Add("@layer a,b;@layer a{#a{& p,:is(.x .y) > *{clip-path:inset(0 0 calc(100%))}}}@scope (.x) to (b){:scope{all:unset}}", "transform:matrix(0,0,0,0,0,0)")
	f.Add("@supports not (display:bogus){[title~='t' i]::before{color:rgb(from red r g b / 2%)}}@keyframes k{to{opacity:0}}", "animation:k 1s forwards")
	f.Add("@keyframes k{from,50%{opacity:0!important}to{opacity:0}}", "animation:k 1s -.5s 2 alternate both,k;animation-direction:reverse")
	f.Add("/*<!-- \\000041 {[;}]))\"", "background:linear-gradient(oklch(1 0 0),color-mix(in srgb,red,blue))")
	f.Fuzz(func(t *testing.T, sheet, inline string) {
		doc, err := html.Parse(strings.NewReader(fuzzPage))
		if err != nil {
			t.Fatal(err)
		}
		c := New([]string{sheet})
		var style Style
		for n := range doc.Descendants() {
			if n.Type != html.ElementNode {
				continue
			}
			n.Attr = append(n.Attr, html.Attribute{Key: "style", Val: inline})
			for _, vague := range []bool{false, true} {
				c.Style(n, c.Root(), &style, vague)
				for p := range numProps {
					v := style.Get(p)
					if l, ok := v.Length(Units{Em: 16, Rem: 16, Percent: 100}, false); ok && math.IsNaN(l) {
						t.Errorf("property %d of %q is not a number", p, inline)
					}
					v.Color(RGBA{})
					v.Image(RGBA{})
					for _, fn := range v.Functions() {
						fn.Points(Units{}, Units{})
					}
				}
				if a, ok := c.Animation(&style); ok {
					for frame := LastFrame; frame < c.Frames(a); frame++ {
						c.Frame(a, frame, &style)
					}
				}
			}
		}
	})
}

func FuzzColor(f *testing.F) {
	for _, s := range []string{"#fff", "#12345678", "rgb(1 2 3/4%)", "hsl(120deg,1%,2%)", "hwb(0.5turn 1% 2%)", "lab(1 2 3)", "oklch(.5 .2 90)", "color(display-p3 1 0 0)",
		"color-mix(in oklab longer hue,red 20%,blue)", "light-dark(red,blue)", "rebeccapurple", "currentcolor", "rgb(calc(1/0) none infinity)"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		c, known := AttributeColor(s)
		if known && (math.IsNaN(c.R) || math.IsNaN(c.G) || math.IsNaN(c.B) || math.IsNaN(c.A)) {
			t.Errorf("%q is the colour %v", s, c)
		}
	})
}
