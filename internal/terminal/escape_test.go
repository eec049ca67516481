package terminal

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode"
)

// testKey is what newKey returns in production.
const testKey = "4294967296"

func escapedText(t *testing.T, styles bool, parts ...string) string {
	t.Helper()
	var out bytes.Buffer
	var screen Screen
	if styles {
		screen = Screen{Width: 80, Bold: true, Color: true, key: testKey}
	}
	w := Escaping(&out, screen)
	for _, p := range parts {
		if n, err := w.Write([]byte(p)); err != nil || n != len(p) {
			t.Fatalf("Write(%q) = %d, %v", p, n, err)
		}
	}
	return out.String()
}

func TestEscaping(t *testing.T) {
	t.Parallel()
	ours := Screen{Bold: true, Color: true, key: testKey}
	for _, c := range []struct {
		name, in, piped, styled string
	}{
		{"plain text", "Ünïcode 日本 a\tb\n", "Ünïcode 日本 a\tb\n", "Ünïcode 日本 a\tb\n"},
		{"a colour that is not ours", "\x1b[31mred", `\u001b[31mred`, `\u001b[31mred`},
		{"a style of ours", ours.Heading("bold"), `\u001b[4294967296;1mbold\u001b[4294967296;0m`, "\x1b[1mbold\x1b[0m"},
		{"styles of ours together", ours.show("x", bold.with(cyan)), `\u001b[4294967296;1;36mx\u001b[4294967296;0m`, "\x1b[1;36mx\x1b[0m"},
		{"a style of ours, written by others", "\x1b[1mbold\x1b[0m", `\u001b[1mbold\u001b[0m`, `\u001b[1mbold\u001b[0m`},
		{"the key of another process", "\x1b[4294967297;1mx\x1b[429496729;1m", `\u001b[4294967297;1mx\u001b[429496729;1m`, `\u001b[4294967297;1mx\u001b[429496729;1m`},
		{"an unfinished code of ours", "\x1b[4294967296;" + strings.Repeat("1;", 20) + "m", `\u001b[4294967296;` + strings.Repeat("1;", 20) + "m", `\u001b[4294967296;` + strings.Repeat("1;", 20) + "m"},
		{"the screen cleared", "\x1b[2Jx\x1b[12;3Hy", `\u001b[2Jx\u001b[12;3Hy`, `\u001b[2Jx\u001b[12;3Hy`},
		{"progress", ours.Redraw("1 of 2"), `\u001b[4294967296K1 of 2`, "\r\x1b[K1 of 2"},
		{"a line that others would redraw", "failed: x\r\x1b[Kall is well\rok", `failed: x\u000d\u001b[Kall is well\u000dok`, `failed: x\u000d\u001b[Kall is well\u000dok`},
		{"lines of Windows and printers", "a\r\nb\vc\fd\u0085e", `a\u000d` + "\n" + `b\u000bc\u000cd\u0085e`, `a\u000d` + "\n" + `b\u000bc\u000cd\u0085e`},
		{"separators of lines, and the mark of order", "a\u2028b\u2029\ufeffc", `a\u2028b\u2029\ufeffc`, `a\u2028b\u2029\ufeffc`},
		{"variants that there are", "❤\ufe0f 葛\U000E0100 1\ufe0f\u20e3", "❤\ufe0f 葛\U000E0100 1\ufe0f\u20e3", "❤\ufe0f 葛\U000E0100 1\ufe0f\u20e3"},
		{"a message in selectors", "x\ufe00 😀\ufe0f\ufe01\U000E0120", `x\ufe00 😀` + "\ufe0f" + `\ufe01\udb40\udd20`, `x\ufe00 😀` + "\ufe0f" + `\ufe01\udb40\udd20`},
		{"a message in joiners", "a\u200c می\u200c\u200d\u200dx", `a\u200c می` + "\u200c" + `\u200d\u200dx`, `a\u200c می` + "\u200c" + `\u200d\u200dx`},
		{"letters without a glyph", "a\u3164\u115f\u034f\uffa0\ufdd0", `a\u3164\u115f\u034f\uffa0\ufdd0`, `a\u3164\u115f\u034f\uffa0\ufdd0`},
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
