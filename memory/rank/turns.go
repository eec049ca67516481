package rank

// neighbourShare is the part of the scores of the adjacent turns that is added
// to the score of a turn: an answer often shares no word with the question.
const neighbourShare = 0.3

// Turns are the best scores of the turns among the candidates, by document, and what
// each gains by the adjacent ones of its conversation.
type Turns struct {
	Docs  []int64 // in the order of the candidates
	own   map[int64]float64
	bonus map[int64]float64

	conversation string
	before       int64 // document; 0: none
}

// TurnsOf returns the turns among the candidates.
func TurnsOf(cands []Candidate) *Turns {
	t := &Turns{own: map[int64]float64{}, bonus: map[int64]float64{}}
	for _, c := range cands {
		if !c.Turn {
			continue
		}
		if _, ok := t.own[c.Doc]; !ok {
			t.Docs = append(t.Docs, c.Doc)
		}
		t.own[c.Doc] = max(t.own[c.Doc], c.Score)
	}
	return t
}

// Next takes all turns of the conversations that have one of Docs, a conversation after
// the other, in order.
func (t *Turns) Next(conversation string, doc int64) {
	if conversation == t.conversation && t.before != 0 {
		t.bonus[doc] += neighbourShare * t.own[t.before]
		t.bonus[t.before] += neighbourShare * t.own[doc]
	}
	t.conversation, t.before = conversation, doc
}

// Silent returns the turns that were no candidates and gain something: the answer beside
// a question may share no word with it.
func (t *Turns) Silent() []int64 {
	var out []int64
	for doc, b := range t.bonus {
		if _, ok := t.own[doc]; !ok && b > 0 {
			out = append(out, doc)
		}
	}
	return out
}

// Add adds to each turn what it gains, and scales the scores to 0..1.
func (t *Turns) Add(cands []Candidate) {
	if len(t.Docs) == 0 {
		return
	}
	best := 1.0
	for i := range cands {
		if cands[i].Turn {
			cands[i].Score += t.bonus[cands[i].Doc]
			best = max(best, cands[i].Score)
		}
	}
	for i := range cands {
		cands[i].Score /= best
	}
}
