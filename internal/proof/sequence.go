package proof

import (
	"slices"
	"strings"
)

// Words that put one event before or after another.
var sequenceWords = map[string]int{"before": -1, "after": 1, "prior": -1, "preceding": -1, "following": 1, "until": -1}

// phrase is what follows a word of sequence, with what it is said of.
type phrase struct {
	direction  int
	main, tail []int // words of content before it and behind it
}

// phrases returns the words of sequence of a statement with what they bind.
func (s *statement) phrases() []phrase {
	var out []phrase
	for i, w := range s.words {
		d := sequenceWords[w.text]
		if d == 0 {
			continue
		}
		p := phrase{direction: d}
		for j := i + 1; j < len(s.words); j++ {
			if sequenceWords[s.words[j].text] != 0 || j > i+1 && strings.ContainsAny(s.between(j), ",;.") {
				break
			}
			if !s.words[j].stop {
				p.tail = append(p.tail, j)
			}
		}
		inTail := func(j int) bool { return slices.Contains(p.tail, j) }
		for j := s.sentenceStart(i); j < len(s.words) && (j <= i || !endsSentence(s.between(j))); j++ {
			if j != i && !s.words[j].stop && !inTail(j) {
				p.main = append(p.main, j)
			}
		}
		if len(p.tail) > 0 {
			out = append(out, p)
		}
	}
	return append(out, s.steps()...)
}

var laterWords = wordSet("afterwards afterward then later subsequently")

// steps returns what is said to come first and then: "the head first and the body
// afterwards", "first the head, then the body".
func (s *statement) steps() []phrase {
	first := slices.IndexFunc(s.words, func(w word) bool { return w.text == "first" })
	if first < 0 {
		return nil
	}
	later := slices.IndexFunc(s.words[first:], func(w word) bool { return laterWords[w.text] })
	if later < 0 {
		return nil
	}
	later += first
	start := s.sentenceStart(first)
	before := s.content(clause{from: start, to: first})
	between := s.content(clause{from: first + 1, to: later})
	behind := s.content(clause{from: later + 1, to: len(s.words)})
	p := phrase{direction: -1, main: before, tail: between}
	if len(before) == 0 {
		p.main, p.tail = between, behind
	}
	if len(p.tail) == 0 {
		return nil
	}
	return []phrase{p}
}

func (s *statement) sentenceStart(i int) int {
	for ; i > 0; i-- {
		if endsSentence(s.between(i)) {
			return i
		}
	}
	return 0
}

// common is how many words of one list correspond to words of the other.
func (a *alignment) common(claim, source []int) int {
	n := 0
	for _, i := range claim {
		if slices.ContainsFunc(source, func(j int) bool { return a.same(a.claim.words[i], a.source.words[j]) >= boundWord }) {
			n++
		}
	}
	return n
}

// sequence compares before and after.
func sequence(a *alignment, _ context) []finding {
	var out []finding
	there := a.source.phrases()
	for _, c := range a.claim.phrases() {
		straight, turned := 0, 0
		for _, s := range there {
			tail, main := a.common(c.tail, s.tail), a.common(c.main, s.main)
			crossed, back := a.common(c.tail, s.main), a.common(c.main, s.tail)
			switch {
			case tail >= crossed && tail > 0 && (main > 0 || back == 0): // the same order of the two parts
				if c.direction == s.direction {
					straight = max(straight, 2*tail+main)
				} else {
					turned = max(turned, 2*tail+main)
				}
			case crossed > 0 && back > 0:
				if c.direction != s.direction {
					straight = max(straight, crossed+back)
				} else {
					turned = max(turned, crossed+back)
				}
			}
		}
		if turned > straight {
			out = append(out, finding{grave: true, why: "the source has it in another order of time"})
		}
	}
	return out
}
