package decode

import (
	"strings"
	"testing"
)

// Encodings that golang.org/x/text lacks, as Python's codecs write them.
func TestOwnEncodings(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ declared, raw, want string }{
		{"iso-2022-kr", "\x1b$)C\x0e4Y8.4B\x0f \x0e18?y\x0f \x0e8;1nAv\x0f", "다리는 구월 말까지"},
		{"csISO2022KR", "\x1b$)Cport \x0e4Y8.\x0f\n4 km", "port 다리\n4 km"},
		{"iso-2022-cn", "\x1b$)A\x0e4sGE\x0f is shut", "大桥 is shut"},
		{"hz-gb-2312", "~{4sGERrN,P^9X1U~} ~~ 7", "大桥因维修关闭 ~ 7"},
		{"utf-7", "Br+APw-cke & Flu+AN8 +- +WSdoZQ-", "Brücke & Fluß + 大桥"},
		{"UTF-7", "smile +2D3eAA-, 2 + 2", "smile 😀, 2 + 2"},
		{"cp1125", "\x8c\xf7\xe1\xe2 \xe7\xa5\xe0\xa5\xa7 \xe0\xf7\xe7\xaa\xe3 \xf2\xa0\xad\xae\xaa", "Міст через річку Ґанок"},
		{"cp866u", "\xf4\xa2\xe0\xae\xaf\xa0", "Європа"},
		{"x-mac-greek", "\xa1\xdb\xe6\xf9\xf2\xe1", "Γέφυρα"},
		{"macintosh-ce", "\xfb\x97\xb8\x8d", "Żółć"},
		{"ibm737", "\x82\xe2\xad\xac\xa8\x98", "Γέφυρα"},
	} {
		got := Bytes([]byte(c.raw), Hints{ContentType: "text/plain; charset=" + c.declared})
		if got.Text != c.want || got.Guessed || got.Replaced != 0 {
			t.Errorf("%s: %+v, want %q", c.declared, got, c.want)
		}
	}
	if got := Bytes([]byte("a+b-c ~{x~}"), Hints{}); got.Text != "a+b-c ~{x~}" {
		t.Errorf("without a declaration: %q", got.Text)
	}
	if got := Bytes([]byte("\x1b$)C\x0e4Y8.4B\x0f \x0e18?y\x0f \x0e8;1nAv\x0f"), Hints{}); !got.Guessed || got.Text != "다리는 구월 말까지" {
		t.Errorf("ISO-2022-KR without a declaration: %+v", got)
	}
	for name, upper := range codePages {
		if n := len([]rune(upper)); n != 128 {
			t.Errorf("%s has %d characters, want 128", name, n)
		}
	}
	for label, name := range codePageNames {
		if codePages[name] == "" {
			t.Errorf("%s is named %s, which there is not", label, name)
		}
	}
}

// UTF-16 without ASCII, and UTF-32, are known without a mark.
func TestWideWithoutMark(t *testing.T) {
	t.Parallel()
	greek := strings.Repeat("Γέφυραποταμούλιμάνι", 2)
	for _, name := range []string{"utf-16le", "utf-16be"} {
		for _, text := range []string{strings.ReplaceAll(russian, " ", ""), greek, chinese, japanese} {
			raw := encoded(t, name, text)
			got := Bytes(raw, Hints{})
			if got.Text != text || got.Charset != name || !got.Guessed {
				t.Errorf("%s of %q: %+v", name, text, got)
			}
			if kind := MediaType(raw); !strings.HasPrefix(kind, "text/plain") {
				t.Errorf("MediaType of %s of %q = %q", name, text, kind)
			}
			if got := Bytes(raw, Hints{ContentType: "text/plain; charset=" + name}); got.Text != text || got.Guessed {
				t.Errorf("%s declared: %+v", name, got)
			}
		}
	}
	if got := Bytes(encoded(t, "utf-16le", korean), Hints{ContentType: "text/plain; charset=utf-16"}); got.Text != korean {
		t.Errorf("utf-16 declared: %+v", got)
	}
	for name, unit := range map[string]func(rune) string{
		"utf-32le": func(r rune) string { return string([]byte{byte(r), byte(r >> 8), byte(r >> 16), 0}) },
		"utf-32be": func(r rune) string { return string([]byte{0, byte(r >> 16), byte(r >> 8), byte(r)}) },
	} {
		for _, text := range []string{"Die Brücke 大桥 😀\n", russian} {
			var raw strings.Builder
			for _, r := range text {
				raw.WriteString(unit(r))
			}
			if got := Bytes([]byte(raw.String()), Hints{}); got.Text != text || got.Charset != name || !got.Guessed {
				t.Errorf("%s: %+v, want %q", name, got, text)
			}
			if kind := MediaType([]byte(raw.String())); !strings.HasPrefix(kind, "text/plain") {
				t.Errorf("MediaType of %s = %q", name, kind)
			}
		}
	}
	for _, c := range []struct{ name, text string }{{"gbk", chinese}, {"shift_jis", japanese}, {"euc-kr", korean}, {"windows-1251", russian}} {
		if got := Bytes(encoded(t, c.name, strings.Repeat(c.text, 3)), Hints{}); got.Text != strings.Repeat(c.text, 3) {
			t.Errorf("%s is taken for %s", c.name, got.Charset)
		}
	}
}
