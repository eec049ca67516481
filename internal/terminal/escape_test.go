package terminal

import (
	"bytes"
	"encoding/json"
	"testing"
	"unicode"
)

func escapedText(t *testing.T, styles bool, parts ...string) string {
	t.Helper()
	var out bytes.Buffer
	w := Escaping(&out, styles)
	for _, p := range parts {
		if n, err := w.Write([]byte(p)); err != nil || n != len(p) {
			t.Fatalf("Write(%q) = %d, %v", p, n, err)
		}
	}
	return out.String()
}

func TestEscaping(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, in, piped, styled string
	}{
		{"plain text", "Ünïcode 日本 a\tb\n", "Ünïcode 日本 a\tb\n", "Ünïcode 日本 a\tb\n"},
		{"a colour that is not ours", "\x1b[31mred", `\u001b[31mred`, `\u001b[31mred`},
		{"a style of ours", "\x1b[1mbold\x1b[0m", `\u001b[1mbold\u001b[0m`, "\x1b[1mbold\x1b[0m"},
		{"styles of ours together", "\x1b[1;36mx\x1b[0m", `\u001b[1;36mx\u001b[0m`, "\x1b[1;36mx\x1b[0m"},
		{"a colour among styles of ours", "\x1b[1;31mx", `\u001b[1;31mx`, `\u001b[1;31mx`},
		{"the screen cleared", "\x1b[2Jx\x1b[12;3Hy", `\u001b[2Jx\u001b[12;3Hy`, `\u001b[2Jx\u001b[12;3Hy`},
		{"progress", "\r\x1b[K", `\u000d\u001b[K`, "\r\x1b[K"},
		{"a hyperlink", "\x1b]8;;http://evil\x07x", `\u001b]8;;http://evil\u0007x`, `\u001b]8;;http://evil\u0007x`},
		{"the clipboard", "\x1b]52;c;ZXZpbA==\x1b\\", `\u001b]52;c;ZXZpbA==\u001b\`, `\u001b]52;c;ZXZpbA==\u001b\`},
		{"C1 as a character", "\u009b2J", `\u009b2J`, `\u009b2J`},
		{"C1 as a byte", "\x9b2J", "\uFFFD2J", "\uFFFD2J"},
		{"bidi", "\u202eevil\u2066", `\u202eevil\u2066`, `\u202eevil\u2066`},
		{"hidden letters", "a\u200b\u00ad\U000E0041", `a\u200b\u00ad\udb40\udc41`, `a\u200b\u00ad\udb40\udc41`},
		{"joiners", "می\u200cخواهم 👩\u200d🔬", "می\u200cخواهم 👩\u200d🔬", "می\u200cخواهم 👩\u200d🔬"},
		{"backspaces and delete", "ab\b\x7f", `ab\u0008\u007f`, `ab\u0008\u007f`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for styles, want := range map[bool]string{false: c.piped, true: c.styled} {
				if got := escapedText(t, styles, c.in); got != want {
					t.Errorf("styles %v: %q, want %q", styles, got, want)
				}
				var bytewise []string
				for i := range len(c.in) {
					bytewise = append(bytewise, c.in[i:i+1])
				}
				if got := escapedText(t, styles, bytewise...); got != want {
					t.Errorf("styles %v, byte by byte: %q, want %q", styles, got, want)
				}
			}
		})
	}
}

// JSON that passes has the same value, and nothing that acts on a terminal.
func FuzzEscaping(f *testing.F) {
	f.Add("a\x1b[31m\u202e\U000E0041\u009b")
	f.Fuzz(func(t *testing.T, s string) {
		raw, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		got := escapedText(t, false, string(raw))
		var before, after string
		if json.Unmarshal(raw, &before) != nil || json.Unmarshal([]byte(got), &after) != nil || before != after {
			t.Errorf("%s became %s", raw, got)
		}
		for _, r := range got {
			if unicode.IsControl(r) && r != '\n' && r != '\t' || r == 0x202e || r == 0xE0041 {
				t.Errorf("%q lets %U through", got, r)
			}
		}
	})
}
