package sources

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestPlainText(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, in, want string }{
		{"nothing to do", " a  b ", "a  b"},
		{"entities", "I&#x27;m &lt;b&gt; &amp; co", "I'm <b> & co"},
		{"paragraphs", "One<p>Two</p><p>Three", "One\n\nTwo\n\nThree"},
		{"inline", "a <i>very</i> <a href=\"x\">good</a>\nline", "a very good line"},
		{"code", "See:<pre><code>if x {\n  y()\n}\n</code></pre>End", "See:\n\nif x {\n  y()\n}\n\nEnd"},
		{"script", "a<script>evil()</script>b<style>p{}</style>c", "abc"},
		{"list", "<ul><li>a<li>b</ul>", "a\n\nb"},
		{"broken", "a <b c", "a"},
		{"comment", "a<!-- hidden -->b", "ab"},
		{"empty", "<p></p>", ""},
		{"not displayed", `<p>Seen.</p><div style="color:red; DISPLAY : none!important">Not <b>seen</b></div><p>Seen.`, "Seen.\n\nSeen."},
		{"hidden", `a<span hidden>x</span><i HIDDEN="">x</i><b aria-hidden=true>x</b><u popover>x</u>b`, "ab"},
		{"too small", `a<span style="font-size:0">x</span><span style='opacity:0.01'>x</span>b`, "ab"},
		{"out of sight", `a<p style="position:absolute;left:-9999px">x</p>b`, "ab"},
		{"template and dialog", "a<template>x</template><dialog>x</dialog>b<dialog open>c</dialog>", "abc"},
		{"never closed", "a<div hidden>x<div>x</div>x", "a"},
		{"closes itself", "a<ul><li hidden>x<li>b</ul>c<div hidden/>x</div>d", "a\n\nb\n\ncd"},
		{"styled", `<p style="color:#333">a <b style="margin:0">b</b></p><pre style="x:y">c
 d</pre>`, "a b\n\nc\n d"},
		{"a word", "<p>the hidden style</p>", "the hidden style"},
		{"deep", strings.Repeat("<div>", 1000) + "<p hidden>x", ""},
	} {
		if got := plainText(c.in); got != c.want {
			t.Errorf("%s: plainText(%q) = %q, want %q", c.name, c.in, got, c.want)
		}
	}
}

func FuzzPlainText(f *testing.F) {
	for _, s := range []string{"a<p>b", "<pre>x\n</pre>", "&#0;&#x110000;", "<script><script></style>", "<", "日本<br>語", "<p hidden>x<table><tr><p style=display:none>y", "<plaintext hidden>x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if got := plainText(s); utf8.ValidString(s) && !utf8.ValidString(got) {
			t.Errorf("plainText(%q) = %q", s, got)
		}
	})
}
