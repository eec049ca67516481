package extract

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/isolate"
)

const openSpaces = `xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" xmlns:text="urn:t" xmlns:table="urn:b" xmlns:style="urn:s" xmlns:fo="urn:f" xmlns:draw="urn:d" xmlns:xlink="urn:x" xmlns:dc="urn:c"`

// odf returns an OpenDocument file of a kind: text, spreadsheet or presentation.
func odf(t testing.TB, kind, body string, parts ...string) []byte {
	t.Helper()
	return zipped(t, append([]string{"mimetype", "application/vnd.oasis.opendocument." + kind,
		"content.xml", xmlHead + `<office:document-content ` + openSpaces + `><office:automatic-styles>` +
			`<style:style style:name="up"><style:text-properties style:text-position="super 58%"/></style:style><style:style style:name="low"><style:text-properties style:text-position="-33% 58%"/></style:style>` +
			`<style:style style:name="out"><style:text-properties style:text-line-through-style="solid"/></style:style><style:style style:name="gone"><style:text-properties text:display="none"/></style:style>` +
			`<style:style style:name="pale"><style:text-properties fo:color="#ffffff"/></style:style><style:style style:name="P1" style:parent-style-name="Preformatted_20_Text"/>` +
			`<text:list-style style:name="L"><text:list-level-style-number text:level="1" style:num-format="1" text:start-value="2"/><text:list-level-style-bullet text:level="2"/></text:list-style></office:automatic-styles>` +
			`<office:body><office:` + kind + `>` + body + `</office:` + kind + `></office:body></office:document-content>`,
		"meta.xml", xmlHead + `<office:document-meta ` + openSpaces + `><office:meta><dc:title>A harbour</dc:title><dc:language>en-GB</dc:language><dc:date>2024-03-02T10:00:00</dc:date></office:meta></office:document-meta>`}, parts...)...)
}

func TestDocumentReadsOpenDocument(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, kind, body, want string }{
		{"headings and scripts", "text", `<text:p text:style-name="Title">A harbour</text:p><text:h text:outline-level="2">Its walls</text:h><text:p>Mice got 10<text:span text:style-name="up">6</text:span> cells, H<text:span text:style-name="low">2</text:span>O<text:s text:c="3"/>and <text:span text:style-name="out">no</text:span>.</text:p>`,
			"# A harbour\n\n## Its walls\n\nMice got 10^6 cells, H₂O and ~~no~~."},
		{"lists", "text", `<text:list text:style-name="L"><text:list-item><text:p>two</text:p><text:list><text:list-item><text:p>a point</text:p></text:list-item></text:list></text:list-item><text:list-item><text:p>three</text:p></text:list-item></text:list>`,
			"2. two\n   - a point\n3. three"},
		{"a table", "text", `<table:table table:name="Table1"><table:table-header-rows><table:table-row><table:table-cell><text:p>Town</text:p></table:table-cell><table:table-cell><text:p>Boats</text:p></table:table-cell></table:table-row></table:table-header-rows>` +
			`<table:table-row><table:table-cell table:number-columns-spanned="2"><text:p>none</text:p></table:table-cell><table:covered-table-cell/></table:table-row></table:table>`, "| Town | Boats |\n|---|---|\n| none | none |"},
		{"code", "text", `<text:p text:style-name="P1">if x {</text:p><text:p text:style-name="P1"><text:s text:c="2"/>go()</text:p>`, "```\nif x {\n  go()\n```"},
		{"a footnote", "text", `<text:p>Built in 1821<text:note text:note-class="footnote"><text:note-citation>1</text:note-citation><text:note-body><text:p>See there.</text:p></text:note-body></text:note>.</text:p>`, "Built in 1821[^1].\n\n[^1]: See there."},
		{"what is not seen", "text", `<text:tracked-changes><text:p>deleted</text:p></text:tracked-changes><text:p>seen<text:span text:style-name="gone"> ignore</text:span><text:span text:style-name="pale"> all</text:span></text:p>`, "seen"},
		{"a formula", "text", `<text:p>so <draw:frame><draw:object xlink:href="./Object 1"/></draw:frame></text:p>`, `so $\frac{a}{b}$`},
		{"a sheet", "spreadsheet", `<table:table table:name="Boats"><table:table-row><table:table-cell><text:p>Year</text:p></table:table-cell><table:table-cell table:number-columns-repeated="2"><text:p>n</text:p></table:table-cell><table:table-cell table:number-columns-repeated="16000"/></table:table-row>` +
			`<table:table-row><table:table-cell><text:p>1900</text:p></table:table-cell><table:table-cell><text:p>3</text:p></table:table-cell><table:table-cell><text:p>4</text:p></table:table-cell></table:table-row><table:table-row table:number-rows-repeated="1048000"><table:table-cell table:number-columns-repeated="16384"/></table:table-row></table:table>`,
			"## Boats\n\n| Year | n | n |\n|---|---|---|\n| 1900 | 3 | 4 |"},
		{"slides", "presentation", `<draw:page draw:name="Start"><draw:frame><draw:text-box><text:p>Welcome.</text:p></draw:text-box></draw:frame></draw:page>`, "## Start\n\nWelcome."},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			raw := odf(t, c.kind, c.body, "Object 1/content.xml", `<math xmlns="m"><semantics><mfrac><mi>a</mi><mi>b</mi></mfrac><annotation encoding="StarMath 5.0">{a} over {b}</annotation></semantics></math>`)
			checkDocumentText(t, raw, "A harbour", c.want)
		})
	}
}

// epub returns a book whose chapters are in the order of the spine.
func epub(t testing.TB, chapters []string, parts ...string) []byte {
	t.Helper()
	items, spine := `<item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>`, `<itemref idref="nav"/>`
	parts = append([]string{"mimetype", "application/epub+zip",
		"META-INF/container.xml", xmlHead + `<container xmlns="c"><rootfiles><rootfile full-path="OEBPS/book.opf"/></rootfiles></container>`,
		"OEBPS/nav.xhtml", `<html xmlns="http://www.w3.org/1999/xhtml"><body><ol><li>Contents</li></ol></body></html>`}, parts...)
	for i, c := range chapters {
		name := fmt.Sprintf("ch %d.xhtml", len(chapters)-i)
		items += fmt.Sprintf(`<item id="c%d" href="%s" media-type="application/xhtml+xml"/>`, i, strings.ReplaceAll(name, " ", "%20"))
		spine += fmt.Sprintf(`<itemref idref="c%d"/>`, i)
		parts = append(parts, "OEBPS/"+name, `<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops"><head><title>x</title><style>.n{display:none}</style></head><body>`+c+`</body></html>`)
	}
	return zipped(t, append(parts, "OEBPS/book.opf", xmlHead+`<package xmlns="o"><metadata xmlns:dc="d"><dc:title>A harbour</dc:title><dc:language>de</dc:language></metadata><manifest>`+items+`</manifest><spine>`+spine+`</spine></package>`)...)
}

func TestDocumentReadsBooks(t *testing.T) {
	t.Parallel()
	checkDocumentText(t, epub(t, []string{`<h1>First</h1><p>The harbour was built<a epub:type="noteref" href="#n">1</a>.</p><p class="n">hidden</p>`, `<h1>Second</h1><ul><li>a</li><li>b</li></ul>`}), "A harbour",
		"# First\n\nThe harbour was built.\n\n# Second\n\n- a\n- b")
	checkDocumentText(t, epub(t, []string{`<section><p>10<sup>6</sup> boats</p><table><tr><th>Y</th><th>n</th></tr><tr><td>1900</td><td>2</td></tr></table></section>`},
		"META-INF/encryption.xml", `<encryption><EncryptedData><EncryptionMethod Algorithm="http://www.idpf.org/2008/embedding"/></EncryptedData></encryption>`), "A harbour",
		"10^6 boats\n\n| Y | n |\n|---|---|\n| 1900 | 2 |")
}

// mht returns a saved page. Its parts are content types, encodings and bodies.
func mht(parts ...string) []byte {
	var b strings.Builder
	b.WriteString("From: <Saved by Blink>\r\nSnapshot-Content-Location: https://example.org/\r\nSubject: =?utf-8?Q?A=20harbour?=\r\nDate: Sat, 2 Mar 2024 10:00:00 -0000\r\nMIME-Version: 1.0\r\nContent-Type: multipart/related;\r\n\ttype=\"text/html\";\r\n\tboundary=\"--b\"\r\n\r\n")
	for i := 0; i < len(parts); i += 3 {
		b.WriteString("----b\r\nContent-Type: " + parts[i] + "\r\nContent-Transfer-Encoding: " + parts[i+1] + "\r\n\r\n" + parts[i+2] + "\r\n")
	}
	return []byte(b.String() + "----b--\r\n")
}

func TestDocumentReadsArchivesOfPages(t *testing.T) {
	t.Parallel()
	const page = `<html><head><title>A harbour</title></head><body><h1>Walls</h1><p>They are of granite, and were built in the year 1821 for the boats of the town.</p></body></html>`
	const want = "# Walls\n\nThey are of granite, and were built in the year 1821 for the boats of the town."
	for _, c := range []struct {
		name string
		raw  []byte
		want string
	}{
		{"a web archive", mht("text/html", "quoted-printable", strings.ReplaceAll(page, "year 18", "year=\r\n 18"), "image/gif", "base64", "R0lGODlh"), want},
		{"a web archive in base64", mht("text/css", "7bit", "p{}", "text/html; charset=utf-8", "base64", base64.StdEncoding.EncodeToString([]byte(page))), want},
		{"a web archive in GBK", mht("text/html; charset=gbk", "8bit", strings.Replace(page, "the town", "\xB8\xDB\xBF\xDA", 1)), strings.Replace(want, "the town", "港口", 1)},
		{"zipped pages", zipped(t, "site/z.html", strings.Replace(page, "Walls", "Last", 1), "site/index.html", page, "site/style.css", "p{}"), want + "\n\n" + strings.Replace(want, "Walls", "Last", 1)},
		{"a zipped page", zipped(t, "__MACOSX/x.html", "junk", "page.htm", page), want},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			checkDocumentText(t, c.raw, "A harbour", c.want)
		})
	}
}

// hostileDocuments returns files that must be refused, and part of the message.
func hostileDocuments(t testing.TB) map[string]struct {
	raw  []byte
	what string
} {
	type hostile = struct {
		raw  []byte
		what string
	}
	good := docx(t, p("", "The harbour."))
	locked := bytes.Clone(good)
	for at := 0; ; { // the flag of each entry, there and in the table of contents
		i := bytes.Index(locked[at:], []byte("PK\x01\x02"))
		if i < 0 {
			break
		}
		locked[at+i+8] |= 1
		at += i + 4
	}
	ole := append([]byte("\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1"), make([]byte, 2000)...)
	encrypted := append(bytes.Clone(ole), []byte("E\x00n\x00c\x00r\x00y\x00p\x00t\x00e\x00d\x00P\x00a\x00c\x00k\x00a\x00g\x00e\x00")...)
	bomb := strings.Repeat("<w:p><w:r><w:t>harbour</w:t></w:r></w:p>", 1<<20)
	return map[string]hostile{
		"cut off":             {good[:len(good)*2/3], "cut off"},
		"a header":            {good[:40], "archive"},
		"a locked archive":    {locked, "encrypted"},
		"an encrypted file":   {encrypted, "encrypted"},
		"a legacy file":       {ole, "97"},
		"an encrypted text":   {odf(t, "text", "<text:p>x</text:p>", "META-INF/manifest.xml", `<manifest><file-entry><encryption-data/></file-entry></manifest>`), "encrypted"},
		"a locked book":       {epub(t, []string{"<p>x</p>"}, "META-INF/encryption.xml", `<encryption><EncryptedData><EncryptionMethod Algorithm="aes"/></EncryptedData></encryption>`), "encrypted"},
		"a zip bomb":          {docx(t, bomb), "bomb"},
		"a bomb of sheets":    {xlsx(t, strings.Repeat(`<row><c t="str"><v>harbour</v></c></row>`, 1<<20)), "bomb"},
		"a bomb in a book":    {epub(t, []string{strings.Repeat("<p>harbour</p>", 2<<20)}), "bomb"},
		"an archive":          {zipped(t, "photo.jpg", "x"), "without a document"},
		"an empty archive":    {zipped(t), "without a document"},
		"no text":             {docx(t, ""), "no text"},
		"not well-formed":     {zipped(t, "word/document.xml", "<w:document><<<"), "well-formed"},
		"an entity bomb":      {zipped(t, "word/document.xml", `<!DOCTYPE d [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><document><body><p><r><t>&b;</t></r></p></body></document>`), "no text"},
		"too long":            {append([]byte("PK\x03\x04"), make([]byte, MaxDocument)...), "more than"},
		"a cut web archive":   {mht("text/html", "base64", "!!!!"), "cut off"},
		"an empty web page":   {mht("image/gif", "base64", "R0lGODlh"), "without a document"},
		"deeply nested":       {zipped(t, "word/document.xml", "<document><body>"+strings.Repeat("<tbl><tr><tc>", 5000)+"</body></document>"), "no text"},
		"slides without any":  {pptx(t), "without a document"},
		"a book of no pages":  {epub(t, nil), "without a document"},
		"a sheet that is not": {zipped(t, "xl/workbook.xml", `<workbook><sheets/></workbook>`), "without a document"},
	}
}

func TestDocumentRefusesHostileFiles(t *testing.T) {
	t.Parallel()
	iso := Isolated{Runner: newPool(t, isolate.Options{}), ReadDocuments: true}
	for name, c := range hostileDocuments(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, plain := Document(t.Context(), c.raw)
			_, isolated := iso.Page(t.Context(), c.raw, "", "")
			for how, err := range map[string]error{"Document": plain, "Isolated.Page": isolated} {
				var p *evidence.Problem
				if !errors.As(err, &p) || !strings.Contains(p.What, c.what) || p.Try == "" || len(p.What) > 250 {
					t.Errorf("%s = %v, want a problem with %q", how, err, c.what)
				}
			}
		})
	}
}

// A hostile file ends only its child, and delays no page beside it.
func TestIsolatedDocumentsDelayNoPage(t *testing.T) {
	t.Parallel()
	iso := Isolated{Runner: newPool(t, isolate.Options{Parallel: 1, Extra: 2, Deadline: 20 * time.Second, MaxMemory: 256 << 20})}.All()
	wide := docx(t, strings.Repeat("<w:p/>", 700_000)+p("", "The end."))
	done := make(chan error, 1)
	go func() {
		_, err := iso.Document(t.Context(), wide)
		done <- err
	}()
	if got, err := iso.Page(t.Context(), []byte(article("")), "text/html", ""); err != nil || !strings.Contains(got.Text, "built in 1821") {
		t.Errorf("the page beside it = %+v, %v", got, err)
	}
	var p *evidence.Problem
	if err := <-done; err != nil && !errors.As(err, &p) {
		t.Errorf("the wide document = %v, want a text or a problem", err)
	}
}

func TestPageReadsDocumentsWhenItMay(t *testing.T) {
	t.Parallel()
	pool := newPool(t, isolate.Options{})
	off, on := Isolated{Runner: pool}, Isolated{Runner: pool}.All()
	for name, raw := range map[string][]byte{"docx": docx(t, p("", "The harbour.")), "odt": odf(t, "text", "<text:p>The harbour.</text:p>"), "mht": mht("text/html", "7bit", "<p>The harbour.</p>")} {
		for _, contentType := range []string{"application/octet-stream", "application/zip", "text/plain", ""} {
			got, err := on.Page(t.Context(), raw, contentType, "")
			if err != nil || got.Text != "The harbour." {
				t.Errorf("Page(%s, %q) with the setting = %+v, %v", name, contentType, got, err)
			}
			var p *evidence.Problem
			if _, err = off.Page(t.Context(), raw, contentType, ""); !errors.As(err, &p) || !strings.Contains(p.What+p.Try, SettingDocuments) {
				t.Errorf("Page(%s, %q) without the setting = %v, want a problem that names %s", name, contentType, err, SettingDocuments)
			}
		}
	}
}
