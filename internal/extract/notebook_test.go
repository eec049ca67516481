package extract

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/research-mcp/research-mcp/internal/evidence"
)

// picture is a picture in base64 as notebooks have it.
func picture(n int) string { return strings.Repeat("iVBORw0KGgoAAAANSUhEUgAA", n/24) }

const notebook4 = `{"cells":[
 {"cell_type":"markdown","metadata":{},"attachments":{"a.png":{"image/png":"` + "iVBORw0KGgo" + `"}},"source":["# Bridge loads\n","The span is 30 m.\n","![plot](data:image/png;base64,iVBORw0KGgo=)"]},
 {"cell_type":"code","execution_count":1,"metadata":{},"source":"import pandas as pd\ndf","outputs":[
  {"output_type":"stream","name":"stdout","text":["loading\r 10%\r100%\n","\u001b[31mdone\u001b[0m\n"]},
  {"output_type":"execute_result","data":{"text/html":["<style scoped>td{color:red}</style><table><thead><tr><th>span</th><th>load</th></tr></thead>","<tbody><tr><td>30</td><td>12 kN</td></tr></tbody></table>"],"text/plain":["   span load"]}},
  {"output_type":"display_data","data":{"image/png":"iVBORw0KGgo","text/plain":["<Figure size 640x480>"]}},
  {"output_type":"error","ename":"KeyError","evalue":"'width'","traceback":["\u001b[0;31m---"]}]},
 {"cell_type":"raw","metadata":{},"source":"A raw note."},
 {"cell_type":"code","metadata":{},"source":[],"outputs":[]}],
"metadata":{"kernelspec":{"language":"python","name":"python3"},"language_info":{"name":"python"}},"nbformat":4,"nbformat_minor":5}`

func TestNotebook(t *testing.T) {
	t.Parallel()
	page, err := HTML(t.Context(), []byte(notebook4), "application/json", "https://example.org/a/loads.ipynb?raw=1")
	if err != nil {
		t.Fatal(err)
	}
	if page.Title != "Bridge loads" || page.Truncated || len(page.Warnings) != 0 {
		t.Errorf("%+v", page)
	}
	for _, want := range []string{
		"# Bridge loads\nThe span is 30 m.", "```python\nimport pandas as pd\ndf\n```", "Output:\n\n```\n100%\ndone\n```",
		"| span | load |", "| 30 | 12 kN |", "KeyError: 'width'", "A raw note.",
	} {
		if !strings.Contains(page.Text, want) {
			t.Errorf("%q is missing in\n%s", want, page.Text)
		}
	}
	for _, bad := range []string{"iVBOR", "\x1b", "[31m", " 10%", "color:red", "traceback", "cell_type"} {
		if strings.Contains(page.Text, bad) {
			t.Errorf("%q is in\n%s", bad, page.Text)
		}
	}
}

// Format 3 has work sheets, heading cells and the input of code.
func TestNotebookOfFormat3(t *testing.T) {
	t.Parallel()
	const old = `{"metadata":{"name":"x"},"nbformat":3,"worksheets":[{"cells":[
	{"cell_type":"heading","level":2,"source":["Loads"]},
	{"cell_type":"code","language":"r","input":["plot(x)\n"],"outputs":[{"output_type":"pyout","text":["[1] 42"],"png":"iVBORw0KGgo"}]}]}]}`
	page, err := HTML(t.Context(), []byte(old), TypeNotebook, "")
	if want := "## Loads\n\n```r\nplot(x)\n```\n\nOutput:\n\n```\n[1] 42\n```"; err != nil || page.Text != want || page.Title != "Loads" {
		t.Errorf("%q, %+v, %v, want %q", page.Text, page, err, want)
	}
}

// A fence is longer than those in the code, and bad input is an error that says what to do.
func TestNotebookOfUnusualShape(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, raw, want, refused, warn string }{
		{"a fence in code", `{"cells":[{"cell_type":"code","source":"s = '''` + "```" + `'''"}],"nbformat":4}`, "````\ns = '''```'''\n````", "", ""},
		{"cells of another shape", `{"cells":[7,{"cell_type":"markdown","source":{"a":1}},{"cell_type":"markdown","source":["kept ",""]},null],"nbformat":4}`, "kept", "", ""},
		{"metadata of another shape", `{"metadata":"x","cells":[{"cell_type":"markdown","source":"kept"}]}`, "kept", "", ""},
		{"invisible characters", `{"cells":[{"cell_type":"markdown","source":"ke\u200bpt\u00ad \uD800"}]}`, "kept \uFFFD", "", ""},
		{"with a byte order mark", "\xEF\xBB\xBF" + `{"cells":[{"cell_type":"markdown","source":"kept"}]}`, "kept", "", ""},
		{"cut off", `{"cells":[{"cell_type":"markdown","source":"kept"},{"cell_type":"markdown","source":"lo`, "kept", "", "first 1 cells"},
		{"cut off behind the cells", `{"cells":[{"cell_type":"markdown","source":"kept"}]`, "kept", "", "first 1 cells"},
		{"no cells", `{"a":1}`, "", "it has no cells", ""},
		{"cut off at once", `{"cells":[{"cell_ty`, "", "unexpected EOF", ""},
		{"a list", `[1,2]`, "", "it has no cells", ""},
		{"nesting without end", `{"cells":` + strings.Repeat("[", 100_000), "", "depth", ""},
		{"no JSON", `hello`, "", "invalid character", ""},
	} {
		page, err := HTML(t.Context(), []byte(c.raw), TypeNotebook, "")
		if c.refused != "" {
			var p *evidence.Problem
			if !errors.As(err, &p) || !strings.Contains(p.What, c.refused) || p.Try == "" {
				t.Errorf("%s: %v, want a problem with %q", c.name, err, c.refused)
			}
			continue
		}
		if all := strings.Join(page.Warnings, " "); err != nil || page.Text != c.want || !strings.Contains(all, c.warn) || page.Truncated != (c.warn != "") {
			t.Errorf("%s: %q, %q, %v, want %q, %q", c.name, page.Text, page.Warnings, err, c.want, c.warn)
		}
	}
}

// A notebook with 41 MB of pictures is read in the memory that its text takes.
func TestReadNotebookDropsPictures(t *testing.T) {
	t.Parallel()
	var many []string
	for range 100 {
		many = append(many, picture(76)+"\n")
	}
	asLines, err := json.Marshal(many)
	if err != nil {
		t.Fatal(err)
	}
	big := `"` + picture(41<<20) + `"`
	whole := fmt.Sprintf(`{"cells": [
		{"cell_type":"markdown","source":"first","attachments":{"x.png":{"image/png" : %s}}},
		{"cell_type":"code","source":"plot()","outputs":[{"data":{"image/svg+xml":%s,"application/json":{"a":[1,{"b":"}"}],"c":null},"application/x":true, "text/plain":"the plot"}}]},
		{"cell_type":"markdown","source":"data:%s"},
		{"cell_type":"markdown","source":["last \"quoted\" \\","image/png","image/png"]}],"nbformat":4}`, big, asLines, picture(400<<10))
	raw, err := ReadNotebook(strings.NewReader(whole))
	if err != nil || len(raw) > 2000 {
		t.Fatalf("%d bytes, %v", len(raw), err)
	}
	page, err := HTML(t.Context(), raw, TypeNotebook, "")
	if want := "first\n\n```\nplot()\n```\n\nOutput:\n\n```\nthe plot\n```\n\nlast \"quoted\" \\image/pngimage/png"; err != nil || page.Text != want {
		t.Errorf("%q, %v, want %q", page.Text, err, want)
	}
	// What ends in a picture is read up to it.
	raw, err = ReadNotebook(strings.NewReader(whole[:1<<20]))
	if err != nil {
		t.Fatal(err)
	}
	if page, err := HTML(t.Context(), raw, TypeNotebook, ""); err == nil {
		t.Errorf("%+v of a notebook without a whole cell", page)
	}
	// Text beyond the bound is cut, and the page says so.
	long := `{"cells":[` + strings.Repeat(`{"cell_type":"markdown","source":"a paragraph of text"},`, 60_000) + `{}]}`
	if raw, err = ReadNotebook(strings.NewReader(long)); err != nil || len(raw) > MaxInput+1 {
		t.Fatalf("%d bytes, %v", len(raw), err)
	}
	if page, err := HTML(t.Context(), raw, TypeNotebook, ""); err != nil || !page.Truncated || len(page.Warnings) != 1 {
		t.Errorf("truncated %v, warnings %q, %v", page.Truncated, page.Warnings, err)
	}
}

func FuzzNotebook(f *testing.F) {
	f.Add([]byte(notebook4))
	f.Add([]byte(`{"worksheets":[{"cells":[{"cell_type":"heading","level":9,"source":["x"]}]}]}`))
	f.Add([]byte(`{"cells":[{"cell_type":"code","source":"a\u0000","outputs":[{"data":{"image/png":["a","b"],"text/html":"<table><tr><td>"}}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		short, err := ReadNotebook(strings.NewReader(string(raw)))
		if err != nil {
			t.Fatal(err)
		}
		// Without its pictures it is the same JSON or none.
		if json.Valid(raw) && utf8.Valid(raw) && !json.Valid(short) {
			t.Fatalf("%q became %q", raw, short)
		}
		for _, in := range [][]byte{raw, short} {
			page, err := HTML(t.Context(), in, TypeNotebook, "")
			if err == nil && (!utf8.ValidString(page.Text) || len(page.Text) > MaxInput) {
				t.Fatalf("%+v", page)
			}
		}
	})
}
