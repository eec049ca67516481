package decode

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/net/html/charset"
)

// encoded is s in the encoding name.
func encoded(tb testing.TB, name, s string) []byte {
	tb.Helper()
	enc, _ := charset.Lookup(name)
	out, err := enc.NewEncoder().Bytes([]byte(s))
	if err != nil {
		tb.Fatalf("%s cannot encode %q: %v", name, s, err)
	}
	return out
}

const (
	russian  = "Мост через реку закрыт на ремонт до конца сентября, сообщили в мэрии."
	chinese  = "大桥因维修关闭至九月底，市政府表示。请绕行北岸公路。"
	japanese = "橋は修理のため九月末まで閉鎖されると市が発表した。"
	korean   = "다리는 구월 말까지 수리를 위해 폐쇄된다고 시가 발표했다."
	german   = "Die Brücke über den Fluß wird für größere Schiffe geöffnet."
	french   = "Les élèves étaient arrivés à l’école près de la forêt – où ça sentait déjà l’été."
)

// Text without a declaration is guessed, and the result says so.
func TestUndeclaredEncodingsAreGuessed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, text string }{
		{"windows-1251", russian},
		{"windows-1251", "Привет, мир"},
		{"koi8-r", russian},
		{"koi8-u", "Міст закрито на ремонт до кінця вересня. Їдьте північним шосе, є інший ґанок."},
		{"gbk", chinese},
		{"gbk", "山区天气多变"},
		{"big5", "大橋因維修關閉至九月底，市政府表示。請繞行北岸公路。"},
		{"shift_jis", japanese},
		{"shift_jis", "こんにちは世界"},
		{"euc-jp", japanese},
		{"euc-kr", korean},
		{"euc-kr", "안녕하세요"},
		{"windows-1252", german},
		{"windows-1252", french},
		{"windows-1252", "A café by the sea"},
		{"windows-1252", "The price is 20 € – “fixed”"},
		{"windows-1250", "Zażółć gęślą jaźń. Most został zamknięty z powodu remontu, więc ruch skierowano objazdem."},
		{"windows-1253", "Η γέφυρα έκλεισε για επισκευές μέχρι το τέλος του Σεπτεμβρίου."},
		{"windows-1256", "أغلق الجسر للإصلاحات حتى نهاية شهر سبتمبر، بحسب البلدية."},
		{"iso-2022-jp", japanese},
	} {
		for form, h := range map[string]Hints{"text": {}, "page": {Markup: true}} {
			body := c.text
			if h.Markup {
				body = "<html><head><title>" + c.text + "</title></head><body><p class=text>" + c.text + "</p></body></html>"
			}
			got := Bytes(encoded(t, c.name, body), h)
			if got.Text != body || !got.Guessed || got.Replaced != 0 || len(got.Warnings()) != 1 {
				t.Errorf("%s of %q in %s: %+v", form, c.text, c.name, got)
			}
		}
	}
}

// The language of a page decides where the bytes leave it open.
func TestTheLanguageOfAPageHelps(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ lang, name, text string }{
		{"th", "windows-874", "สะพานปิดซ่อมจนถึงสิ้นเดือนกันยายน"},
		{"lt-LT", "windows-1257", "Tiltas uždarytas remontui iki rugsėjo pabaigos, Šiaulių gatvė"},
		{"cs", "windows-1250", "Příliš žluťoučký kůň úpěl ďábelské ódy"},
		{"ru", "windows-1251", "Ёж"},
		{"zh-TW", "big5", "大橋"},
		{"ja", "euc-jp", japanese}, // the bytes say it is not Shift_JIS
	} {
		page := "<html class=x lang='" + c.lang + "'><body>" + c.text + "</body></html>"
		if got := Bytes(encoded(t, c.name, page), Hints{Markup: true}); got.Text != page || !got.Guessed {
			t.Errorf("%s in %s: %+v", c.lang, c.name, got)
		}
	}
}

// The declaration that fits the bytes counts, wherever it is.
func TestDeclarations(t *testing.T) {
	t.Parallel()
	page := func(head, body string) string {
		return "<html><head>" + head + "</head><body>" + body + "</body></html>"
	}
	for name, c := range map[string]struct {
		header, encoding, page string
		wantReplaced           int
	}{
		"header":                              {"text/html; charset=windows-1251", "windows-1251", page("", russian), 0},
		"header in quotes":                    {`text/html; Charset="KOI8-R"`, "koi8-r", page("", russian), 0},
		"meta":                                {"text/html", "gbk", page("<meta charset=GB2312>", chinese), 0},
		"meta http-equiv":                     {"", "shift_jis", page(`<META HTTP-EQUIV="Content-Type" CONTENT="text/html; charset=x-sjis">`, japanese), 0},
		"meta behind a long script":           {"", "windows-1250", page("<script>"+strings.Repeat("var a = '<meta charset=koi8-r>';\n", 200)+"</script><meta charset=windows-1250>", "Příliš žluťoučký kůň"), 0},
		"meta behind a comment":               {"", "windows-1257", page("<!-- <meta charset=koi8-r> --><meta charset=windows-1257>", "Šiaulių gatvė"), 0},
		"XML declaration":                     {"application/xhtml+xml", "iso-8859-2", `<?xml version="1.0" encoding='ISO-8859-2'?>` + page("", "Zażółć gęślą jaźń"), 0},
		"valid UTF-8 and a header of Latin-1": {"text/html; charset=iso-8859-1", "utf-8", page("", german), 0},
		"valid UTF-8 and a meta of GBK":       {"text/html", "utf-8", page("<meta charset=gbk>", chinese), 0},
		"a header of Latin-1, a meta of GBK":  {"text/html; charset=ISO-8859-1", "gbk", page("<meta charset=gbk>", chinese), 0},
		"Latin-1 as declared":                 {"text/html; charset=ISO-8859-1", "windows-1252", page("", french), 0},
		"ISO-2022-JP in the header":           {"text/html; charset=iso-2022-jp", "iso-2022-jp", page("", japanese), 0},
		"a code page's name":                  {"text/plain; charset=cp936", "gbk", page("", chinese), 0},
	} {
		got := Bytes(encoded(t, c.encoding, c.page), Hints{ContentType: c.header, Markup: true})
		if got.Text != c.page || got.Guessed || got.Replaced != c.wantReplaced || len(got.Warnings()) != 0 {
			t.Errorf("%s: %+v, want %q", name, got, c.page)
		}
	}
}

// A declaration that the bytes contradict is not followed, and the result names it.
func TestWrongDeclarations(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ declared, encoding, text string }{
		{"utf-8", "gbk", chinese},
		{"utf-8", "windows-1252", german + " " + french},
		{"iso-8859-1", "windows-1251", russian},
		{"iso-8859-1", "shift_jis", japanese},
		{"x-unknown", "euc-kr", korean},
	} {
		got := Bytes(encoded(t, c.encoding, c.text), Hints{ContentType: "text/plain; charset=" + c.declared})
		if got.Text != c.text || !got.Guessed || got.Declared != c.declared {
			t.Errorf("%s declared as %s: %+v", c.encoding, c.declared, got)
		}
		if all := strings.Join(got.Warnings(), " "); !strings.Contains(all, c.declared) || !strings.Contains(all, got.Charset) {
			t.Errorf("%s declared as %s: warnings %q", c.encoding, c.declared, all)
		}
	}
}

// One byte that is no character costs one character, not the text around it.
func TestOneBadByteCostsOneCharacter(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ header, encoding, before, after string }{
		{"", "utf-8", "Die Brücke ", " über den Fluß"},
		{"text/html; charset=utf-8", "utf-8", "The bridge ", " is open"},
		{"text/html; charset=iso-8859-1", "utf-8", "Brücke, Fluß, größer, öffnen ", " schließen"},
		{"text/html; charset=gbk", "gbk", chinese + " ", " " + chinese},
		{"text/html; charset=shift_jis", "shift_jis", japanese + " ", " " + japanese},
		{"text/html; charset=euc-kr", "euc-kr", korean + " ", " " + korean},
	} {
		raw := slices.Concat(encoded(t, c.encoding, c.before), []byte("\xff"), encoded(t, c.encoding, c.after))
		got := Bytes(raw, Hints{ContentType: c.header})
		if want := c.before + "\uFFFD" + c.after; got.Text != want || got.Replaced != 1 || len(got.Warnings()) != 1 {
			t.Errorf("%s, %q: %+v, want %q", c.encoding, c.header, got, want)
		}
	}
}

func TestByteOrderMarks(t *testing.T) {
	t.Parallel()
	const s = "Die Brücke 大桥 😀\n"
	for name, mark := range map[string]string{"utf-8": "\xEF\xBB\xBF", "utf-16le": "\xFF\xFE", "utf-16be": "\xFE\xFF"} {
		raw := append([]byte(mark), encoded(t, name, s)...)
		// The mark counts more than a header.
		if got := Bytes(raw, Hints{ContentType: "text/plain; charset=windows-1252"}); got.Text != s || got.Charset != name || got.Guessed || got.Replaced != 0 {
			t.Errorf("%s: %+v", name, got)
		}
	}
	for name, raw := range map[string]string{"utf-32le": "\xFF\xFE\x00\x00a\x00\x00\x00\xFC\x00\x00\x00", "utf-32be": "\x00\x00\xFE\xFF\x00\x00\x00a\x00\x00\x00\xFC"} {
		if got := Bytes([]byte(raw), Hints{}); got.Text != "aü" || got.Charset != name {
			t.Errorf("%s: %+v", name, got)
		}
	}
	for _, name := range []string{"utf-16le", "utf-16be"} {
		for _, text := range []string{russian, japanese + "　12 km", korean + " 2026"} {
			page := "<p>" + text + "</p>"
			if got := Bytes(encoded(t, name, page), Hints{Markup: true}); got.Text != page || got.Charset != name || !got.Guessed {
				t.Errorf("%s without a mark: %+v, want %q", name, got, page)
			}
		}
		raw := encoded(t, name, "host,port\r\norion,5432\r\nüber,1\r\n")
		if got := Bytes(raw, Hints{}); got.Text != "host,port\r\norion,5432\r\nüber,1\r\n" || got.Charset != name || !got.Guessed {
			t.Errorf("%s without a mark: %+v", name, got)
		}
		if got := MediaType(raw); !strings.HasPrefix(got, "text/plain") {
			t.Errorf("MediaType of %s without a mark = %q", name, got)
		}
	}
}

// The type is that of the text, whatever the encoding.
func TestMediaType(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ raw, want string }{
		{"plain", "text/plain"},
		{"<!doctype html><p>", "text/html"},
		{"\xFF\xFE" + string(encoded(t, "utf-16le", "<!doctype html><p>")), "text/html"},
		{string(encoded(t, "utf-16be", "<!doctype html><p>")), "text/html"},
		{"\xFE\xFF" + string(encoded(t, "utf-16be", "host,port")), "text/plain"},
		{"\x00\x01\x02\x03", "application/octet-stream"},
		{"a text with one\x00 control character", "text/plain"},
		{"<!doctype html><title>x\x01</title>", "text/html"},
		{strings.Repeat("a\x00\x01\x02", 100), "application/octet-stream"},
		{"%PDF-1.7", "application/pdf"},
		{"", "text/plain"},
	} {
		if got := MediaType([]byte(c.raw)); !strings.HasPrefix(got, c.want) {
			t.Errorf("MediaType(%q) = %q, want %q", c.raw, got, c.want)
		}
	}
}

// What was cut in the middle of a character loses that character only.
func TestCutInACharacter(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"utf-8", "gbk", "shift_jis", "utf-16le"} {
		raw := encoded(t, name, "a大")
		if name == "utf-16le" {
			raw = append([]byte("\xFF\xFE"), raw...)
		}
		got := Bytes(raw[:len(raw)-1], Hints{ContentType: "text/plain; charset=" + name, Cut: true})
		if got.Text != "a" || got.Replaced != 0 {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// A guess does not depend on chance.
func TestGuessIsDeterministic(t *testing.T) {
	t.Parallel()
	raw := encoded(t, "gbk", "大桥")
	first := Bytes(raw, Hints{})
	for range 50 {
		if got := Bytes(raw, Hints{}); got != first {
			t.Fatalf("%+v, then %+v", first, got)
		}
	}
}

func FuzzBytes(f *testing.F) {
	for name, s := range map[string]string{"gbk": chinese, "shift_jis": japanese, "euc-kr": korean, "windows-1251": russian, "iso-2022-jp": japanese, "utf-16le": german, "windows-1252": french} {
		f.Add(encoded(f, name, s), "text/html; charset="+name, true, true)
		f.Add(encoded(f, name, s), "", false, false)
	}
	f.Add([]byte("<?xml version='1.0' encoding='utf-7'?><meta charset=x>\xff\xfe\x00"), "text/html; charset=", true, false)
	f.Add([]byte("\x1b$)C\x0e4Y8.\x0f \x1b$)A\x0e4s"), "text/plain; charset=iso-2022-kr", false, false)
	f.Add([]byte("Br+APw-cke +- +2D3eAA-+"), "text/plain; charset=utf-7", true, false)
	f.Add([]byte("~{4sGE~} \xa1\xdb"), "text/plain; charset=x-mac-greek", false, true)
	f.Fuzz(func(t *testing.T, raw []byte, header string, markup, cut bool) {
		got := Bytes(raw, Hints{ContentType: header, Markup: markup, Cut: cut})
		if !utf8.ValidString(got.Text) || got.Charset == "" {
			t.Fatalf("%+v", got)
		}
		// No encoding has characters of more than 16 bytes in UTF-8 for one byte.
		if len(got.Text) > 16*len(raw)+16 {
			t.Fatalf("%d bytes of %d", len(got.Text), len(raw))
		}
	})
}

func BenchmarkGuess(b *testing.B) {
	for name, raw := range map[string][]byte{"short": encoded(b, "gbk", "大桥因维修关闭"), "long": encoded(b, "gbk", strings.Repeat(chinese, 4000))} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(raw)))
			for b.Loop() {
				Bytes(raw, Hints{})
			}
		})
	}
}

func TestNoGuess(t *testing.T) {
	t.Parallel()
	cyrillic := encoded(t, "windows-1251", russian)
	for declared, want := range map[string]string{"windows-1251": "windows-1251", "iso-8859-1": "windows-1252", "utf-9": "utf-8", "": "utf-8"} {
		r := Bytes(cyrillic, Hints{ContentType: "text/xml; charset=" + declared, NoGuess: true})
		if r.Charset != want || r.Guessed || want == "utf-8" && r.Replaced == 0 {
			t.Errorf("declared %q: %s, guessed %v, replaced %d, want %s", declared, r.Charset, r.Guessed, r.Replaced, want)
		}
	}
}
