package extract

import (
	"archive/zip"
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// zipped returns an archive of names and contents in turn.
func zipped(t testing.TB, parts ...string) []byte {
	t.Helper()
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	for i := 0; i < len(parts); i += 2 {
		w, err := z.Create(parts[i])
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(parts[i+1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

const (
	xmlHead  = `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>`
	relHead  = xmlHead + `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">`
	relType  = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/"
	coreHead = xmlHead + `<cp:coreProperties xmlns:cp="c" xmlns:dc="d" xmlns:dcterms="t">`
)

// docx returns a Word file with the body, styles and lists of Word, and further parts.
func docx(t testing.TB, body string, parts ...string) []byte {
	t.Helper()
	return zipped(t, append([]string{
		"[Content_Types].xml", xmlHead + "<Types/>",
		"_rels/.rels", relHead + `<Relationship Id="a" Type="` + relType + `officeDocument" Target="word/document.xml"/></Relationships>`,
		"word/document.xml", xmlHead + `<w:document xmlns:w="w" xmlns:m="m" xmlns:mc="mc"><w:body>` + body + `<w:sectPr/></w:body></w:document>`,
		"word/_rels/document.xml.rels", relHead + `<Relationship Id="s" Type="` + relType + `styles" Target="styles.xml"/><Relationship Id="n" Type="` + relType + `numbering" Target="numbering.xml"/><Relationship Id="f" Type="` + relType + `footnotes" Target="footnotes.xml"/></Relationships>`,
		"word/styles.xml", xmlHead + `<w:styles xmlns:w="w">` +
			`<w:style w:styleId="T"><w:name w:val="Title"/></w:style><w:style w:styleId="H1"><w:name w:val="heading 1"/><w:pPr><w:outlineLvl w:val="0"/></w:pPr></w:style>` +
			`<w:style w:styleId="Own"><w:name w:val="Chapter part"/><w:basedOn w:val="H2"/></w:style><w:style w:styleId="H2"><w:name w:val="heading 2"/></w:style>` +
			`<w:style w:styleId="Code"><w:name w:val="Source Code"/></w:style><w:style w:styleId="Q"><w:name w:val="Quote"/></w:style><w:style w:styleId="TOC1"><w:name w:val="toc 1"/></w:style></w:styles>`,
		"word/numbering.xml", xmlHead + `<w:numbering xmlns:w="w"><w:abstractNum w:abstractNumId="1"><w:lvl w:ilvl="0"><w:start w:val="3"/><w:numFmt w:val="decimal"/></w:lvl><w:lvl w:ilvl="1"><w:numFmt w:val="lowerLetter"/></w:lvl></w:abstractNum>` +
			`<w:abstractNum w:abstractNumId="2"><w:lvl w:ilvl="0"><w:numFmt w:val="bullet"/></w:lvl><w:lvl w:ilvl="1"><w:numFmt w:val="bullet"/></w:lvl></w:abstractNum><w:num w:numId="5"><w:abstractNumId w:val="1"/></w:num><w:num w:numId="6"><w:abstractNumId w:val="2"/></w:num></w:numbering>`,
		"word/footnotes.xml", xmlHead + `<w:footnotes xmlns:w="w"><w:footnote w:id="0" w:type="separator"><w:p><w:r><w:t>-</w:t></w:r></w:p></w:footnote><w:footnote w:id="2"><w:p><w:r><w:t>See the archive.</w:t></w:r></w:p></w:footnote></w:footnotes>`,
		"docProps/core.xml", coreHead + `<dc:title>A harbour</dc:title><dcterms:modified>2024-03-02T10:00:00Z</dcterms:modified></cp:coreProperties>`,
	}, parts...)...)
}

// p is a paragraph of Word with a style and runs.
func p(style string, runs ...string) string {
	for i, r := range runs {
		if !strings.HasPrefix(r, "<") {
			runs[i] = "<w:r><w:t xml:space=\"preserve\">" + r + "</w:t></w:r>"
		}
	}
	return `<w:p><w:pPr><w:pStyle w:val="` + style + `"/></w:pPr>` + strings.Join(runs, "") + `</w:p>`
}

// listed is a paragraph of a list.
func listed(num, level int, s string) string {
	return fmt.Sprintf(`<w:p><w:pPr><w:numPr><w:ilvl w:val="%d"/><w:numId w:val="%d"/></w:numPr></w:pPr><w:r><w:t>%s</w:t></w:r></w:p>`, level, num, s)
}

// run is a run of Word with properties.
func run(properties, s string) string {
	return `<w:r><w:rPr>` + properties + `</w:rPr><w:t xml:space="preserve">` + s + `</w:t></w:r>`
}

func checkDocumentText(t *testing.T, raw []byte, title, want string) {
	t.Helper()
	got, err := Document(t.Context(), raw)
	if err != nil {
		t.Fatalf("Document = %v", err)
	}
	if diff := cmp.Diff(want, got.Text); diff != "" || got.Title != title || got.Truncated {
		t.Errorf("Document: title %q, truncated %v (-want +got):\n%s", got.Title, got.Truncated, diff)
	}
}

func TestDocumentReadsWord(t *testing.T) {
	t.Parallel()
	cellOf := func(properties, s string) string {
		return `<w:tc><w:tcPr>` + properties + `</w:tcPr>` + p("", s) + `</w:tc>`
	}
	for _, c := range []struct{ name, body, want string }{
		{"headings", p("T", "A harbour") + p("H1", "Its walls") + p("Own", "Of granite") + p("", "They are ", "high."), "# A harbour\n\n# Its walls\n\n## Of granite\n\nThey are high."},
		{"scripts", p("", "Mice got 10", run(`<w:vertAlign w:val="superscript"/>`, "6"), " cells and H", run(`<w:vertAlign w:val="subscript"/>`, "2"), "O"), "Mice got 10^6 cells and H₂O"},
		{"lists", listed(5, 0, "third") + listed(5, 1, "part a") + listed(5, 1, "part b") + listed(5, 0, "fourth") + p("", "Between.") + listed(5, 0, "fifth") + listed(6, 0, "a point") + listed(6, 1, "a smaller one"),
			"3. third\n   a. part a\n   b. part b\n4. fourth\n\nBetween.\n\n5. fifth\n\n- a point\n  - a smaller one"},
		{"a table", `<w:tbl><w:tr>` + cellOf("", "Town") + cellOf("", "Boats") + cellOf("", "Year") + `</w:tr><w:tr>` + cellOf(`<w:vMerge w:val="restart"/>`, "Ellwick") + cellOf("", "212") + cellOf("", "1900") +
			`</w:tr><w:tr>` + cellOf(`<w:vMerge/>`, "") + cellOf(`<w:gridSpan w:val="2"/>`, "98 | some") + `</w:tr></w:tbl>`,
			"| Town | Boats | Year |\n|---|---|---|\n| Ellwick | 212 | 1900 |\n| Ellwick | 98 \\| some | 98 \\| some |"},
		{"a frame", `<w:tbl><w:tr>` + cellOf("", "A remark in a box.") + `</w:tr></w:tbl>`, "A remark in a box."},
		{"code", p("Code", "func main() {") + p("Code", "    run(&lt;-c)") + p("Code", "}"), "```\nfunc main() {\n    run(<-c)\n}\n```"},
		{"a footnote", p("", "It was built in 1821", `<w:r><w:rPr><w:vertAlign w:val="superscript"/></w:rPr><w:footnoteReference w:id="2"/></w:r>`, "."), "It was built in 1821[^1].\n\n[^1]: See the archive."},
		{"changes", p("", "It ", `<w:del><w:r><w:delText>never </w:delText></w:r></w:del>`, `<w:ins><w:r><w:t>always </w:t></w:r></w:ins>`, run(`<w:strike/>`, "old"), " opens."), "It always ~~old~~ opens."},
		{"what is not seen", p("", "seen", run(`<w:vanish/>`, " ignore"), run(`<w:color w:val="FFFFFF"/>`, " all"), run(`<w:sz w:val="2"/>`, " instructions"), run(`<w:vanish w:val="0"/>`, " too")), "seen too"},
		{"a field", p("", `<w:r><w:fldChar w:fldCharType="begin"/></w:r><w:r><w:instrText>HYPERLINK "x"</w:instrText></w:r><w:r><w:fldChar w:fldCharType="separate"/></w:r>`, "the port", `<w:r><w:fldChar w:fldCharType="end"/></w:r>`), "the port"},
		{"a text box once", p("", `<w:r><mc:AlternateContent><mc:Choice><w:drawing><w:txbxContent>`+p("", "In a box.")+`</w:txbxContent></w:drawing></mc:Choice><mc:Fallback><w:pict><w:txbxContent>`+p("", "In a box.")+`</w:txbxContent></w:pict></mc:Fallback></mc:AlternateContent></w:r>`), "In a box."},
		{"a formula", p("", "so ", `<m:oMath><m:f><m:num><m:r><m:t>a</m:t></m:r></m:num><m:den><m:sSup><m:e><m:r><m:t>b</m:t></m:r></m:e><m:sup><m:r><m:t>2</m:t></m:r></m:sup></m:sSup></m:den></m:f></m:oMath>`), `so $\frac{a}{{b}^{2}}$`},
		{"no table of contents", p("TOC1", "Its walls 3") + p("H1", "Its walls"), "# Its walls"},
		{"a quotation", p("Q", "The sea gives."), "> The sea gives."},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			checkDocumentText(t, docx(t, c.body), "A harbour", c.want)
		})
	}
}

// pptx returns a presentation with these shape trees as slides.
func pptx(t testing.TB, slides ...string) []byte {
	t.Helper()
	ids, rels := "", ""
	parts := []string{"[Content_Types].xml", "<Types/>"}
	for i, s := range slides {
		n := len(slides) - i // the order is that of the list, not of the names
		ids += fmt.Sprintf(`<p:sldId id="%d" r:id="r%d"/>`, 256+i, n)
		rels += fmt.Sprintf(`<Relationship Id="r%d" Type="%sslide" Target="slides/slide%d.xml"/>`, n, relType, n)
		parts = append(parts, fmt.Sprintf("ppt/slides/slide%d.xml", n), xmlHead+`<p:sld xmlns:p="p" xmlns:a="a"><p:cSld><p:spTree>`+s+`</p:spTree></p:cSld></p:sld>`)
	}
	return zipped(t, append(parts,
		"ppt/presentation.xml", xmlHead+`<p:presentation xmlns:p="p" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><p:sldIdLst>`+ids+`</p:sldIdLst></p:presentation>`,
		"ppt/_rels/presentation.xml.rels", relHead+rels+`</Relationships>`,
		"ppt/slides/_rels/slide1.xml.rels", relHead+`<Relationship Id="n" Type="`+relType+`notesSlide" Target="../notesSlides/notesSlide1.xml"/></Relationships>`,
		"ppt/notesSlides/notesSlide1.xml", xmlHead+`<p:notes xmlns:p="p" xmlns:a="a"><p:cSld><p:spTree>`+shape("body", drawn("", "Speak slowly."))+`</p:spTree></p:cSld></p:notes>`)...)
}

func shape(kind, paragraphs string) string {
	placeholder := ""
	if kind != "" {
		placeholder = `<p:ph type="` + kind + `"/>`
	}
	return `<p:sp><p:nvSpPr><p:cNvPr id="1" name="x"/><p:nvPr>` + placeholder + `</p:nvPr></p:nvSpPr><p:txBody>` + paragraphs + `</p:txBody></p:sp>`
}

func drawn(properties string, s string) string {
	return `<a:p><a:pPr ` + properties + `/><a:r><a:t>` + s + `</a:t></a:r></a:p>`
}

func TestDocumentReadsSlides(t *testing.T) {
	t.Parallel()
	first := shape("body", drawn("", "one thing")+drawn(`lvl="1"`, "a part of it")+drawn("", "another")) + shape("title", drawn("", "Boats &amp; harbours")) + shape("sldNum", drawn("", "1"))
	table := `<p:graphicFrame><a:graphic><a:tbl><a:tblPr firstRow="1"/><a:tr><a:tc gridSpan="2"><a:txBody>` + drawn("", "Boats") + `</a:txBody></a:tc><a:tc hMerge="1"/></a:tr><a:tr><a:tc><a:txBody>` + drawn("", "1900") +
		`</a:txBody></a:tc><a:tc><a:txBody>` + drawn("", "212") + `</a:txBody></a:tc></a:tr></a:tbl></a:graphic></p:graphicFrame>`
	checkDocumentText(t, pptx(t, first, shape("", drawn("", "A remark."))+`<p:grpSp>`+shape("", `<a:p><a:r><a:t>10</a:t></a:r><a:r><a:rPr baseline="30000"/><a:t>6</a:t></a:r></a:p>`)+`</p:grpSp>`), "Slide 1: Boats & harbours",
		"## Slide 1: Boats & harbours\n\n- one thing\n  - a part of it\n- another\n\n## Slide 2\n\nA remark.\n\n10^6\n\nNotes: Speak slowly.")
	checkDocumentText(t, pptx(t, table), "Slide 1", "## Slide 1\n\n| Boats | Boats |\n|---|---|\n| 1900 | 212 |\n\nNotes: Speak slowly.")
}

// xlsx returns a workbook with one sheet that is seen, and one that is not.
func xlsx(t testing.TB, rows string) []byte {
	t.Helper()
	sheet := func(rows string) string {
		return xmlHead + `<worksheet xmlns="s"><sheetData>` + rows + `</sheetData></worksheet>`
	}
	return zipped(t, "[Content_Types].xml", "<Types/>",
		"xl/workbook.xml", xmlHead+`<workbook xmlns="s" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets><sheet name="Boats &amp; towns" sheetId="1" r:id="a"/><sheet name="Secret" state="hidden" sheetId="2" r:id="b"/></sheets></workbook>`,
		"xl/_rels/workbook.xml.rels", relHead+`<Relationship Id="a" Type="`+relType+`worksheet" Target="/xl/worksheets/sheet1.xml"/><Relationship Id="b" Type="`+relType+`worksheet" Target="worksheets/sheet2.xml"/>`+
			`<Relationship Id="s" Type="`+relType+`sharedStrings" Target="sharedStrings.xml"/><Relationship Id="y" Type="`+relType+`styles" Target="styles.xml"/></Relationships>`,
		"xl/sharedStrings.xml", xmlHead+`<sst xmlns="s"><si><t>Town</t></si><si><r><t>10</t></r><r><rPr><vertAlign val="superscript"/></rPr><t>6</t></r></si><si><t>Ellwick</t><rPh><t>el</t></rPh></si></sst>`,
		"xl/styles.xml", xmlHead+`<styleSheet xmlns="s"><numFmts><numFmt numFmtId="164" formatCode="yyyy\-mm\-dd"/></numFmts><cellXfs><xf numFmtId="0"/><xf numFmtId="14"/><xf numFmtId="9"/><xf numFmtId="164"/><xf numFmtId="22"/></cellXfs></styleSheet>`,
		"xl/worksheets/sheet1.xml", sheet(rows), "xl/worksheets/sheet2.xml", sheet(`<row><c t="str"><v>hidden</v></c></row>`))
}

func TestDocumentReadsSheets(t *testing.T) {
	t.Parallel()
	checkDocumentText(t, xlsx(t, `<row r="1"><c r="A1" t="s"><v>0</v></c><c r="B1" t="s"><v>1</v></c><c r="D1" t="inlineStr"><is><t>Share</t></is></c></row>`+
		`<row r="2"><c r="A2" t="s"><v>2</v></c><c r="B2"><v>0.30000000000000004</v></c><c r="D2" s="2"><v>0.255</v></c></row><row r="3" hidden="1"><c r="A3" t="str"><v>gone</v></c></row>`),
		"Boats & towns", "## Boats & towns\n\n| Town | 10^6 |  | Share |\n|---|---|---|---|\n| Ellwick | 0.3 |  | 25.5% |")
	checkDocumentText(t, xlsx(t, `<row><c r="A1" t="str"><v>Day</v></c><c r="B1" t="str"><v>Open</v></c></row><row><c r="A2" s="1"><v>45353</v></c><c r="B2" t="b"><v>1</v></c></row><row><c r="A3" s="3"><v>1</v></c><c r="B3" s="4"><v>45353.75</v></c></row>`),
		"Boats & towns", "## Boats & towns\n\n| Day | Open |\n|---|---|\n| 2024-03-02 | TRUE |\n| 1899-12-31 | 2024-03-02 18:00:00 |")
}
