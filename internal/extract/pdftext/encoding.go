package pdftext

import (
	"strconv"
	"strings"

	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/types"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
	"golang.org/x/text/encoding/unicode"

	"github.com/research-mcp/research-mcp/internal/text"
)

// standardUpper is the part of Adobe's StandardEncoding that is not ASCII, from
// code 0xA1. A dot has no character.
const standardUpper = "¡¢£⁄¥ƒ§¤'“«‹›ﬁﬂ.–†‡·.¶•‚„”»…‰.¿.`´ˆ˜¯˘˙¨.˚¸.˝˛ˇ—................Æ.ª....ŁØŒº.....æ...ı..łøœß"

// byteTable is the text of each code of a simple font.
type byteTable [256]string

func standardTable() (t byteTable) {
	for c := byte(' '); c <= '~'; c++ {
		t[c] = string(rune(c))
	}
	t['\''], t['`'] = "’", "‘"
	at := 0xA1
	for _, r := range standardUpper {
		if r != '.' {
			t[at] = string(r)
		}
		at++
	}
	return t
}

func charmapTable(m *charmap.Charmap) (t byteTable) {
	for c := range t {
		t[c] = readable(string(m.DecodeByte(byte(c))))
	}
	return t
}

// symbolCodes are the codes of the font Symbol from 0x21 and from 0xA1. A dot is a
// piece of a bracket, or no character, except at 0x2E.
const (
	symbolLower = "!∀#∃%&∋()∗+,−./0123456789:;<=>?≅ΑΒΧΔΕΦΓΗΙϑΚΛΜΝΟΠΘΡΣΤΥςΩΞΨΖ[∴]⊥_.αβχδεφγηιϕκλμνοπθρστυϖωξψζ{|}∼"
	symbolUpper = "ϒ′≤⁄∞ƒ♣♦♥♠↔←↑→↓°±″≥×∝∂•÷≠≡≈….—↵ℵℑℜ℘⊗⊕∅∩∪⊃⊇⊄⊂⊆∈∉∠∇®©™∏√⋅¬∧∨⇔⇐⇑⇒⇓◊⟨®©™∑......⎧...⟩∫"
)

func symbolTable() (t byteTable) {
	for start, codes := range map[int]string{0x21: symbolLower, 0xA1: symbolUpper} {
		at := start
		for _, r := range codes {
			if r != '.' || at == 0x2E {
				t[at] = string(r)
			}
			at++
		}
	}
	t[' '] = " "
	return t
}

// The encodings of TeX's own fonts, from code 0. A dot that is not at 0x2E (OT1) or
// 0x3A (OML) has no character.
const (
	texText    = "ΓΔΘΛΞΠΣΥΦΨΩﬀﬁﬂﬃﬄıȷ`´ˇ˘¯˚¸ßæœøÆŒØ.!”#$%&’()*+,-./0123456789:;¡=¿?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[“]ˆ˙‘abcdefghijklmnopqrstuvwxyz–—˝˜¨"
	texMath    = "ΓΔΘΛΞΠΣΥΦΨΩαβγδϵζηθικλμνξπρστυϕχψωεϑϖϱςφ↼↽⇀⇁..▷◁0123456789.,<∕>⋆∂ABCDEFGHIJKLMNOPQRSTUVWXYZ♭♮♯⌣⌢ℓabcdefghijklmnopqrstuvwxyzıȷ℘..."
	texSymbols = "−·×∗÷⋄±∓⊕⊖⊗⊘⊙◯◦•≍≡⊆⊇≤≥⪯⪰∼≈⊂⊃≪≫≺≻←→↑↓↔↗↘≃⇐⇒⇑⇓⇔↖↙∝′∞∈∋△▽̸.∀∃¬∅ℜℑ⊤⊥ℵABCDEFGHIJKLMNOPQRSTUVWXYZ∪∩⊎∧∨⊢⊣⌊⌋⌈⌉{}⟨⟩|‖↕⇕∖≀√⨿∇∫⊔⊓⊑⊒§†‡¶♣♢♡♠"
)

var (
	texTextFont   = text.Pattern(`\b(?:CM(?:R|BX|TI|SL|SS|SSI|SSBX|BXTI|B|U|FF|DUNH|CSC|TCSC|TT|SLTT|ITT|SSDC|SSQ|SSQI)|LCMSS\w*)\d+$`)
	texMathFont   = text.Pattern(`\bCMM(?:I|IB)\d+$`)
	texSymbolFont = text.Pattern(`\bCMB?SY\d+$`)
)

// texTable is the built-in encoding of a font of TeX, known by its name.
func texTable(name string) (t byteTable, ok bool) {
	var codes string
	dot := 0x2E
	switch {
	case texTextFont().MatchString(name):
		codes = texText
	case texMathFont().MatchString(name):
		codes, dot = texMath, 0x3A
	case texSymbolFont().MatchString(name):
		codes = texSymbols
	default:
		return t, false
	}
	at := 0
	for _, r := range codes {
		if r != '.' || at == dot {
			t[at] = string(r)
		}
		at++
	}
	if codes == texText {
		t[0x20] = "" // the bar of a polish l
	}
	return t, true
}

// tableOf returns the encoding of a simple font: that of its dictionary, or of its
// font file, or of its kind.
func (f *file) tableOf(dict types.Dict) byteTable {
	base := strings.TrimLeft(f.name(dict["BaseFont"]), "ABCDEFGHIJKLMNOPQRSTUVWXYZ+")
	symbol := strings.HasSuffix(f.name(dict["BaseFont"]), "Symbol") && !strings.Contains(base, "UI")
	t, known := namedTable(f.name(dict["Encoding"]))
	if encoding := f.dict(dict["Encoding"]); encoding != nil {
		if t, known = namedTable(f.name(encoding["BaseEncoding"])); !known {
			t, known = f.builtIn(dict, symbol), true
		}
		f.differences(&t, encoding["Differences"], f.name(dict["Subtype"]) == "Type3")
	}
	if !known {
		t = f.builtIn(dict, symbol)
	}
	return t
}

func namedTable(name string) (t byteTable, ok bool) {
	switch name {
	case "WinAnsiEncoding":
		t = charmapTable(charmap.Windows1252)
		t[0xAD] = "\u00AD"
		return t, true
	case "MacRomanEncoding":
		return charmapTable(charmap.Macintosh), true
	case "StandardEncoding":
		return standardTable(), true
	}
	return t, false
}

// differences reads the glyph names of an encoding. In a bitmap font they are often
// numbers of TeX's codes.
func (f *file) differences(t *byteTable, o types.Object, bitmap bool) {
	at := 0
	for _, item := range f.array(o) {
		switch v := f.object(item).(type) {
		case types.Integer:
			at = int(v)
		case types.Name:
			if at >= 0 && at < len(t) {
				t[at] = glyphText(v.Value())
				if m := numberedGlyph().FindStringSubmatch(v.Value()); m != nil && bitmap && t[at] == "" {
					t[at] = bitmapText(m[1])
				}
			}
			at++
		}
	}
}

var numberedGlyph = text.Pattern(`^[A-Za-z]{1,2}(\d{1,3})$`)

// bitmapCodes are the codes below the space that TeX's two encodings of text give to
// different characters than ASCII.
var bitmapCodes = map[int]string{
	0x0B: "ff", 0x0C: "fi", 0x0D: "fl", 0x0E: "ffi", 0x0F: "ffl", 0x10: "“", 0x11: "”", 0x15: "–", 0x16: "—",
	0x1B: "ff", 0x1C: "fi", 0x1D: "fl", 0x1E: "ffi", 0x1F: "ffl", 0x27: "’", 0x60: "‘", 0x7B: "–", 0x7C: "—", 0x88: "•", 0xDF: "SS", 0xFF: "ß",
}

func bitmapText(digits string) string {
	n, err := strconv.Atoi(digits)
	if s, ok := bitmapCodes[n]; ok {
		return s
	}
	if err != nil || n <= ' ' || n >= 0x7F && n < 0xC0 || n > 0xFF {
		return ""
	}
	return string(rune(n))
}

// type1Glyph is a line of the encoding in the clear part of a Type 1 font file.
var type1Glyph = text.Pattern(`dup\s+(\d{1,3})\s*/([\w.]+)\s+put`)

// builtIn is the encoding of a font that names none.
func (f *file) builtIn(dict types.Dict, symbol bool) byteTable {
	if symbol {
		return symbolTable()
	}
	descriptor := f.dict(dict["FontDescriptor"])
	if program := descriptor["FontFile"]; program != nil {
		raw, _ := f.stream(program)
		if found := type1Glyph().FindAllSubmatch(raw[:min(len(raw), 32<<10)], 256); len(found) > 0 {
			var t byteTable
			for _, m := range found {
				if c, err := strconv.Atoi(string(m[1])); err == nil && c < len(t) {
					t[c] = glyphText(string(m[2]))
				}
			}
			return t
		}
	}
	if t, ok := texTable(f.name(dict["BaseFont"])); ok {
		return t
	}
	if f.name(dict["Subtype"]) == "TrueType" {
		return charmapTable(charmap.Windows1252)
	}
	return standardTable()
}

// decoderOf returns the encoding of a predefined CMap of a font for Chinese, Japanese
// or Korean whose codes are text; nil for others.
func decoderOf(name string) *encoding.Decoder {
	switch {
	case strings.Contains(name, "UCS2"), strings.Contains(name, "UTF16"):
		return unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM).NewDecoder()
	case strings.HasPrefix(name, "GBK"), strings.HasPrefix(name, "GB-EUC"):
		return simplifiedchinese.GBK.NewDecoder()
	case strings.Contains(name, "RKSJ"):
		return japanese.ShiftJIS.NewDecoder()
	case strings.HasPrefix(name, "EUC-"):
		return japanese.EUCJP.NewDecoder()
	case strings.HasPrefix(name, "KSC"):
		return korean.EUCKR.NewDecoder()
	case strings.HasPrefix(name, "B5"), strings.HasPrefix(name, "ETen"), strings.HasPrefix(name, "ETenms"), strings.HasPrefix(name, "HKscs"):
		return traditionalchinese.Big5.NewDecoder()
	}
	return nil
}
