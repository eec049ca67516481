package proof

import "github.com/research-mcp/research-mcp/internal/text"

// spelled returns the numbers that are written in words.
func spelled(s string, taken func(int) bool) []quantity {
	tokens := text.Tokenize(s)
	var out []quantity
	for i := 0; i < len(tokens); i++ {
		t := tokens[i]
		if taken(t.Start) {
			continue
		}
		if n, ok := months[t.Word]; ok && startsUpper(s[t.Start:]) && dated(tokens, i) {
			out = append(out, quantity{start: t.Start, end: t.End, value: float64(n), dim: "month"})
			continue
		}
		q, last, ok := readWords(s, tokens, i)
		if !ok {
			continue
		}
		out = append(out, q)
		i = last
	}
	return out
}

// dated reports whether the month i is one: "may" and "march" are words, too.
func dated(tokens []text.Token, i int) bool {
	w := tokens[i].Word
	if w != "may" && w != "march" && w != "mar" && w != "dec" && w != "jun" && w != "sep" {
		return true
	}
	return i > 0 && (startsWithDigit(tokens[i-1].Word) || tokens[i-1].Word == "in" || tokens[i-1].Word == "of" || tokens[i-1].Word == "since") ||
		i+1 < len(tokens) && startsWithDigit(tokens[i+1].Word)
}

// readWords reads a number in words at token i: "ten minutes", "half a gigabyte",
// "two thirds", "a hundred".
func readWords(s string, tokens []text.Token, i int) (quantity, int, bool) {
	t := tokens[i]
	q := quantity{start: t.Start, end: t.End}
	n, counted := numberWords[t.Word]
	big := magnitudes[t.Word]
	next := func(k int) string {
		if i+k < len(tokens) {
			return tokens[i+k].Word
		}
		return ""
	}
	last := i
	switch {
	case counted && (next(1) == "thirds" || next(1) == "quarters" || next(1) == "fifths" || next(1) == "tenths"):
		q.value, q.dim, q.unit, q.end = n*fractions[next(1)], "share", "%", tokens[i+1].End
		return q, i + 1, true
	case counted:
		q.value = n
		for magnitudes[next(last-i+1)] > 0 {
			q.value *= magnitudes[next(last-i+1)]
			last++
		}
	case t.Word == "one" && i+1 < len(tokens) && !tokens[i+1].Stop:
		q.value, q.one = 1, true
	case periods[t.Word] != "":
		return measured(quantity{start: t.Start, end: t.End, value: 1}, periods[t.Word]), i, true
	case (t.Word == "a" || t.Word == "an" || spanning[t.Word]) && i > 0 && (spanning[tokens[i-1].Word] || spanning[t.Word]) && units()[unitName(next(1))].dim == "time" && !isStop(next(1)):
		q.value, q.end = 1, tokens[i+1].End
		if next(2) == "and" && next(3) == "a" && next(4) == "half" {
			q.value, q.end = 1.5, tokens[i+4].End
		}
		return measured(q, next(1)), i + 1, true
	case big > 0 && i > 0 && tokens[i-1].Word == "a":
		q.value = big
	case t.Word == "half" && (next(1) == "a" || next(1) == "an") && isUnit(next(2)):
		q.value, q.end = 0.5, tokens[i+2].End
		return measured(q, next(2)), i + 2, true
	case fractions[t.Word] > 0 && t.Word != "thirds" && (next(1) == "of" || t.Word == "half" && next(1) == "the"):
		q.value, q.dim, q.unit = fractions[t.Word], "share", "%"
		return q, i, true
	default:
		return q, i, false
	}
	q.end = tokens[last].End
	if isUnit(next(last-i+1)) && len(next(last-i+1)) > 1 {
		last++
		q.end = tokens[last].End
		return measured(q, tokens[last].Word), last, true
	}
	return q, last, true
}
