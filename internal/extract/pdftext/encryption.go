package pdftext

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"github.com/research-mcp/research-mcp/internal/text"
)

var (
	// directEncryption is an encryption dictionary within the trailer, which pdfcpu takes
	// for none: the text would be noise.
	directEncryption = text.Pattern(`/Encrypt\s*<<`)
	crossReference   = text.Pattern(`startxref\s+(\d{1,10})`)
)

// withIndirectEncryption adds an update to a file whose trailer holds its encryption
// dictionary: the same dictionary as an object, and a trailer that refers to it. ok is
// false if the trailer cannot be read.
func withIndirectEncryption(raw []byte) (out []byte, ok bool) {
	all := directEncryption().FindAllIndex(raw, -1)
	xref := crossReference().FindAllSubmatch(raw, -1)
	if len(all) == 0 || len(xref) == 0 {
		return nil, false
	}
	at := all[len(all)-1][0]
	begin := max(bytes.LastIndex(raw[:at], []byte("trailer")), bytes.LastIndex(raw[:at], []byte(" obj")))
	if begin < 0 {
		return nil, false
	}
	entries := dictEntries(raw, begin)
	size, err := strconv.Atoi(entries["Size"])
	if err != nil || size < 0 || size > maxObjects || entries["Root"] == "" || !strings.HasPrefix(entries["Encrypt"], "<<") {
		return nil, false
	}
	var b bytes.Buffer
	b.Write(raw)
	b.WriteByte('\n')
	object := b.Len()
	fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", size, entries["Encrypt"])
	table := b.Len()
	fmt.Fprintf(&b, "xref\n%d 1\n%010d 00000 n \ntrailer\n<< /Size %d /Root %s /Encrypt %d 0 R", size, object, size+1, entries["Root"], size)
	for _, key := range []string{"ID", "Info"} {
		if entries[key] != "" {
			fmt.Fprintf(&b, " /%s %s", key, entries[key])
		}
	}
	fmt.Fprintf(&b, " /Prev %s >>\nstartxref\n%d\n%%%%EOF\n", xref[len(xref)-1][1], table)
	return b.Bytes(), true
}

// maxTrailer bounds the tokens of a trailer.
const maxTrailer = 10_000

// dictEntries are the entries of the first dictionary behind a place, as they are written.
func dictEntries(raw []byte, at int) map[string]string {
	l := lexer{b: raw, at: at}
	out := map[string]string{}
	depth, key, value := 0, "", 0
	end := func(at int) {
		if key != "" {
			out[key] = strings.TrimSpace(string(raw[value:at]))
		}
	}
	for range maxTrailer {
		l.skipSpace()
		start := l.at
		switch t := l.next(); {
		case t.kind == tokenEnd:
			return nil
		case t.kind == tokenOperator && (t.s == "<<" || t.s == "["):
			depth++
		case t.kind == tokenOperator && (t.s == ">>" || t.s == "]"):
			if depth--; depth == 0 {
				end(start)
				return out
			}
		case t.kind == tokenName && depth == 1 && (key == "" || hasValue(raw[value:start])):
			end(start)
			key, value = t.s, l.at
		}
	}
	return nil
}

// hasValue reports whether there is anything but white space in b: a name behind a key is
// its value.
func hasValue(b []byte) bool { return len(bytes.TrimSpace(b)) > 0 }
