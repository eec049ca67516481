package text

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// TokenBound estimates from above how many tokens s is for a language model, by the
// rules of OpenAI's tokenizer o200k: pieces of letters in one case, of up to three
// digits, of signs, of white space. The tokens of a piece are not looked up, they are
// estimated from its letters, and rather too high: the bound holds for texts of some
// sentences, in any language, and for code, tables, addresses, and random letters and
// digits. It does not hold for words made to need many tokens. EstimateTokens is
// nearer to the true number and often below it.
func TokenBound(s string) int {
	b := tokenBound{}
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			b.ascii(c)
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		b.endWord()
		b.cost += runeCost(r)
		b.last = utf8.RuneSelf
		i += size
	}
	b.endWord()
	return (b.cost + b.cost/margin + centi - 1) / centi
}

// centi is one token: costs are counted in hundredths.
const centi = 100

// margin is the part of the cost that is added for what the estimate does not see.
const margin = 40

type tokenBound struct {
	cost   int
	last   byte // the character before, utf8.RuneSelf for any that is not ASCII
	before byte // the one before it

	letters, upper, rare int // of the current piece of letters: all, capitals, unusual pairs
	digits               int // of the current number
}

func (b *tokenBound) ascii(c byte) {
	repeated := c == b.last && b.before == c
	b.before = b.last
	switch {
	case isLetter(c):
		b.letter(c)
	case '0' <= c && c <= '9':
		if b.digits == 0 {
			b.endWord()
			if b.last == ' ' { // it is not part of the number's token, as it is of a word's
				b.cost += centi
			}
		}
		if b.digits%3 == 0 {
			b.cost += centi
		}
		b.digits++
	case c == ' ':
		b.endWord()
		if b.last == ' ' && !repeated { // the last space of several belongs to the next word
			b.cost += centi
		} else if repeated {
			b.cost += repeatCost
		}
	case c == '\n' || c == '\r' || c == '\t':
		b.endWord()
		if repeated {
			b.cost += repeatCost
		} else if b.last != '\r' {
			b.cost += centi
		}
	case repeated:
		b.cost += repeatCost
	default:
		if inWord := b.letters > 0 || b.digits > 0; inWord || b.last == ' ' || b.last == '\n' || b.last == 0 {
			b.cost += centi
		} else if strings.Contains(usualSigns, string([]byte{b.last, c, ' '})) {
			b.cost += usualCost
		} else {
			b.cost += signCost
		}
		b.endWord()
	}
	b.last = c
}

const (
	repeatCost = 15 // of a sign or a space that has come three times or more
	signCost   = 75 // of a sign behind another one
	usualCost  = 30 // of one that follows often, so that both are mostly one token
)

// usualSigns are pairs of signs that are common in JSON, code and addresses.
const usualSigns = `": :" ", ," {" "} }, [{ }] [] {} () (" ") ); :/ // \" << >> `

func isLetter(c byte) bool { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }

func isUpper(c byte) bool { return 'A' <= c && c <= 'Z' }

// letter adds a letter to the piece, and begins a new one where the case changes: "aB".
func (b *tokenBound) letter(c byte) {
	if b.digits > 0 || b.letters > 0 && isUpper(c) && !isUpper(b.last) {
		b.endWord()
	}
	if b.letters > 0 {
		low, high := b.last|0x20-'a', c|0x20-'a'
		if usualPairs[low]&(1<<high) == 0 {
			b.rare++
		}
	}
	b.letters++
	if isUpper(c) {
		b.upper++
	}
}

// endWord adds the cost of the current piece of letters.
func (b *tokenBound) endWord() {
	n := b.letters
	switch {
	case n == 0:
	case b.upper > 1:
		b.cost += max(centi, upperLetter*n)
	default:
		cost := centi + longLetter*max(0, n-usualWord) + rarePair*b.rare
		if b.upper == 1 && n >= leastName {
			cost += nameCost
		}
		b.cost += min(cost, max(centi, mostLetter*n))
	}
	b.letters, b.upper, b.rare, b.digits = 0, 0, 0, 0
}

const (
	usualWord   = 6  // letters of a word that is mostly one token
	longLetter  = 24 // of each letter beyond
	rarePair    = 66 // of each pair of letters that is rare in words
	mostLetter  = 68 // of a letter at most
	leastName   = 4  // letters of a word with a capital that may be a name,
	nameCost    = 30 // which is seldom one token
	upperLetter = 60 // of a letter of a word in capitals
)

// usualPairs has, for each letter, the letters that follow it in many words of
// European languages; bit 0 is a.
var usualPairs = pairs(
	"ab ac ad ag ai ak al am an ap ar as at au av ay ba be bi bl bo br bu by ca ce ch ci ck cl co cr ct cu da de di do dr du " +
		"ea ec ed ee ef eg ei el em en ep er es et ev ew ex ey fa fe ff fi fo fr fu ga ge gh gi go gr gu ha he hi ho ht hu " +
		"ia ic id ie if ig il im in io ip ir is it iv iz ke ki la ld le li ll lo ls lt lu ly ma me mi mm mo mp mu " +
		"na nc nd ne ng ni nn no ns nt nu od of og ok ol om on oo op or os ot ou ov ow pa pe ph pi pl po pp pr pt pu qu " +
		"ra rc rd re ri rk rm rn ro rr rs rt ru ry sa sc se sh si sk sl so sp ss st su ta te th ti to tr ts tt tu tw ty " +
		"ub uc ue ug ui ul um un up ur us ut va ve vi vo wa we wh wi wo ye za ze zi")

func pairs(list string) [26]uint32 {
	var of [26]uint32
	for pair := range strings.FieldsSeq(list) {
		of[pair[0]-'a'] |= 1 << (pair[1] - 'a')
	}
	return of
}

// scriptCosts are the hundredths of a token that a character of a script needs in
// usual texts, at most; see TestTokenBound for what they were measured on.
var scriptCosts = []struct {
	from, to rune
	cost     int
}{
	{0x00A0, 0x00BF, 150}, // signs of Latin-1
	{0x00C0, 0x017F, 95},  // Latin letters with diacritics
	{0x0180, 0x024F, 200}, // Latin letters of few languages
	{0x0300, 0x036F, 220}, // combining diacritics
	{0x0370, 0x03FF, 55},  // Greek
	{0x0400, 0x045F, 58},  // Cyrillic
	{0x0460, 0x052F, 110}, // Cyrillic of other languages than Slavic ones
	{0x0530, 0x058F, 66},  // Armenian
	{0x0590, 0x05FF, 70},  // Hebrew
	{0x0600, 0x06FF, 62},  // Arabic
	{0x0900, 0x097F, 70},  // Devanagari
	{0x0980, 0x0D7F, 95},  // other scripts of India
	{0x0D80, 0x0DFF, 90},  // Sinhala
	{0x0E00, 0x0E7F, 80},  // Thai
	{0x1000, 0x109F, 80},  // Burmese
	{0x10A0, 0x10FF, 75},  // Georgian
	{0x1780, 0x17FF, 90},  // Khmer
	{0x1E00, 0x1EFF, 75},  // Latin letters with two diacritics, as in Vietnamese
	{0x2010, 0x203F, 100}, // dashes and quotation marks
	{0x2500, 0x257F, 100}, // lines of tables
	{0x3000, 0x30FF, 100}, // kana and the signs of Japanese and Chinese
	{0x4E00, 0x9FFF, 140}, // ideographs
	{0xAC00, 0xD7A3, 125}, // Hangul
	{0xFF00, 0xFF60, 120}, // wide forms
}

// runeCost is the cost of a character that is not ASCII. One of a script that is not
// listed has as many tokens as bytes, at most.
func runeCost(r rune) int {
	for _, s := range scriptCosts {
		if r < s.from {
			break
		}
		if r <= s.to {
			return s.cost
		}
	}
	if unicode.IsSymbol(r) && r < 0x10000 {
		return 170
	}
	return centi * utf8.RuneLen(r)
}
