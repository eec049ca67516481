package pdftext

import (
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// accents are the ends of glyph names that add a mark to a letter.
var accents = []struct{ suffix, mark string }{
	{"acute", "\u0301"}, {"grave", "\u0300"}, {"circumflex", "\u0302"}, {"dieresis", "\u0308"}, {"tilde", "\u0303"}, {"caron", "\u030C"},
	{"cedilla", "\u0327"}, {"commaaccent", "\u0327"}, {"ring", "\u030A"}, {"macron", "\u0304"}, {"breve", "\u0306"}, {"ogonek", "\u0328"},
	{"dotaccent", "\u0307"}, {"hungarumlaut", "\u030B"}, {"tonos", "\u0301"},
}

// glyphNames are the names of glyphs that do not follow a rule, of the Adobe Glyph
// List and of TeX's fonts, in pairs.
var glyphNames = pairs(`
space   exclam ! quotedbl " numbersign # dollar $ percent % ampersand & quotesingle ' quoteright ’ quoteleft ‘ parenleft ( parenright ) asterisk * plus +
comma , hyphen - minus − period . slash / zero 0 one 1 two 2 three 3 four 4 five 5 six 6 seven 7 eight 8 nine 9 colon : semicolon ; less < equal =
greater > question ? at @ bracketleft [ backslash \ bracketright ] asciicircum ^ underscore _ grave ` + "`" + ` braceleft { bar | braceright } asciitilde ~
exclamdown ¡ cent ¢ sterling £ currency ¤ yen ¥ brokenbar ¦ section § dieresis ¨ copyright © ordfeminine ª guillemotleft « guillemotright »
logicalnot ¬ registered ® macron ¯ degree ° plusminus ± twosuperior ² threesuperior ³ onesuperior ¹ acute ´ mu µ mu1 µ paragraph ¶ periodcentered ·
middot · cedilla ¸ ordmasculine º onequarter ¼ onehalf ½ threequarters ¾ questiondown ¿ AE Æ ae æ Eth Ð eth ð multiply × Oslash Ø oslash ø
Thorn Þ thorn þ germandbls ß divide ÷ dotlessi ı dotlessj ȷ Lslash Ł lslash ł OE Œ oe œ Dcroat Đ dcroat đ Hbar Ħ hbar ħ Tbar Ŧ tbar ŧ Eng Ŋ eng ŋ
kgreenlandic ĸ florin ƒ circumflex ˆ caron ˇ breve ˘ dotaccent ˙ ring ˚ ogonek ˛ tilde ˜ hungarumlaut ˝ endash – emdash — underscoredbl ‗
quotesinglbase ‚ quotedblleft “ quotedblright ” quotedblbase „ dagger † daggerdbl ‡ bullet • ellipsis … perthousand ‰ minute ′ second ″
guilsinglleft ‹ guilsinglright › fraction ⁄ Euro € euro € trademark ™ numero № estimated ℮ ff ff fi fi fl fl ffi ffi ffl ffl f_f ff f_i fi f_l fl f_f_i ffi f_f_l ffl
Alpha Α Beta Β Gamma Γ Delta Δ Epsilon Ε Zeta Ζ Eta Η Theta Θ Iota Ι Kappa Κ Lambda Λ Mu Μ Nu Ν Xi Ξ Omicron Ο Pi Π Rho Ρ Sigma Σ Tau Τ Upsilon Υ Phi Φ
Chi Χ Psi Ψ Omega Ω alpha α beta β gamma γ delta δ epsilon ε epsilon1 ϵ epsiloninv ϵ zeta ζ eta η theta θ theta1 ϑ iota ι kappa κ lambda λ nu ν xi ξ
omicron ο pi π pi1 ϖ rho ρ rho1 ϱ sigma σ sigma1 ς tau τ upsilon υ phi φ phi1 ϕ chi χ psi ψ omega ω omega1 ϖ
arrowleft ← arrowup ↑ arrowright → arrowdown ↓ arrowboth ↔ arrowupdn ↕ arrowdblleft ⇐ arrowdblup ⇑ arrowdblright ⇒ arrowdbldown ⇓ arrowdblboth ⇔
mapsto ↦ carriagereturn ↵ universal ∀ existential ∃ emptyset ∅ gradient ∇ nabla ∇ element ∈ notelement ∉ suchthat ∋ product ∏ summation ∑ asteriskmath ∗
radical √ proportional ∝ infinity ∞ angle ∠ logicaland ∧ logicalor ∨ intersection ∩ union ∪ integral ∫ therefore ∴ similar ∼ congruent ≅ approxequal ≈
notequal ≠ equivalence ≡ lessequal ≤ greaterequal ≥ lessmuch ≪ greatermuch ≫ propersubset ⊂ propersuperset ⊃ notsubset ⊄ reflexsubset ⊆ reflexsuperset ⊇
circleplus ⊕ circlemultiply ⊗ perpendicular ⊥ dotmath ⋅ partialdiff ∂ lozenge ◊ spade ♠ club ♣ heart ♥ diamond ♦ aleph ℵ Ifraktur ℑ Rfraktur ℜ weierstrass ℘
angbracketleft ⟨ angbracketright ⟩ angleleft ⟨ angleright ⟩ prime ′ bardbl ‖ openbullet ◦ square □ filledbox ■ triangleright ▷ checkmark ✓ ell ℓ negationslash ̸
minusplus ∓ owner ∋ turnstileleft ⊢ star ⋆ precedesequal ⪯ follows ≻ precedes ≺ logicalandtext ∧ integraltext ∫ integraldisplay ∫ summationtext ∑
summationdisplay ∑ producttext ∏ productdisplay ∏ radicalbig √ radicalBig √ parenleftbig ( parenrightbig ) parenleftBig ( parenrightBig ) parenleftbigg (
parenrightbigg ) bracketleftbig [ bracketrightbig ] bracketleftbigg [ bracketrightbigg ] bracketleftBig [ bracketrightBig ] braceleftbig { bracerightbig }
hyphentwo ‐ nbspace   nonbreakingspace   afii61352 № visiblespace ␣ quotedblrev ‟
`)

// pairs returns a function that on its first call reads names and characters in turn.
// The character of "space" is a space.
func pairs(s string) func() map[string]string {
	return sync.OnceValue(func() map[string]string { return readPairs(s) })
}

func readPairs(s string) map[string]string {
	out := map[string]string{"space": " ", "nbspace": " ", "nonbreakingspace": " ", "sfthyphen": "\u00AD", "softhyphen": "\u00AD"}
	var name string
	for _, f := range strings.Fields(s) {
		switch {
		case f == "space" || f == "nbspace" || f == "nonbreakingspace":
		case name == "":
			name = f
		default:
			out[name], name = f, ""
		}
	}
	return out
}

// glyphText returns the text of a glyph by its name, "" if the name does not say.
func glyphText(name string) string {
	if s, ok := glyphNames()[name]; ok {
		return s
	}
	base, variant, _ := strings.Cut(name, ".") // "a.sc" is a small capital of a
	if variant != "" && base != "" {
		return glyphText(base)
	}
	if len(name) == 1 {
		return name
	}
	if s, ok := glyphByNumber(name); ok {
		return s
	}
	for _, a := range accents {
		letter, ok := strings.CutSuffix(name, a.suffix)
		if !ok || letter == "" {
			continue
		}
		if s := glyphText(letter); utf8.RuneCountInString(s) == 1 {
			return norm.NFC.String(s + a.mark)
		}
	}
	if strings.Contains(name, "_") { // a ligature
		var out strings.Builder
		for part := range strings.SplitSeq(name, "_") {
			if part == "" || strings.Contains(part, "_") {
				return ""
			}
			out.WriteString(glyphText(part))
		}
		return out.String()
	}
	return ""
}

// glyphByNumber reads "uni00410042" and "u1F600".
func glyphByNumber(name string) (string, bool) {
	if digits, ok := strings.CutPrefix(name, "uni"); ok && len(digits) >= 4 && len(digits)%4 == 0 && len(digits) <= 32 {
		var out strings.Builder
		for i := 0; i < len(digits); i += 4 {
			n, err := strconv.ParseUint(digits[i:i+4], 16, 32)
			if err != nil {
				return "", false
			}
			out.WriteRune(rune(n))
		}
		return readable(out.String()), true
	}
	if digits, ok := strings.CutPrefix(name, "u"); ok && len(digits) >= 4 && len(digits) <= 6 {
		if n, err := strconv.ParseUint(digits, 16, 32); err == nil {
			return readable(string(rune(n))), true
		}
	}
	return "", false
}
