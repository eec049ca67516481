package extract

import (
	"strings"
	"testing"
)

// What a reader sees, or sees after a while, a click or a movement of the mouse, is kept.
func TestWhatLooksHidden(t *testing.T) {
	t.Parallel()
	const shown = "The heron canary number forty two."
	for name, c := range map[string][2]string{
		"fade in":                         {`<style>@keyframes f{from{opacity:0}to{opacity:1}}.x{animation:f 1s 2s both}</style>`, `<p class=x>$</p>`},
		"pulse":                           {`<style>@keyframes f{from{opacity:1}50%{opacity:0}to{opacity:1}}.x{animation:f 1s infinite}</style>`, `<p class=x>$</p>`},
		"blink":                           {`<style>@keyframes f{to{visibility:hidden}}.x{animation:f 1s steps(2) infinite}</style>`, `<p class=x>$</p>`},
		"a later animation of that name":  {`<style>@keyframes f{to{opacity:0}}@keyframes f{to{opacity:1}}.x{animation:f 1s forwards}</style>`, `<p class=x>$</p>`},
		"paused until a script runs":      {`<script src=a.js></script><style>@keyframes f{from{opacity:0}}.x{animation:f 1s paused}</style>`, `<p class=x>$</p>`},
		"columns":                         {"", `<table><col style="visibility:visible"><col style="visibility:hidden"><tr><td>one<td>$</tr></table>`},
		"beside a collapsed column":       {"", `<table><col style="visibility:collapse"><tr><td>gone<td>$<tr><td colspan=2>both</table>`},
		"margins that collapse":           {"", `<div style="height:60px;overflow:hidden"><div style="margin-top:40px"><p style="margin-top:40px">$</p></div></div>`},
		"an absolute element":             {"", `<div style="height:20px;overflow:hidden"><p style="position:absolute;top:300px">$</p></div>`},
		"a box that scrolls":              {"", `<div style="height:200px;overflow:auto"><div style="height:500px"></div><p>$</p></div>`},
		"read more":                       {"", `<div style="height:60px;overflow:hidden"><div style="height:100px">one</div><p>$</p></div><button>Read more</button>`},
		"a carousel":                      {"", `<div class="carousel-inner" style="position:relative;width:300px;overflow:hidden"><p style="position:absolute;left:300px">$</p></div>`},
		"a caption that slides in":        {"", `<div style="position:relative;height:90px;overflow:hidden"><p style="position:absolute;top:100%;transition:top 1s">$</p></div>`},
		"the rest of a row":               {"", `<div style="height:60px;overflow:hidden"><p style="height:20px">one</p><p>$</p></div>`},
		"a definition by a script":        {`<script>customElements.define("x-note", class extends HTMLElement {})</script><style>:not(:defined){display:none}</style>`, `<x-note>$</x-note>`},
		"a definition by another file":    {`<script type=module src=a.js></script><style>:not(:defined){visibility:hidden}</style>`, `<x-note>$</x-note>`},
		"defined":                         {`<style>p:not(:defined){display:none}</style>`, `<p>$</p>`},
		"a cover that a script takes off": {`<script src=a.js></script>`, `<div style="position:relative"><p>$</p><div style="position:absolute;inset:0;background:#fff">Loading</div></div>`},
		"a veil":                          {"", `<div style="position:relative"><p>$</p><div style="position:absolute;inset:0;background:rgba(0,0,0,.2)"></div></div>`},
		"text on a cover":                 {"", `<div style="position:relative"><div style="position:absolute;inset:0;background:#fff"><p>$</p></div></div>`},
		"above a cover":                   {"", `<div style="position:relative"><div style="position:absolute;inset:0;background:#fff"></div><p style="position:relative">$</p></div>`},
		"behind a cover of half":          {"", `<div style="position:relative"><p>$</p><div style="position:absolute;top:0;left:0;width:100%;height:50%;background:#fff"></div></div>`},
	} {
		page := extracted(t, c[0], "<article>"+lorem+strings.ReplaceAll(c[1], "$", shown)+lorem+"</article>")
		if !strings.Contains(page.Text, shown) {
			t.Errorf("%s: %q is lost", name, shown)
		}
	}
}
