package bert

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// WordPiece is BERT's uncased tokenizer. It is immutable and safe for concurrent
// use.
type WordPiece struct {
	pieces       pieceTable
	cls, sep     int32
	unknown      int32
	longestPiece int // in bytes
}

// longestWord is in runes; a longer word is one unknown token.
const longestWord = 100

// NewWordPiece reads a vocabulary: one piece a line, its id the line's number
// from 0.
func NewWordPiece(vocab string) (*WordPiece, error) {
	w := &WordPiece{pieces: newPieceTable(vocab)}
	w.longestPiece = w.pieces.longest()
	for name, id := range map[string]*int32{"[CLS]": &w.cls, "[SEP]": &w.sep, "[UNK]": &w.unknown} {
		var ok bool
		if *id, ok = w.pieces.id(name); !ok {
			return nil, errors.New("the vocabulary has no " + name)
		}
	}
	return w, nil
}

// Piece returns the text of a token. "##" begins one that continues a word.
func (w *WordPiece) Piece(id int32) string { return w.pieces.piece(id) }

// Unknown is the token of what the vocabulary has no pieces for.
func (w *WordPiece) Unknown() int32 { return w.unknown }

// Encode returns [CLS] pieces [SEP], at most limit tokens (at least 2).
func (w *WordPiece) Encode(s string, limit int) Input {
	ids := append(w.encode([]int32{w.cls}, s, limit-1), w.sep)
	return Input{IDs: ids}
}

// EncodePair returns [CLS] first [SEP] second [SEP], at most limit tokens. The
// second text is cut; the first only where it alone takes more than half.
func (w *WordPiece) EncodePair(first, second string, limit int) Input {
	ids := append(w.encode([]int32{w.cls}, first, limit/2), w.sep)
	in := Input{Second: len(ids)}
	in.IDs = append(w.encode(ids, second, limit-1), w.sep)
	return in
}

// encode appends the pieces of s until out has limit tokens.
func (w *WordPiece) encode(out []int32, s string, limit int) []int32 {
	// A token has at least one byte of text, but runes that are dropped and
	// white space have none: the bound only spares the normalization of a book.
	const bytesPerToken = 64
	if most := limit * bytesPerToken; len(s) > most {
		s = strings.ToValidUTF8(s[:most], "")
	}
	for word := range words(s) {
		if len(out) >= limit {
			break
		}
		out = w.split(out, word)
	}
	return out[:min(len(out), limit)]
}

// split appends the longest pieces of a word from its start, or the unknown token
// when a part of it is in no piece.
func (w *WordPiece) split(out []int32, word string) []int32 {
	if utf8.RuneCountInString(word) > longestWord {
		return append(out, w.unknown)
	}
	begin, rest, prefix := len(out), word, ""
	for rest != "" {
		id, end, found := w.pieces.longestPrefix(prefix, rest[:min(len(rest), w.longestPiece)])
		if !found {
			return append(out[:begin], w.unknown)
		}
		out = append(out, id)
		rest, prefix = rest[end:], "##"
	}
	return out
}

// words yields what BERT's uncased pre-tokenizer makes of s: decomposed, without
// marks and control characters, lower case, split at white space and around each
// punctuation character and ideograph.
func words(s string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		if !isASCII(s) {
			s = norm.NFD.String(s)
		}
		var b strings.Builder
		flush := func() bool {
			if b.Len() == 0 {
				return true
			}
			word := b.String()
			b.Reset()
			return yield(word)
		}
		for _, r := range s {
			switch {
			case r == 0 || r == utf8.RuneError || unicode.Is(unicode.Mn, r):
			case unicode.IsSpace(r) || unicode.Is(unicode.Zs, r):
				if !flush() {
					return
				}
			case unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Cs):
			case isPunctuation(r) || isIdeograph(r):
				if !flush() || !yield(string(unicode.ToLower(r))) {
					return
				}
			default:
				b.WriteRune(unicode.ToLower(r))
			}
		}
		flush()
	}
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// isPunctuation counts all ASCII that is neither letter, digit nor space.
func isPunctuation(r rune) bool {
	return r >= 33 && r <= 47 || r >= 58 && r <= 64 || r >= 91 && r <= 96 || r >= 123 && r <= 126 || unicode.IsPunct(r)
}

func isIdeograph(r rune) bool {
	return r >= 0x4E00 && r <= 0x9FFF || r >= 0x3400 && r <= 0x4DBF || r >= 0x20000 && r <= 0x2A6DF ||
		r >= 0x2A700 && r <= 0x2CEAF || r >= 0xF900 && r <= 0xFAFF || r >= 0x2F800 && r <= 0x2FA1F
}
