package pdftext

import (
	"strconv"
)

// kinds of a token.
type tokenKind uint8

const (
	tokenEnd tokenKind = iota
	tokenNumber
	tokenString
	tokenName
	tokenOperator // also [ ] << >>
)

type token struct {
	kind tokenKind
	s    string
	n    float64
}

// lexer splits a content stream or a CMap into tokens.
type lexer struct {
	b  []byte
	at int
}

func isSpace(c byte) bool {
	return c == ' ' || c == '\n' || c == '\r' || c == '\t' || c == '\f' || c == 0
}

func isDelimiter(c byte) bool {
	switch c {
	case '(', ')', '<', '>', '[', ']', '{', '}', '/', '%':
		return true
	}
	return false
}

func (l *lexer) skipSpace() {
	for l.at < len(l.b) {
		switch c := l.b[l.at]; {
		case isSpace(c):
			l.at++
		case c == '%':
			for l.at < len(l.b) && l.b[l.at] != '\n' && l.b[l.at] != '\r' {
				l.at++
			}
		default:
			return
		}
	}
}

func (l *lexer) next() token {
	l.skipSpace()
	if l.at >= len(l.b) {
		return token{}
	}
	switch c := l.b[l.at]; c {
	case '(':
		return l.literal()
	case '<':
		if l.at+1 < len(l.b) && l.b[l.at+1] == '<' {
			return l.operator(2)
		}
		return l.hex()
	case '>':
		if l.at+1 < len(l.b) && l.b[l.at+1] == '>' {
			return l.operator(2)
		}
		return l.operator(1)
	case '[', ']', '{', '}', ')':
		return l.operator(1)
	case '/':
		return l.nameToken()
	}
	start := l.at
	for l.at < len(l.b) && !isSpace(l.b[l.at]) && !isDelimiter(l.b[l.at]) {
		l.at++
	}
	word := string(l.b[start:l.at])
	if n, ok := parseNumber(word); ok {
		return token{kind: tokenNumber, n: n}
	}
	return token{kind: tokenOperator, s: word}
}

func (l *lexer) operator(n int) token {
	l.at += n
	return token{kind: tokenOperator, s: string(l.b[l.at-n : l.at])}
}

// parseNumber reads a number as readers do that forgive: "--5" and "1.-2" occur.
func parseNumber(s string) (float64, bool) {
	if s == "" || s[0] > '9' {
		return 0, false
	}
	if n, err := strconv.ParseFloat(s, 64); err == nil {
		return n, true
	}
	end := 0
	for end < len(s) && (s[end] >= '0' && s[end] <= '9' || s[end] == '.' || s[end] == '-' && end == 0) {
		end++
	}
	n, err := strconv.ParseFloat(s[:end], 64)
	return n, err == nil && end > 0
}

// literal reads a string in parentheses.
func (l *lexer) literal() token {
	var out []byte
	depth := 0
	for ; l.at < len(l.b); l.at++ {
		switch c := l.b[l.at]; c {
		case '(':
			if depth++; depth > 1 {
				out = append(out, c)
			}
		case ')':
			if depth--; depth == 0 {
				l.at++
				return token{kind: tokenString, s: string(out)}
			}
			out = append(out, c)
		case '\\':
			out = l.escape(out)
		default:
			out = append(out, c)
		}
	}
	return token{kind: tokenString, s: string(out)}
}

// escape reads what follows a backslash, and leaves at on its last byte.
func (l *lexer) escape(out []byte) []byte {
	l.at++
	if l.at >= len(l.b) {
		return out
	}
	switch c := l.b[l.at]; c {
	case 'n':
		return append(out, '\n')
	case 'r':
		return append(out, '\r')
	case 't':
		return append(out, '\t')
	case 'b':
		return append(out, '\b')
	case 'f':
		return append(out, '\f')
	case '\r':
		if l.at+1 < len(l.b) && l.b[l.at+1] == '\n' {
			l.at++
		}
		return out
	case '\n':
		return out
	case '0', '1', '2', '3', '4', '5', '6', '7':
		n := 0
		for i := 0; i < 3 && l.at < len(l.b) && l.b[l.at] >= '0' && l.b[l.at] <= '7'; i++ {
			n = n*8 + int(l.b[l.at]-'0')
			l.at++
		}
		l.at--
		return append(out, byte(n))
	default:
		return append(out, c)
	}
}

func (l *lexer) hex() token {
	var out []byte
	half, has := byte(0), false
	for l.at++; l.at < len(l.b); l.at++ {
		c := l.b[l.at]
		if c == '>' {
			l.at++
			break
		}
		d, ok := hexDigit(c)
		switch {
		case !ok:
		case has:
			out, has = append(out, half<<4|d), false
		default:
			half, has = d, true
		}
	}
	if has {
		out = append(out, half<<4)
	}
	return token{kind: tokenString, s: string(out)}
}

func hexDigit(c byte) (byte, bool) {
	switch {
	case c >= '0' && c <= '9':
		return c - '0', true
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10, true
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}

func (l *lexer) nameToken() token {
	l.at++
	var out []byte
	for l.at < len(l.b) && !isSpace(l.b[l.at]) && !isDelimiter(l.b[l.at]) {
		c := l.b[l.at]
		if c == '#' && l.at+2 < len(l.b) {
			hi, ok1 := hexDigit(l.b[l.at+1])
			lo, ok2 := hexDigit(l.b[l.at+2])
			if ok1 && ok2 {
				c = hi<<4 | lo
				l.at += 2
			}
		}
		out = append(out, c)
		l.at++
	}
	return token{kind: tokenName, s: string(out)}
}

// skipImage skips the data of an inline image, after its ID.
func (l *lexer) skipImage() {
	for i := l.at; i+2 < len(l.b); i++ {
		if isSpace(l.b[i]) && l.b[i+1] == 'E' && l.b[i+2] == 'I' && (i+3 == len(l.b) || isSpace(l.b[i+3])) && l.looksLikeText(i+3) {
			l.at = i + 3
			return
		}
	}
	l.at = len(l.b)
}

// looksLikeText reports whether operators rather than image data follow.
func (l *lexer) looksLikeText(at int) bool {
	for _, c := range l.b[at:min(len(l.b), at+16)] {
		if c > '~' || c < ' ' && !isSpace(c) {
			return false
		}
	}
	return true
}
