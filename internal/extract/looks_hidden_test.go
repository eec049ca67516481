package extract

import (
	"strings"
	"testing"

	"golang.org/x/net/html"
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

// Text in a box that clips is kept unless it is certain that it is out of the box.
func TestTextInClippingBoxes(t *testing.T) {
	t.Parallel()
	const shown = "The heron canary number forty two."
	const box = `<div style="height:60px;overflow:hidden">`
	for name, body := range map[string]string{
		"a flexible row":                 `<div style="display:flex;height:60px;overflow:hidden"><div style="height:60px">one</div><div style="height:60px">$</div></div>`,
		"a flexible row in a box":        box + `<div style="display:flex"><p style="height:60px">one</p><p style="height:60px">$</p></div></div>`,
		"a grid":                         `<div style="display:grid;grid-template-columns:1fr 1fr;height:60px;overflow:hidden"><p style="height:60px">one</p><p>$</p></div>`,
		"centred in a flexible box":      `<div style="display:flex;align-items:center;height:60px;overflow:hidden"><p style="padding-top:60px">$</p></div>`,
		"floats":                         box + `<div style="float:left;height:60px">one</div><div style="float:left;height:60px">$</div></div>`,
		"beside a float":                 box + `<div style="float:right;height:90px">one</div>$</div>`,
		"cells of a row":                 box + `<table><tr><td style="height:60px">one</td><td style="height:60px">$</td></tr></table></div>`,
		"cells by style":                 box + `<div style="display:table-cell;height:60px">one</div><div style="display:table-cell">$</div></div>`,
		"boxes in a line":                box + `<div style="display:inline-block;height:60px">one</div><div style="display:inline-block">$</div></div>`,
		"columns":                        `<div style="height:60px;overflow:hidden;columns:2"><p style="height:60px">one</p><p>$</p></div>`,
		"vertical lines":                 `<div style="height:60px;overflow:hidden;writing-mode:vertical-rl"><p style="height:60px">one</p><p>$</p></div>`,
		"from right to left":             `<div dir=rtl style="width:60px;overflow:hidden"><p style="margin-left:90px">$</p></div>`,
		"a negative margin":              box + `<p style="height:80px">one</p><p style="margin-top:-80px">$</p></div>`,
		"after a negative margin":        box + `<p style="height:80px">one</p><hr style="margin-top:-80px"><p>$</p></div>`,
		"after one in a block":           box + `<p style="height:80px">one</p><div><p style="margin:-80px 0 0">two</p></div><p>$</p></div>`,
		"a negative margin below":        box + `<p style="height:80px;margin-bottom:-80px">one</p><p>$</p></div>`,
		"a transform":                    box + `<p style="height:60px">one</p><p style="transform:translateY(-100%)">$</p></div>`,
		"a translation":                  box + `<p style="height:60px">one</p><div style="translate:0 -40px"><p>$</p></div></div>`,
		"relative, upwards":              box + `<p style="height:60px">one</p><p style="position:relative;bottom:60px">$</p></div>`,
		"a share of another block":       `<div style="position:relative;height:60px;overflow:hidden"><div style="position:relative;height:20px"><p style="position:absolute;top:100%">$</p></div></div>`,
		"a height that is less":          box + `<p style="height:90px;max-height:20px">one</p><p>$</p></div>`,
		"a margin of a part of a line":   box + `<span style="margin-top:90px;padding-top:90px">$</span></div>`,
		"a box that is a part of a line": `<span style="height:20px;overflow:hidden"><br><br>$</span>`,
		"a cell that grows":              `<table><tr><td style="height:20px;overflow:hidden"><br><br>$</td></tr></table>`,
		"a flexible box that grows":      `<div style="display:flex;flex-direction:column;height:900px"><div style="flex:1;height:20px;overflow:hidden"><br><br>$</div></div>`,
		"a box as high as the screen":    `<div style="height:100vh;overflow:hidden"><p style="height:800px">one</p><p>$</p></div>`,
		"a box that scrolls in a box":    `<div style="height:100px;overflow:hidden"><div style="height:100px;overflow:auto"><p style="height:300px">one</p><p>$</p></div></div>`,
		"a hanging indent":               `<div style="width:200px;overflow:hidden"><p style="padding-left:250px;text-indent:-150px">$</p></div>`,
		"what a control shows":           `<div style="height:60px;overflow:hidden"><details><summary>one</summary><p style="height:90px">two</p></details><p>$</p></div>`,
		"below what a button shows":      box + `<button>More</button><div style="display:none;height:90px">two</div><p>$</p></div>`,
		"a frame":                        `<iframe style="height:200px" srcdoc="<div style='height:500px'>one</div><p>$</p>"></iframe>`,
		"a frame whose style hides":      `<iframe style="height:200px;overflow:hidden" srcdoc="<div style='height:500px'>one</div><p>$</p>"></iframe>`,
		"frames side by side":            box + `<iframe style="height:60px" srcdoc="<p>one</p>"></iframe><iframe style="height:60px" srcdoc="<p>$</p>"></iframe></div>`,
	} {
		page := extracted(t, "", "<article>"+lorem+strings.ReplaceAll(body, "$", shown)+lorem+"</article>")
		if !strings.Contains(page.Text, shown) {
			t.Errorf("%s: %q is lost", name, shown)
		}
	}
}

// An element that is not drawn, or that does not reach over all of the block, covers nothing.
func TestCoversThatCoverNothing(t *testing.T) {
	t.Parallel()
	const shown = "The heron canary number forty two."
	const c = "position:absolute;inset:0;background:#fff"
	in := func(cover string) string { return `<div style="position:relative"><p>$</p>` + cover + `</div>` }
	for name, body := range map[string]string{
		"shown by the mouse":           `<style>.c{` + c + `;display:none}.w:hover .c{display:block}</style><div class=w style="position:relative"><p>$</p><div class=c></div></div>`,
		"hidden":                       in(`<div hidden style="` + c + `">x</div>`),
		"in a hidden element":          in(`<div hidden><div style="` + c + `">x</div></div>`),
		"a closed dialog":              in(`<dialog style="` + c + `">x</dialog>`),
		"a closed dialog, aria-hidden": in(`<dialog aria-hidden=true style="` + c + `">x</dialog>`),
		"a popover":                    in(`<div popover style="` + c + `">x</div>`),
		"in closed details":            in(`<details><summary>More</summary><div style="` + c + `">x</div></details>`),
		"what a button shows":          in(`<button>More</button><div style="` + c + `;display:none">x</div>`),
		"scaled to nothing":            in(`<div style="` + c + `;transform:scaleX(0)"></div>`),
		"moved away":                   in(`<div style="` + c + `;transform:translateY(100%)"></div>`),
		"moved away with its parent":   in(`<div style="transform:translateY(100%)"><div style="` + c + `"></div></div>`),
		"clipped":                      in(`<div style="` + c + `;clip-path:inset(100%)"></div>`),
		"of a half":                    in(`<div style="` + c + `;clip-path:inset(50% 0 0)"></div>`),
		"that fades out":               `<style>@keyframes f{to{opacity:0}}</style>` + in(`<div style="`+c+`;animation:f 1s forwards"></div>`),
		"that the mouse takes away":    in(`<div style="` + c + `;transition:opacity 1s"></div>`),
		"half transparent":             in(`<div style="` + c + `;opacity:.9"></div>`),
		"in a transparent element":     in(`<div style="opacity:.3"><div style="` + c + `"></div></div>`),
		"that multiplies":              in(`<div style="` + c + `;mix-blend-mode:multiply"></div>`),
		"a small element":              in(`<div style="` + c + `;width:50px;height:50px;margin:auto"></div>`),
		"of a greatest width":          in(`<div style="` + c + `;max-width:50px"></div>`),
		"with a margin":                in(`<div style="` + c + `;margin-top:200px"></div>`),
		"to the left":                  in(`<div style="position:absolute;top:0;left:-300px;width:100%;height:100%;background:#fff"></div>`),
		"of a lower block":             `<div style="position:relative;height:10px"><p>x</p><p>$</p><div style="` + c + `"></div></div>`,
		"of a block without a float":   `<div style="position:relative"><p style="float:left">$</p><div style="` + c + `"></div></div>`,
		"of a block that scrolls":      `<div style="position:relative;overflow:auto"><p>$</p><div style="` + c + `"></div></div>`,
		"below an opaque layer":        `<div style="position:relative"><div style="` + c + `"></div><p style="opacity:.99">$</p></div>`,
		"below what is transformed":    `<div style="position:relative"><div style="` + c + `"></div><p style="transform:scale(1)">$</p></div>`,
	} {
		page := extracted(t, "", "<article>"+lorem+strings.ReplaceAll(body, "$", shown)+lorem+"</article>")
		if !strings.Contains(page.Text, shown) {
			t.Errorf("%s: %q is lost", name, shown)
		}
	}
}

// A block is visited once, however many elements cover it.
func TestManyCovers(t *testing.T) {
	t.Parallel()
	const blocks = 500
	one := `<p>x</p><div style="position:absolute;inset:0;background:#fff"></div>`
	doc, err := html.Parse(strings.NewReader(`<script>let a</script><div style="position:relative">` + strings.Repeat(one, blocks) +
		`<div style="position:relative">` + strings.Repeat(one, blocks) + `</div></div>`))
	if err != nil {
		t.Fatal(err)
	}
	nodes := 0
	groups := walk(doc).groups
	for _, g := range groups {
		nodes += len(g.nodes)
	}
	if len(groups) != 2 || nodes != 2*blocks {
		t.Errorf("%d texts in %d groups, want %d in 2", nodes, len(groups), 2*blocks)
	}
}

// Text that an animation hides only for a part of the time, or at its start, is kept.
func TestAnimationsThatShowText(t *testing.T) {
	t.Parallel()
	const shown = "The heron canary number forty two."
	const out, in = "@keyframes f{to{opacity:0}}", "@keyframes f{from{opacity:0}to{opacity:1}}"
	for name, c := range map[string][2]string{
		"backwards":                    {out, "animation:f 1s reverse forwards"},
		"there and back":               {out, "animation:f 1s alternate 2 forwards"},
		"there and back, longhand":     {out, "animation:f 1s 2 forwards;animation-direction:alternate"},
		"half of it":                   {out, "animation:f 1s 0.5 forwards"},
		"never":                        {out, "animation:f 1s 0 forwards"},
		"important":                    {out, "opacity:1!important;animation:f 1s forwards"},
		"important in a frame":         {"@keyframes f{to{opacity:0!important}}", "animation:f 1s forwards"},
		"half of the time":             {"@keyframes f{50%{opacity:1}to{opacity:0}}", "animation:f 1s step-start infinite"},
		"with a first frame's timing":  {"@keyframes f{from{animation-timing-function:linear}to{opacity:0}}", "animation:f 9s step-start infinite"},
		"jumping there and back":       {out, "animation:f 1s step-start infinite alternate"},
		"jumping, once a day":          {in, "animation:f 86400s step-start"},
		"a fill mode that is replaced": {out, "animation:f 1s forwards;animation-fill-mode:none"},
		"by the scrolling":             {out, "animation:f linear both;animation-timeline:view()"},
		"two":                          {out + "@keyframes g{to{opacity:1}}", "animation:f 1s forwards,g 1s forwards"},
		"two for ever":                 {"@keyframes f{from,to{opacity:0}}@keyframes g{from,to{opacity:1}}", "animation:f 1s infinite,g 1s infinite"},
		"after an hour":                {out, "animation:f 500s 8 forwards"},
		"that shows it soon":           {"@keyframes f{from{opacity:0}1%,to{opacity:1}}", "animation:f 700s infinite"},
		"paused in the middle":         {in, "animation:f 10s -9s paused"},
		"paused before it begins":      {in, "animation:f 1s 5s paused"},
		"from side to side":            {"@keyframes f{from{margin-left:-9999px}to{margin-left:9999px}}", "animation:f 9s infinite"},
		"across the screen":            {"@keyframes f{from{transform:translateX(-2000px)}to{transform:translateX(2000px)}}", "animation:f 9s linear infinite"},
		"across, by its own width":     {"@keyframes f{from{transform:translateX(-200%)}to{transform:translateX(200%)}}", "animation:f 9s infinite"},
		"by shares of the screen":      {"@keyframes f{from{left:-100%}to{left:200%}}", "position:relative;animation:f 9s infinite"},
		"turning":                      {"@keyframes f{from{transform:rotateY(90deg)}to{transform:rotateY(-90deg)}}", "animation:f 9s infinite"},
		"uncovering":                   {"@keyframes f{from{clip-path:inset(0 100% 0 0)}to{clip-path:inset(0 0 0 100%)}}", "animation:f 9s infinite"},
	} {
		page := extracted(t, "<style>"+c[0]+"</style>", "<article>"+lorem+`<p style="`+c[1]+`">`+shown+"</p>"+lorem+"</article>")
		if !strings.Contains(page.Text, shown) {
			t.Errorf("%s: %q is lost", name, shown)
		}
	}
}
