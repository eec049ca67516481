// Package css resolves the style sheets of a page for the properties that decide
// whether text can be seen: it parses sheets, matches selectors, and computes the
// cascade for each element. It lays nothing out and fetches nothing.
package css

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tdewolff/parse/v2"
	lex "github.com/tdewolff/parse/v2/css"
)

// token is a CSS token without its delimiters and escapes: the name of an
// identifier, function, hash or at-keyword, the content of a string or URL.
type token struct {
	kind lex.TokenType
	text string  // lower case for identifiers, functions, at-keywords and units
	raw  string  // as written, unescaped
	num  float64 // of a number, percentage or dimension; the unit is text
}

// tokenize returns the tokens of s without comments. Runs of white space are one
// token.
func tokenize(s string) []token {
	l := lex.NewLexer(parse.NewInputString(s))
	out := make([]token, 0, len(s)/4+1)
	for {
		kind, data := l.Next()
		switch kind {
		case lex.ErrorToken:
			return out
		case lex.CommentToken, lex.CDOToken, lex.CDCToken:
			continue
		case lex.WhitespaceToken:
			if n := len(out); n > 0 && out[n-1].kind == lex.WhitespaceToken {
				continue
			}
			out = append(out, token{kind: kind, text: " ", raw: " "})
			continue
		}
		out = append(out, makeToken(kind, string(data)))
	}
}

func makeToken(kind lex.TokenType, data string) token {
	t := token{kind: kind, raw: data, text: data}
	switch kind {
	case lex.IdentToken, lex.CustomPropertyNameToken:
		t.raw = unescape(data)
		t.text = lower(t.raw)
		if strings.HasPrefix(t.raw, "--") { // custom properties are case-sensitive
			t.text = t.raw
		}
	case lex.FunctionToken:
		t.raw = unescape(strings.TrimSuffix(data, "("))
		t.text = lower(t.raw)
	case lex.AtKeywordToken, lex.HashToken:
		t.raw = unescape(data[1:])
		t.text = lower(t.raw)
	case lex.StringToken:
		t.raw = unescape(strings.Trim(data, `"'`))
		t.text = t.raw
	case lex.URLToken:
		inner := strings.TrimSuffix(data[strings.IndexByte(data, '(')+1:], ")")
		t.raw = unescape(strings.Trim(strings.TrimSpace(inner), `"'`))
		t.text = t.raw
	case lex.NumberToken, lex.PercentageToken, lex.DimensionToken:
		n := numberLength(data)
		t.num, _ = strconv.ParseFloat(data[:n], 64)
		t.text = lower(unescape(data[n:]))
	}
	return t
}

func numberLength(s string) int {
	i := 0
	digits := func() {
		for i < len(s) && s[i] >= '0' && s[i] <= '9' {
			i++
		}
	}
	if i < len(s) && (s[i] == '+' || s[i] == '-') {
		i++
	}
	digits()
	if i+1 < len(s) && s[i] == '.' && s[i+1] >= '0' && s[i+1] <= '9' {
		i++
		digits()
	}
	if i+1 < len(s) && (s[i] == 'e' || s[i] == 'E') {
		j := i
		i++
		if s[i] == '+' || s[i] == '-' {
			i++
		}
		if i < len(s) && s[i] >= '0' && s[i] <= '9' {
			digits()
		} else {
			i = j
		}
	}
	return i
}

func lower(s string) string {
	for i := range len(s) {
		if s[i] >= 'A' && s[i] <= 'Z' {
			return strings.ToLower(s)
		}
	}
	return s
}

// unescape resolves CSS escapes: \31 23 and \:.
func unescape(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		if s[i] != '\\' || i+1 >= len(s) {
			b.WriteByte(s[i])
			i++
			continue
		}
		i++
		j := i
		for j < len(s) && j < i+6 && isHex(s[j]) {
			j++
		}
		if j == i {
			_, n := utf8.DecodeRuneInString(s[i:])
			if s[i] != '\n' {
				b.WriteString(s[i : i+n])
			}
			i += n
			continue
		}
		v, _ := strconv.ParseUint(s[i:j], 16, 32)
		if v == 0 || v > utf8.MaxRune {
			v = utf8.RuneError
		}
		b.WriteRune(rune(v))
		if j < len(s) && (s[j] == ' ' || s[j] == '\t' || s[j] == '\n') {
			j++
		}
		i = j
	}
	return b.String()
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

// opens and closes report whether t changes the depth of brackets.
func (t token) opens() bool {
	switch t.kind {
	case lex.FunctionToken, lex.LeftParenthesisToken, lex.LeftBracketToken, lex.LeftBraceToken:
		return true
	}
	return false
}

func (t token) closes() bool {
	switch t.kind {
	case lex.RightParenthesisToken, lex.RightBracketToken, lex.RightBraceToken:
		return true
	}
	return false
}

func (t token) isDelim(c string) bool { return t.kind == lex.DelimToken && t.raw == c }

func (t token) isIdent(name string) bool { return t.kind == lex.IdentToken && t.text == name }

// closing returns the index of the token that closes the bracket before ts, or
// len(ts).
func closing(ts []token) int {
	depth := 0
	for i, t := range ts {
		switch {
		case t.opens():
			depth++
		case t.closes():
			if depth == 0 {
				return i
			}
			depth--
		}
	}
	return len(ts)
}

// split splits ts at commas outside brackets.
func split(ts []token) [][]token {
	var out [][]token
	depth, from := 0, 0
	for i, t := range ts {
		switch {
		case t.opens():
			depth++
		case t.closes():
			depth--
		case t.kind == lex.CommaToken && depth == 0:
			out = append(out, trim(ts[from:i]))
			from = i + 1
		}
	}
	return append(out, trim(ts[from:]))
}

func trim(ts []token) []token {
	for len(ts) > 0 && ts[0].kind == lex.WhitespaceToken {
		ts = ts[1:]
	}
	for len(ts) > 0 && ts[len(ts)-1].kind == lex.WhitespaceToken {
		ts = ts[:len(ts)-1]
	}
	return ts
}

// words splits ts at white space and slashes outside brackets.
func words(ts []token) [][]token {
	var out [][]token
	depth, from := 0, -1
	end := func(i int) {
		if from >= 0 && i > from {
			out = append(out, ts[from:i])
		}
		from = -1
	}
	for i, t := range ts {
		switch {
		case depth == 0 && (t.kind == lex.WhitespaceToken || t.isDelim("/")):
			end(i)
			continue
		case t.opens():
			depth++
		case t.closes():
			depth--
		}
		if from < 0 {
			from = i
		}
	}
	end(len(ts))
	return out
}
