package sources

import (
	"strings"
	"testing"
)

// The folder's files are decoded, converted and cleaned as pages are.
func TestFilesOfManyKinds(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, "loads.ipynb", `{"cells":[{"cell_type":"markdown","source":["# Heron loads\n","The heron weighs 2 kg."]},{"cell_type":"code","source":"x","outputs":[{"data":{"image/png":"`+strings.Repeat("iVBORw0KGgo", 400_000)+`"}}]}],"nbformat":4}`)
	write(t, dir, "letter.eml", "From: anna@example.org\nSubject: Heron count\nContent-Type: text/html; charset=windows-1252\nContent-Transfer-Encoding: quoted-printable\n\n<p>Gr=F6=DFer: 12 herons.</p>")
	write(t, dir, "utf16.txt", "\xFF\xFE"+encodedFeed(t, "utf-16le", "The heron in Köln"))
	write(t, dir, "gbk.txt", encodedFeed(t, "gbk", "苍鹭 heron 站在水边，大桥因维修关闭至九月底，请绕行北岸公路。"))
	write(t, dir, "hidden.md", "The he\u200bron\U000E0041 stands\u00ad still")
	write(t, dir, "guide.rst", "Heron guide\n===========\n\n.. note:: Keep still.\n")
	got := map[string]string{}
	for _, d := range find(t, openFiles(t, dir), "heron") {
		got[d.Meta["path"]] = d.Title + ": " + d.Text + " " + d.Meta["warning"]
		if d.Truncated {
			t.Errorf("%s is truncated", d.Meta["path"])
		}
	}
	for path, want := range map[string]string{
		"loads.ipynb": "Heron loads: # Heron loads\nThe heron weighs 2 kg.\n\n```\nx\n```",
		"letter.eml":  "Heron count: # Heron count\n\n- From: anna@example.org\n\nGrößer: 12 herons.",
		"utf16.txt":   "utf16.txt: The heron in Köln",
		"gbk.txt":     "gbk.txt: 苍鹭 heron 站在水边，大桥因维修关闭至九月底，请绕行北岸公路。 no character encoding is declared: gb18030 was guessed",
		"hidden.md":   "hidden.md: The heron stands still",
		"guide.rst":   "Heron guide: # Heron guide",
	} {
		if !strings.HasPrefix(got[path], want) {
			t.Errorf("%s: %q, want %q", path, got[path], want)
		}
	}
}
