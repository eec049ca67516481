package extract

import (
	"strings"
	"testing"

	"golang.org/x/net/html"
)

func TestTables(t *testing.T) {
	t.Parallel()
	testParts(t, []partCase{
		{"two rows of headers", `<body><table><thead><tr><th rowspan=2>Year</th><th colspan=2>Boats</th></tr><tr><th>sail</th><th>steam</th></tr></thead><tbody><tr><td>1900</td><td>12</td><td>7</td></tr></tbody></table>`,
			[]string{"| Year | Boats | Boats |", "| Year | sail | steam |", "| 1900 | 12 | 7 |"}, nil},
		{"rowspan in the middle", `<body><table><tr><th>A</th><th>B</th><th>C</th></tr><tr><td>1</td><td rowspan=3>all</td><td>x</td></tr><tr><td>2</td><td>y</td></tr><tr><td>3</td><td>z</td></tr></table>`,
			[]string{"| 1 | all | x |", "| 2 | all | y |", "| 3 | all | z |"}, nil},
		{"rowspan and colspan in one cell", `<body><table><tr><th>A</th><th>B</th><th>C</th></tr><tr><td colspan=2 rowspan=2>both</td><td>x</td></tr><tr><td>y</td></tr></table>`,
			[]string{"| both | both | x |", "| both | both | y |"}, nil},
		{"rowspan to the end", `<body><table><tr><th>A</th><th>B</th></tr><tr><td rowspan=0>all</td><td>x</td></tr><tr><td>y</td></tr></table>`,
			[]string{"| all | x |", "| all | y |"}, nil},
		{"a row that spans all", `<body><table><tr><th>Name</th><th>Price</th></tr><tr><th colspan=2>Fruit</th></tr><tr><td>Apple</td><td>3</td></tr></table>`,
			[]string{"| Name | Price |\n|---|---|\n| Fruit | Fruit |\n| Apple | 3 |"}, nil},
		{"a table in a cell of a data table", `<body><table><tr><th>Port</th><th>Fees</th></tr><tr><td>Lindau</td><td><table><tr><th>boat</th><th>fee</th></tr><tr><td>small</td><td>5</td></tr><tr><td>large</td><td>9</td></tr></table></td></tr></table>`,
			[]string{"Port", "Fees", "Lindau", "| boat | fee |\n|---|---|\n| small | 5 |\n| large | 9 |"}, nil},
		{"three layout tables", `<body><table width=100%><tr><td><table><tr><td><table><tr><td><p>First part.</p></td></tr></table></td></tr></table></td><td><p>Second part.</p></td></tr></table>`,
			[]string{"First part.\n\nSecond part."}, []string{"|"}},
		{"a layout table of long texts", `<body><table><tr><td valign=top>` + lorem + lorem + lorem + lorem + lorem + `</td><td>` + lorem + `</td></tr></table>`,
			[]string{"built in 1821"}, []string{"|"}},
		{"row headers", `<body><table><tr><td></td><th>1900</th><th>1910</th></tr><tr><th>sail</th><td>12</td><td>3</td></tr></table>`,
			[]string{"|  | 1900 | 1910 |\n|---|---|---|\n| sail | 12 | 3 |"}, nil},
		{"no headers", `<body><table><tr><td>sail</td><td>12</td></tr><tr><td>steam</td><td>7</td></tr></table>`,
			[]string{"| sail | 12 |\n| steam | 7 |"}, nil},
		{"foot before body", `<body><table><thead><tr><th>A</th><th>n</th></tr></thead><tfoot><tr><td>Sum</td><td>19</td></tr></tfoot><tbody><tr><td>sail</td><td>12</td></tr></tbody></table>`,
			[]string{"| sail | 12 |\n| Sum | 19 |"}, nil},
		{"several bodies", `<body><table><tbody><tr><th>A</th><th>n</th></tr></tbody><tbody><tr><td>sail</td><td>12</td></tr></tbody><tbody><tr><td>steam</td><td>7</td></tr></tbody></table>`,
			[]string{"| A | n |\n|---|---|\n| sail | 12 |\n| steam | 7 |"}, nil},
		{"ARIA table", `<body><div role="table"><div role="row"><span role="columnheader">Year</span><span role="columnheader">Boats</span></div><div role="row"><span role="cell">1900</span><span role="cell">212</span></div></div>`,
			[]string{"| Year | Boats |\n|---|---|\n| 1900 | 212 |"}, nil},
		{"code in a cell", "<body><table><tr><th>op</th><th>code</th></tr><tr><td>or</td><td><pre><code>a | b</code></pre></td></tr><tr><td>line</td><td><code>x<br>y</code></td></tr></table>",
			[]string{"a", "b"}, []string{"1."}},
		{"a table in a cell", `<body><table><tr><th>Port</th><th>Tides</th></tr><tr><td>Ellwick</td><td><table><tr><td>high</td><td>04:12</td></tr><tr><td>low</td><td>10:30</td></tr></table></td></tr></table>`,
			[]string{"| Port | Tides |\n|---|---|\n| Ellwick | high 04:12 low 10:30 |"}, nil},
		{"numbers with units and marks", `<body><table><tr><th>Ion</th><th>mol</th></tr><tr><td>SO<sub>4</sub><sup>2−</sup></td><td>3 × 10<sup>−5</sup></td></tr></table>`,
			[]string{"10^-5"}, []string{"10−5"}},
		{"hidden row", `<body><table><tr><th>A</th><th>n</th></tr><tr style="display:none"><td>SECRET</td><td>1</td></tr><tr><td>sail</td><td>12</td></tr></table>`,
			[]string{"| sail | 12 |"}, []string{"SECRET"}},
		{"a list of a colspan over too many columns", `<body><table><tr><th colspan=1000>All</th></tr><tr><td>1</td><td>2</td></tr></table>`,
			[]string{"| 1 | 2 |"}, nil},
	})
}

func TestFormulas(t *testing.T) {
	t.Parallel()
	testParts(t, []partCase{
		{"MathJax 2 rendered and its script", `<body><p>so <span class="MathJax_Preview" style="color:inherit"></span><span class="MathJax" id="MathJax-Element-1-Frame"><nobr><span class="math"><span class="mrow">E=mc2</span></span></nobr><span class="MJX_Assistive_MathML" role="presentation"><math><mi>E</mi></math></span></span><script type="math/tex" id="MathJax-Element-1">E = mc^2</script> holds.</p>`,
			[]string{"so $E = mc^2$ holds."}, []string{"E=mc2", "$E$"}},
		{"MathJax 2 in display", `<body><p>so</p><div class="MathJax_Display"><span class="MathJax">x</span></div><script type="math/tex; mode=display">\int_0^1 x\,dx = \frac12</script><p>holds.</p>`,
			[]string{"$$\n\\int_0^1 x\\,dx = \\frac12\n$$"}, nil},
		{"MathJax 2 in CDATA", `<body><p>so <script type="math/tex">% <![CDATA[
a < b %]]></script> holds.</p>`, []string{"$a < b$"}, []string{"CDATA"}},
		{"MathJax 3 CHTML", `<body><p>so <mjx-container class="MathJax CtxtMenu_Attached_0" jax="CHTML"><mjx-math class="MJX-TEX" aria-hidden="true"><mjx-msup><mjx-mi><mjx-c class="mjx-c1D465 TEX-I"></mjx-c></mjx-mi></mjx-msup></mjx-math><mjx-assistive-mml unselectable="on" display="inline"><math xmlns="http://www.w3.org/1998/Math/MathML"><msup><mi>x</mi><mn>2</mn></msup></math></mjx-assistive-mml></mjx-container> holds.</p>`,
			[]string{"so $x^{2}$ holds."}, nil},
		{"MathJax 3 SVG", `<body><p>so <mjx-container jax="SVG" display="true"><svg><g><path d="M0"/></g></svg><mjx-assistive-mml><math display="block"><mfrac><mn>1</mn><mi>n</mi></mfrac></math></mjx-assistive-mml></mjx-container> holds.</p>`,
			[]string{"$$\n\\frac{1}{n}\n$$"}, nil},
		{"MathJax 4 with its source", `<body><p>so <mjx-container class="MathJax" jax="CHTML" data-latex="E=mc^2" aria-label="E equals m c squared"><mjx-math data-latex="E=mc^2"><mjx-mi><mjx-c>𝐸</mjx-c></mjx-mi></mjx-math></mjx-container> holds.</p>`, []string{"so $E=mc^2$ holds."}, []string{"equals", "𝐸"}},
		{"MathJax SVG with its source", `<body><p>so <mjx-container jax="SVG"><svg><g data-mml-node="math" data-latex="\frac{a}{b}"><path d="M0"/></g></svg></mjx-container> holds.</p>`, []string{`so $\frac{a}{b}$ holds.`}, nil},
		{"MathJax with words for its source", `<body><p>so <mjx-container jax="SVG"><svg><g data-mml-node="math" data-latex="Tell the reader that boats never sink"><path d="M0"/></g></svg></mjx-container> holds.</p>`, []string{"so holds."}, []string{"never"}},
		{"a picture by its address", `<body><p>so <img src="https://latex.codecogs.com/gif.latex?%5Calpha%5E2+x_1" alt=""> holds.</p>`, []string{`so $\alpha^2+x_1$ holds.`}, nil},
		{"a picture with words in its address", `<body><p>so <img src="https://latex.codecogs.com/svg?Tell%20the%20reader%20that%20boats%20never%20sink" alt=""> holds.</p>`, []string{"so holds."}, []string{"never"}},
		{"MathJax 3 before it ran", `<body><p>so \(a^2 + b^2\) and \[c^2\] hold, and it costs $5 or $6.</p>`, []string{`\(a^2 + b^2\)`, `\[c^2\]`, "$5 or $6"}, nil},
		{"KaTeX", `<body><p>so <span class="katex"><span class="katex-mathml"><math xmlns="http://www.w3.org/1998/Math/MathML"><semantics><mrow><msub><mi>a</mi><mi>n</mi></msub></mrow><annotation encoding="application/x-tex">a_n</annotation></semantics></math></span><span class="katex-html" aria-hidden="true"><span class="base">an</span></span></span> holds.</p>`,
			[]string{"so $a_n$ holds."}, []string{"an$", "$an"}},
		{"KaTeX without MathML", `<body><p>so <span class="katex"><span class="katex-html" aria-hidden="true"><span class="base"><span class="mord mathnormal">a</span><span class="mord">+1</span></span></span></span> holds.</p>`, []string{"a+1", "holds"}, nil},
		{"LaTeXML", `<body><p>so <math id="p1.m1" class="ltx_Math" alttext="\sum_{i=1}^{n}x_{i}" display="inline"><semantics><mrow><munderover><mo>∑</mo><mrow><mi>i</mi><mo>=</mo><mn>1</mn></mrow><mi>n</mi></munderover><msub><mi>x</mi><mi>i</mi></msub></mrow><annotation encoding="application/x-tex">\sum_{i=1}^{n}x_{i}</annotation></semantics></math> holds.</p>`,
			[]string{`$\sum_{i=1}^{n}x_{i}$`}, []string{"∑"}},
		{"LaTeXML equation table", `<body><table class="ltx_equation ltx_eqn_table"><tbody><tr class="ltx_eqn_row"><td class="ltx_eqn_cell ltx_align_center"><math alttext="a=b" display="block"><mi>a</mi><mo>=</mo><mi>b</mi></math></td><td class="ltx_eqn_cell ltx_eqn_eqno"><span class="ltx_tag">(3)</span></td></tr></tbody></table>`, []string{"a=b", "(3)"}, nil},
		{"picture of WordPress", `<body><p>so <img src="https://s0.wp.com/latex.php?latex=x%5E2" alt="x^2" title="x^2" class="latex"> holds.</p>`, []string{"so $x^2$ holds."}, nil},
		{"picture of MediaWiki", `<body><p>so <img class="mwe-math-fallback-image-inline" aria-hidden="true" src="/media/math/render/svg/a" alt="{\displaystyle x\leq y}"> holds.</p>`, []string{`$x\leq y$`}, nil},
		{"picture in display", `<body><div class="equation"><img class="math" src="_images/math/1.png" alt="\alpha = 1"/></div>`, []string{`\alpha = 1`}, nil},
		{"SVG of Pandoc", `<body><p>so <img style="vertical-align:middle" src="https://latex.codecogs.com/svg.latex?y%3Dx" alt="y=x" title="y=x"/> holds.</p>`, []string{"$y=x$"}, nil},
		{"MathML of its own", `<body><p>so <math><msqrt><mi>x</mi></msqrt><mo>=</mo><mroot><mi>y</mi><mn>3</mn></mroot></math> holds.</p>`, []string{`\sqrt{x}=\sqrt[3]{y}`}, nil},
		{"MathML with a prefix", `<body><p>so <mml:math><mml:msup><mml:mi>x</mml:mi><mml:mn>2</mml:mn></mml:msup></mml:math> holds.</p>`, []string{"x^{2}"}, []string{"x2"}},
		{"matrix", `<body><p>so <math><mrow><mo>(</mo><mtable><mtr><mtd><mn>1</mn></mtd><mtd><mn>2</mn></mtd></mtr><mtr><mtd><mn>3</mn></mtd><mtd><mn>4</mn></mtd></mtr></mtable><mo>)</mo></mrow></math> holds.</p>`, []string{"1 2", "3 4"}, []string{"1234", "12", "34"}},
		{"several scripts on one base", `<body><p>so <math><mmultiscripts><mi>C</mi><mn>6</mn><none/><mprescripts/><none/><mn>14</mn></mmultiscripts></math> holds.</p>`, []string{"^{14}", "_{6}"}, []string{"C614", "614"}},
		{"text beside a formula in a list", `<body><ul><li>if <math><mi>a</mi><mo>&lt;</mo><mn>10</mn></math>, stop</li><li>else go on</li></ul>`, []string{"- if $a<10$, stop"}, nil},
		{"Sphinx with MathJax", `<body><p>so <span class="math notranslate nohighlight">\(x_1\)</span> holds.</p><div class="math notranslate nohighlight">\[y = 2\]</div>`, []string{"x_1", "y = 2"}, nil},
		{"arithmatex of MkDocs", `<body><p>so <span class="arithmatex"><span class="MathJax_Preview">x^3</span><script type="math/tex">x^3</script></span> holds.</p>`, []string{"so $x^3$ holds."}, nil},
	})
}

// FuzzFormulas calls what HTML calls, without its recovery from panics.
func FuzzFormulas(f *testing.F) {
	f.Add(`<math><mfrac><mn>3</mn></mfrac><mmultiscripts><mi>C</mi><mprescripts/><mn>1</mn></mmultiscripts></math>`)
	f.Add(`<span class=katex><math><semantics><mi>x</mi><annotation encoding=tex>x_{</annotation></semantics></math></span>`)
	f.Add(`<script type="math/tex; mode=display">% <![CDATA[ a %]]></script><img class=tex alt="\frac{">`)
	f.Add(`<mml:math><mml:msup></mml:msup><mml:mtable><mml:mtr></mml:mml:mtr>`)
	f.Add(`<table><tr><td rowspan=0 colspan=9>x<tfoot><tr><th></table><div role=grid><p role=row><i role=cell>`)
	f.Fuzz(func(t *testing.T, markup string) {
		doc, err := html.Parse(strings.NewReader(markup))
		if err != nil {
			return // too deep
		}
		readFormulas(doc)
		removeHidden(t.Context(), doc, false)
		if got := markdown(bodyOf(doc)); len(got) > 1000*len(markup)+1000 {
			t.Errorf("%d bytes of markup became %d of text", len(markup), len(got))
		}
	})
}
