package extract

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestFragmentsOfSources(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, in, want string }{
		{"nothing to do", " a  b ", "a  b"},
		{"entities", "I&#x27;m &lt;b&gt; &amp; co", "I'm <b> & co"},
		{"paragraphs", "One<p>Two</p><p>Three", "One\n\nTwo\n\nThree"},
		{"inline", "a <i>very</i> <a href=\"x\">good</a>\nline", "a very good line"},
		{"code", "See:<pre><code>if x {\n  y()\n}\n</code></pre>End", "See:\n\n```\nif x {\n  y()\n}\n```\n\nEnd"},
		{"script", "a<script>evil()</script>b<style>p{}</style>c", "abc"},
		{"list", "<ul><li>a<li>b</ul>", "- a\n- b"},
		{"broken", "a <b c", "a"},
		{"comment", "a<!-- hidden -->b", "ab"},
		{"empty", "<p></p>", ""},
		{"not displayed", `<p>Seen.</p><div style="color:red; DISPLAY : none!important">Not <b>seen</b></div><p>Seen.`, "Seen.\n\nSeen."},
		{"hidden", `a<span hidden>x</span><i HIDDEN="">x</i><b aria-hidden=true>x</b><u popover>x</u>b`, "ab"},
		{"too small", `a<span style="font-size:0">x</span><span style='opacity:0.01'>x</span>b`, "ab"},
		{"out of sight", `a<p style="position:absolute;left:-9999px">x</p>b`, "ab"},
		{"template and dialog", "a<template>x</template><dialog>x</dialog>b<dialog open>c</dialog>", "ab\n\nc"},
		{"never closed", "a<div hidden>x<div>x</div>x", "a"},
		{"closes itself", "a<ul><li hidden>x<li>b</ul>c<div hidden/>x</div>d", "a\n\n- b\n\ncd"},
		{"styled", `<p style="color:#333">a <b style="margin:0">b</b></p><pre style="x:y">c
 d</pre>`, "a b\n\n```\nc\n d\n```"},
		{"a word", "<p>the hidden style</p>", "the hidden style"},
		{"exponents", "Mice had 10<sup>6</sup> cells at 3×10<sup>−9</sup> M, H<sub>2</sub>O, r<sup>2</sup>, 5<sup>th</sup> day", "Mice had 10^6 cells at 3×10^-9 M, H₂O, r², 5th day"},
		{"JATS exponents", "<jats:p>About 2<jats:sup>32</jats:sup> rows, x<jats:sub>max</jats:sub></jats:p>", "About 2^32 rows, x_max"},
		{"JATS citations", `<jats:p>It was shown<jats:sup><jats:xref ref-type="bibr" rid="b3">3</jats:xref></jats:sup> in 1999.</jats:p>`, "It was shown in 1999."},
		{"footnote mark", `It was shown<sup class="footnote-ref"><a href="#fn1">1</a></sup> in 1999`, "It was shown in 1999"},
		{"JATS sections and lists", `<jats:sec><jats:title>Aim</jats:title><jats:p>Two:</jats:p><jats:list list-type="order"><jats:list-item><jats:p>one</jats:p></jats:list-item><jats:list-item><jats:p>two</jats:p></jats:list-item></jats:list></jats:sec>`, "### Aim\n\nTwo:\n\n1. one\n2. two"},
		{"MathML with a prefix", `<jats:p>where <jats:inline-formula><jats:alternatives><jats:tex-math>\documentclass{x}\begin{document}$$k^2$$\end{document}</jats:tex-math><mml:math><mml:msup><mml:mi>k</mml:mi><mml:mn>2</mml:mn></mml:msup></mml:math></jats:alternatives></jats:inline-formula> grows</jats:p>`, "where $k^2$ grows"},
		{"MathML alone", `about <mml:math><mml:msup><mml:mn>10</mml:mn><mml:mn>6</mml:mn></mml:msup></mml:math> cells`, "about $10^{6}$ cells"},
		{"struck out", "It costs <s>5</s> <del>6</del> 7 euros", "It costs ~~5~~ ~~6~~ 7 euros"},
		{"comparison", "for n &lt; 3 &amp;&amp; m &gt; 4", "for n < 3 && m > 4"},
		{"table", "<p>Sizes:</p><table><tr><th>type</th><th>bytes</th></tr><tr><td>int</td><td>4<br>or 8</td></tr></table>", "Sizes:\n\n| type | bytes |\n|---|---|\n| int | 4 or 8 |"},
		{"link cut short", `see <a href="https:&#x2F;&#x2F;example.net&#x2F;docs&#x2F;long&#x2F;way">https:&#x2F;&#x2F;example.net&#x2F;docs&#x2F;lo...</a>.`, "see https://example.net/docs/long/way."},
		{"link cut short without its scheme", `see <a href="https://www.example.net/docs/a">example.net/do…</a>`, "see https://www.example.net/docs/a"},
		{"link with other words", `see <a href="https://example.net/docs/a">read more…</a>`, "see read more…"},
		{"deep", strings.Repeat("<div>", 1000) + "<p hidden>x", ""},
	} {
		if got := Fragment(c.in); got != c.want {
			t.Errorf("%s: Fragment(%q) = %q, want %q", c.name, c.in, got, c.want)
		}
	}
}

func TestLine(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ in, want string }{
		{" A  title\n", "A title"},
		{"Ca<sup>2+</sup> in <i>E. coli</i> &amp; yeast", "Ca²⁺ in E. coli & yeast"},
		{"<h1>One</h1><p>two<br>three</p>", "One two three"},
		{"a | b", "a | b"},
		{"a <span hidden>x</span>| b", "a | b"},
		{"Dose of 10<sup>6</sup> <s>mice</s> rats", "Dose of 10^6 ~~mice~~ rats"},
	} {
		if got := Line(c.in); got != c.want {
			t.Errorf("Line(%q) = %q, want %q", c.in, got, c.want)
		}
	}
}

func FuzzFragment(f *testing.F) {
	for _, s := range []string{"a<p>b", "<pre>x\n</pre>", "&#0;&#x110000;", "<script><script></style>", "<", "日本<br>語", "<p hidden>x<table><tr><p style=display:none>y", "<plaintext hidden>x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if got := Fragment(s); utf8.ValidString(s) && !utf8.ValidString(got) {
			t.Errorf("Fragment(%q) = %q", s, got)
		}
		if got := Line(s); utf8.ValidString(s) && (!utf8.ValidString(got) || strings.Contains(got, "\n")) {
			t.Errorf("Line(%q) = %q", s, got)
		}
	})
}
