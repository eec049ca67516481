package sourcetest

import (
	"bytes"
	"slices"
	"strings"

	"github.com/research-mcp/research-mcp/internal/evidence"
)

// deep is more levels of nesting than any parser should accept.
const deep = 20_000

// xmlFailures are the failures of common that concern JSON, for each answer that is
// XML, and those that only XML has.
func xmlFailures(c *contract) []failure {
	var out []failure
	for i, it := range c.Hits {
		if strings.Contains(it.Type, "xml") {
			out = append(out, brokenXML(c, i)...)
		}
	}
	return out
}

// brokenXML are failures of one of the answers. Those before it are good.
func brokenXML(c *contract, i int) []failure {
	good := c.Hits[i].body
	bad := func(name, body string) failure {
		replies := slices.Clone(c.Hits)
		replies[i].body = []byte(body)
		return failure{name: "XML: " + name + " as " + c.Hits[i].File, handler: play(replies), status: evidence.StatusError}
	}
	page := slices.Clone(c.Hits)
	page[i].Type = "text/html"
	const head = `<?xml version="1.0" encoding="UTF-8"?>`
	return []failure{
		{name: "XML: " + c.Hits[i].File + " announced as HTML", handler: play(page), status: evidence.StatusError},
		bad("garbage", head+"<feed><entry>< "+hidden),
		bad("bytes", "\x00\xff\xfe"+hidden),
		bad("bytes that are not UTF-8", string(inside(good, []byte(hidden+"\xff\xfe")))),
		bad("no body", ""),
		bad("no element", head),
		bad("cut in the middle", string(good[:len(good)*2/3])),
		bad("cut before the end of its root", string(good[:bytes.LastIndexByte(good, '<')])),
		bad("HTML instead", "<!DOCTYPE html><html><head><title>Sign in</title></head><body><p>"+hidden+"<br>now</body></html>"),
		bad("XHTML instead", head+`<html xmlns="http://www.w3.org/1999/xhtml"><body><p>`+hidden+`</p></body></html>`),
		bad("another shape", head+"<ok><note>"+hidden+"</note></ok>"),
		bad("JSON instead", `{"ok": true, "note": "`+hidden+`"}`),
		bad("elements that do not match", string(inside(good, []byte("<a><b>"+hidden+"</a></b>")))),
		bad("entities that expand", string(withEntities(good))),
		bad("an entity from a file", string(withFile(good))),
		bad("deep nesting", string(inside(good, []byte(strings.Repeat("<a>", deep)+hidden+strings.Repeat("</a>", deep))))),
	}
}

// inside puts more into the root element of good, before its end.
func inside(good, more []byte) []byte {
	at := max(bytes.LastIndex(good, []byte("</")), 0)
	return append(append(append([]byte{}, good[:at]...), more...), good[at:]...)
}

// withEntities makes a document that is a gigabyte when all is replaced.
func withEntities(good []byte) []byte {
	var b strings.Builder
	b.WriteString(`<!DOCTYPE x [<!ENTITY e0 "` + hidden + `">`)
	for i := range 9 {
		from, to := string(rune('0'+i)), string(rune('1'+i))
		b.WriteString("<!ENTITY e" + to + ` "` + strings.Repeat("&e"+from+";", 10) + `">`)
	}
	return withDoctype(good, b.String()+"]>", "&e9;")
}

func withFile(good []byte) []byte {
	return withDoctype(good, `<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]>`, "&f;")
}

// withDoctype puts a document type after the XML declaration of good, and text
// that uses it into its root.
func withDoctype(good []byte, doctype, text string) []byte {
	at := bytes.Index(good, []byte("?>")) + len("?>")
	return append(append(append([]byte{}, good[:at]...), doctype...), inside(good[at:], []byte("<t>"+text+"</t>"))...)
}
