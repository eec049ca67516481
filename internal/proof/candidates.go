package proof

import (
	stdctx "context"
	"math"
	"slices"
)

// candidates returns the windows that are most like the claim, best first. Those of
// cited evidence are read first.
func (c *Checker) candidates(ctx stdctx.Context, claim *statement, cited []int) []candidate {
	var out []candidate
	for _, w := range c.windows {
		out = append(out, candidate{window: w, words: c.wordShare(claim, w), facts: c.factShare(claim, w), cited: slices.Contains(cited, w.evidence)})
	}
	byLikeness := func(a, b candidate) int {
		switch {
		case a.likeness() > b.likeness()+1e-9:
			return -1
		case a.likeness() < b.likeness()-1e-9:
			return 1
		}
		return len(a.body) - len(b.body)
	}
	slices.SortStableFunc(out, func(a, b candidate) int {
		if d := b.likeness() + b.bonus() - a.likeness() - a.bonus(); math.Abs(d) > 1e-9 {
			return int(math.Copysign(1, d))
		}
		return byLikeness(a, b)
	})
	out = out[:min(len(out), maxRead)]
	if c.encoder == nil || len(out) == 0 {
		return out
	}
	texts := []string{claim.text}
	for _, k := range out {
		texts = append(texts, k.body)
	}
	c.embed(ctx, texts)
	for i := range out {
		out[i].cosine = cosine(c.vectors[claim.text], c.vectors[out[i].body])
	}
	slices.SortStableFunc(out, byLikeness)
	var words []string
	for _, w := range claim.words {
		words = append(words, w.text)
	}
	for _, k := range out[:min(len(out), judged)] {
		c.parse(k.window)
		for _, w := range k.parsed.words {
			words = append(words, w.text)
		}
	}
	c.embed(ctx, words)
	return out
}

// factShare is the share of the claim's numbers and names that a window has.
func (c *Checker) factShare(claim *statement, w *window) float64 {
	have, all := 0, 0
	for _, x := range claim.words {
		if x.number || x.name {
			all++
			if w.terms[x.stem] {
				have++
			}
		}
	}
	if all == 0 {
		return 1
	}
	return float64(have) / float64(all)
}

// citedBonus is the share of words by which a window of cited evidence is read
// before others.
const citedBonus = 0.2

func (k candidate) bonus() float64 {
	if k.cited {
		return citedBonus
	}
	return 0
}

// wordShare is the share of the claim's words, by weight, that a window has.
func (c *Checker) wordShare(claim *statement, w *window) float64 {
	have, all := 0.0, 0.0
	seen := map[string]bool{}
	for _, x := range claim.words {
		if x.stop || seen[x.stem] {
			continue
		}
		seen[x.stem] = true
		n := c.weight(x)
		all += n
		if w.terms[x.stem] {
			have += n
		}
	}
	if all == 0 {
		return 0
	}
	return have / all
}

// weight is that of a word among those that are compared.
func (c *Checker) weight(w word) float64 {
	if w.name || w.number {
		return 1.5
	}
	return 1
}

// similar is the similarity of two words, 0 to 1.
func (c *Checker) similar(a, b word) float64 {
	if a.stem == b.stem {
		return 1
	}
	if a.number || b.number || opposed(a, b) {
		return 0
	}
	if a.name || b.name {
		if sameName(a.text, b.text) {
			return 0.9
		}
		if a.name && b.name {
			return 0
		}
	}
	va, vb := c.vectors[a.text], c.vectors[b.text]
	if va == nil || vb == nil {
		return 0
	}
	return min(0.99, max(0, cosine(va, vb)))
}

// embed adds the vectors of texts that have none. Without vectors, words decide.
func (c *Checker) embed(ctx stdctx.Context, texts []string) {
	var missing []string
	for _, t := range texts {
		if c.vectors[t] == nil && !slices.Contains(missing, t) {
			missing = append(missing, t)
		}
	}
	if c.encoder == nil || len(missing) == 0 {
		return
	}
	vs, err := c.encoder.Embed(ctx, missing)
	if err != nil {
		return
	}
	for i, v := range vs {
		c.vectors[missing[i]] = v
	}
}

func cosine(a, b []float32) float64 {
	sum := 0.0
	for i := range min(len(a), len(b)) {
		sum += float64(a[i]) * float64(b[i])
	}
	if math.IsNaN(sum) {
		return 0
	}
	return sum
}
