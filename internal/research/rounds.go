package research

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/limit"
	"github.com/research-mcp/research-mcp/internal/text"
)

// Bounds of a second round of searches.
const (
	longestRespelled = 1000 // bytes
	secondTopics     = 2    // its keywords
	secondReserve    = 0.1  // of the budget that must be left for it, before writing begins
)

// secondRound searches once more, with other words, if what was read has no answer by
// the built-in synthesizer's own measure, and returns the new documents. Local sources
// are not asked again, since they were searched with the question itself, and neither
// are those that did not answer. The budget bounds it as it bounds the first round.
func (r *run) secondRound(ctx context.Context, docs []*digested, v *verifier, quoted written) []*digested {
	if r.depth.rounds < 2 || !quoted.draft.Abstain || ctx.Err() != nil {
		return nil
	}
	return r.searchAgain(ctx, docs, r.otherWords(v.evidence))
}

// searchAgain asks the sources that answered with further keywords.
func (r *run) searchAgain(whole context.Context, docs []*digested, words []string) []*digested {
	sources := r.answering()
	left := r.share(gatherShare) - r.e.deps.Now().Sub(r.started)
	if len(words) == 0 || len(sources) == 0 || !limit.ClockIsOff(whole) && left < r.share(secondReserve) {
		return nil
	}
	ctx, cancel := limit.WithTimeout(whole, left)
	defer cancel()
	r.emit(Event{Kind: EventStage, Stage: "second round: " + strings.Join(words, ", ")})
	pipeline := r.newDigestion(whole)
	gather, stop := r.newGathering(ctx, sources, len(words))
	for _, d := range docs {
		gather.seen[d.doc.ID] = true
	}
	for _, w := range words {
		gather.ask(w)
	}
	gather.wait(ctx, nil, pipeline.add)
	r.answer.Sources = merged(r.answer.Sources, gather.finish(ctx, stop))
	r.answer.Timing.GatherMS += r.since(gather.begun)
	return pipeline.wait(whole, gather.documents)
}

// answering returns the sources of the first round that answered and are not local.
func (r *run) answering() []chosen {
	var out []chosen
	for _, s := range r.asked {
		if l, ok := s.Source.(Local); ok && l.Local() {
			continue
		}
		i := slices.IndexFunc(r.answer.Sources, func(rep evidence.SourceReport) bool { return rep.Name == s.Name() })
		if i >= 0 && reached(r.answer.Sources[i]) {
			out = append(out, s)
		}
	}
	return out
}

// merged adds the reports of a second round to those of the first. A source that failed
// only in the second one is reported as it was, with the error.
func merged(first, second []evidence.SourceReport) []evidence.SourceReport {
	for _, s := range second {
		i := slices.IndexFunc(first, func(f evidence.SourceReport) bool { return f.Name == s.Name })
		if i < 0 {
			continue
		}
		f := &first[i]
		if f.Status == evidence.StatusEmpty && reached(s) {
			f.Status = s.Status
		}
		f.Documents += s.Documents
		f.LatencyMS = max(f.LatencyMS, s.LatencyMS)
		f.AgeSeconds = max(f.AgeSeconds, s.AgeSeconds)
		f.Err, f.Kind = cmp.Or(f.Err, s.Err), cmp.Or(f.Kind, s.Kind)
	}
	return first
}

// otherWords returns keywords that were not asked yet: words of the question as what was
// found spells them, and the question's own words one by one, the longest first.
func (r *run) otherWords(ranked []evidence.Evidence) []string {
	asked := map[string]bool{}
	key := func(s string) string {
		terms := text.QueryTerms(s)
		slices.Sort(terms)
		return strings.Join(terms, " ")
	}
	for _, t := range r.answer.Topics {
		asked[key(t)] = true
	}
	var out []string
	add := func(s string) {
		if k := key(s); k != "" && !asked[k] && len(out) < secondTopics {
			asked[k] = true
			out = append(out, s)
		}
	}
	add(respelled(r.req.Question, ranked))
	for _, w := range longestWords(r.req.Question) {
		add(w)
	}
	return out
}

// longestWords returns the words of a question that may find something by themselves,
// the longest first.
func longestWords(question string) []string {
	var out []string
	for _, t := range text.Tokenize(question) {
		word := question[t.Start:t.End]
		if !t.Stop && strings.ContainsFunc(word, unicode.IsLetter) && utf8.RuneCountInString(word) > 3 {
			out = append(out, word)
		}
	}
	slices.SortStableFunc(out, func(a, b string) int { return cmp.Compare(utf8.RuneCountInString(b), utf8.RuneCountInString(a)) })
	return out
}

// respelled returns the words of the question with those that nothing of what was found
// has in the spelling that it has, or "" if there are none. Of a long question there are
// none: each of its words is compared with all that was found.
func respelled(question string, ranked []evidence.Evidence) string {
	if len(question) > longestRespelled {
		return ""
	}
	known := map[string]string{} // by term
	for _, e := range ranked {
		for _, t := range text.Tokenize(e.Document.Title + " " + e.Passage.Text) {
			if !t.Stop {
				known[t.Term] = t.Word
			}
		}
	}
	valid := make([]string, 0, len(known))
	for _, w := range known {
		valid = append(valid, w)
	}
	changed := false
	var words []string
	for _, t := range text.Tokenize(question) {
		if t.Stop {
			continue
		}
		word := t.Word
		if known[t.Term] == "" && utf8.RuneCountInString(word) > 4 && len(valid) > 0 {
			if near := text.Nearest(word, valid); near != "" {
				word, changed = near, true
			}
		}
		words = append(words, word)
	}
	if !changed {
		return ""
	}
	return strings.Join(words, " ")
}
