package stdio

import (
	"bufio"
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// FuzzServe sends any bytes: the server answers with JSON-RPC messages, one on
// a line, and ends well.
func FuzzServe(f *testing.F) {
	for _, seed := range []string{
		ping, callTool(1, "recall", `{"query":"q"}`), callTool(1, "research", `{"question":"q"}`), cancelCall("1"),
		"\n\r\n[]\n", `{"jsonrpc":"2.0","id":-0.0e1,"method":"tools/list"}`, `{"id":"\ud800","method":"ping"}`, "\x00\xff", `"`, `{"jsonrpc":"2.0","method":"tools/call"}`,
		`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"recall","arguments":{"query":"q"},"task":{"ttl":1}}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, input []byte) {
		var out bytes.Buffer
		if err := Serve(t.Context(), testHandler(atOnce), bytes.NewReader(input), &out, nil); err != nil {
			t.Fatalf("Serve(%q) = %v", input, err)
		}
		for line := range strings.Lines(out.String()) {
			var m struct {
				JSONRPC string `json:"jsonrpc"`
			}
			if err := json.Unmarshal([]byte(line), &m); err != nil || m.JSONRPC != "2.0" || !strings.HasSuffix(line, "\n") {
				t.Fatalf("Serve(%q) wrote %q: %v", input, line, err)
			}
		}
	})
}

// FuzzReadLine checks that the lines of an input, joined, are the input.
func FuzzReadLine(f *testing.F) {
	f.Add([]byte("a\nb"), byte(3))
	f.Add([]byte("\n\n"), byte(0))
	f.Add([]byte(strings.Repeat("x", 300)+"\ny\n"), byte(1))
	f.Fuzz(func(t *testing.T, input []byte, size byte) {
		r := bufio.NewReaderSize(bytes.NewReader(input), int(size)) // at least 16
		var got []byte
		for {
			in := readLine(r)
			if in.err != nil {
				break
			}
			if n := bytes.IndexByte(in.line, '\n'); in.tooLong || n >= 0 && n != len(in.line)-1 {
				t.Fatalf("readLine(%q) = %+v", input, in)
			}
			got = append(got, in.line...)
		}
		if !bytes.Equal(got, input) {
			t.Fatalf("lines of %q are %q together", input, got)
		}
	})
}
