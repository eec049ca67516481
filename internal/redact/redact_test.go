package redact

import (
	"bytes"
	"encoding/json"
	"testing"
)

// A secret with characters that every format encodes in its own way.
const testSecret = `k3y/<&"+ü 12345`

func TestRedactionWorksOnDecodedValues(t *testing.T) {
	t.Parallel()
	r := New(testSecret, "123456789", "short")
	for _, c := range []struct{ name, kind, in, want string }{
		{"JSON string", "application/json", `{"a":"x k3y/<&\"+ü 12345 y"}`, `{"a":"x REMOVED y"}`},
		{"JSON string with escapes", "application/json", `{"a":"k3y\/\u003c\u0026\"\u002B\u00fc\u002012345"}`, `{"a":"REMOVED"}`},
		{"URL in a JSON string", "application/json", `["https://h/?q=1&t=k3y%2F%3c%26%22%2B%C3%BC+12345&x"]`, `["https://h/?q=1&t=REMOVED&x"]`},
		{"JSON number that contains it", "application/json", `{"id":9123456789,"x":0.123456789}`, `{"id":9123456789,"x":0.123456789}`},
		{"JSON number that is it", "application/json", `{"id": 123456789 }`, `{"id": 0 }`},
		{"JSON field name that contains it", "application/json", `{"id_123456789" : "123456789"}`, `{"id_123456789" : "REMOVED"}`},
		{"JSON field name that is it", "application/json", `{"123456789":true}`, `{"REMOVED":true}`},
		{"the rest of JSON", "application/json", `{ "a" : [1.50e3, "\u0041<"], "b":null }`, `{ "a" : [1.50e3, "\u0041<"], "b":null }`},
		{"lines of JSON", "application/x-ndjson", "{\"n\":9123456789}\n{\"s\":\"123456789\"}\n", "{\"n\":9123456789}\n{\"s\":\"REMOVED\"}\n"},
		{"HTML", "text/html", `<a title="k3y/&lt;&amp;&quot;+&#252; 12345">`, `<a title="REMOVED">`},
		{"JavaScript", "text/html", `var k = "k3y\/\u003C&\"+ü 12345";`, `var k = "REMOVED";`},
		{"another charset", "text/html; charset=latin1", "\xfc 123456789 \xe9", "\xfc REMOVED \xe9"},
		{"form", "application/x-www-form-urlencoded", "q=k3y%2f%3C%26%22%2b%c3%bc%2012345&api%5Fkey=x&n=1;2", "q=REMOVED&api%5Fkey=REMOVED&n=1;2"},
		{"too short to search for", "text/plain", "a short word", "a short word"},
	} {
		if got := string(r.Body(c.kind, []byte(c.in))); got != c.want {
			t.Errorf("%s: Body(%s) = %s, want %s", c.name, c.in, got, c.want)
		}
	}
}

func FuzzRedaction(f *testing.F) {
	f.Add([]byte(`{"a":["123456789",123456789,-1.5e+3,null,"\ud83d\ude00"]}`))
	f.Add([]byte("a=123456789&token=%31%32"))
	r := New("123456789", testSecret)
	f.Fuzz(func(t *testing.T, b []byte) {
		got := r.Body("", b)
		if isJSONText(b) && !json.Valid(got) {
			t.Errorf("Body(%q) = %q, which is no JSON any more", b, got)
		}
		if !isJSONText(b) && bytes.Contains(r.Body("application/x-www-form-urlencoded", b), []byte("123456789")) {
			t.Errorf("Body(%q) holds a secret", b)
		}
	})
}
