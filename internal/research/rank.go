package research

import (
	"cmp"
	"context"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/limit"
	"github.com/research-mcp/research-mcp/internal/span"
	"github.com/research-mcp/research-mcp/internal/text"
)

// Weights of the ranking, measured on public collections and on questions about
// documentation.
const (
	topicWeight   = 0.5 // of a planned keyword, relative to a word of the question
	sourcePrior   = 0.1 // the source's own order
	diversity     = 0.9 // lambda of maximal marginal relevance: 1 is relevance alone
	maxPassages   = 16
	contenders    = 200  // passages that are compared pairwise
	gramWeight    = 0.3  // of n-grams beside whole words: they survive misspellings
	rerankWeight  = 0.85 // of a reranker beside words and n-grams
	reranked      = 24   // passages of documents with headings that a reranker reads
	rerankReserve = 0.15 // of the budget, for what follows
	rerankedFlat  = 8    // of others, whose sentences are compared one by one afterwards
	defineBonus   = 0.3  // of a passage that defines what the question asks for
	backPenalty   = 0.3  // of one that only points elsewhere
	matchedWeight = 0.5  // of the scores of a source that ranks passages, among all that it holds
)

// candidate is a passage that may take part in the answer.
type candidate struct {
	doc   evidence.Document
	chunk evidence.Chunk
	path  []string // headings above it
	terms []string
	score float64
}

// rank fuses BM25 and n-grams over everything that was read or recalled, drops
// near-duplicates, has the best reranked, and chooses diverse passages within the token budget.
func (r *run) rank(ctx context.Context, docs []*digested, back recollection) []evidence.Evidence {
	begun := r.e.deps.Now()
	defer func() { r.answer.Timing.RankMS = r.since(begun) }()
	r.emit(Event{Kind: EventStage, Stage: "rank"})
	ctx, step := span.Start(ctx, "rank")
	defer step.End(nil)

	pool := candidates(docs, back)
	step.Set("candidates", len(pool))
	r.score(pool)
	r.favourSides(pool)
	pool = dropNearDuplicates(pool[:min(len(pool), contenders)])
	r.rerank(ctx, pool)
	r.favourSides(pool)
	return chooseDiverse(pool, r.e.cfg.PassageTokens)
}

func sortByScore(pool []candidate) {
	slices.SortStableFunc(pool, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(a.doc.ID, b.doc.ID), cmp.Compare(a.chunk.Start, b.chunk.Start))
	})
}

// rerank scores the best passages anew by a model that reads them beside the
// question. When it fails or the budget is spent, the order stays as
// it is.
func (r *run) rerank(ctx context.Context, pool []candidate) {
	model := r.models.wait().Reranker
	most := rerankedFlat
	if slices.ContainsFunc(pool[:min(len(pool), 3)], func(c candidate) bool { return len(c.path) > 0 }) {
		most = reranked
	}
	top := pool[:min(len(pool), most)]
	if model == nil || len(top) < 2 {
		return
	}
	passages, fused := make([]string, len(top)), make([]float64, len(top))
	for i, c := range top {
		passages[i], fused[i] = c.titled(), c.score
	}
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = limit.WithTimeout(ctx, time.Until(deadline)-time.Duration(rerankReserve*float64(r.req.Budget)))
		defer cancel()
	}
	read, err := model.Rerank(ctx, r.inContext(), passages)
	if err != nil || len(read) != len(top) {
		r.e.deps.Log.Info("passages were not reranked", "model", model.Name(), "err", err)
		return
	}
	best := top[0].score
	minMax(fused)
	minMax(read)
	for i := range top {
		// Above all that were not read, in their new order.
		top[i].score = best * (0.5 + 0.5*((1-rerankWeight)*fused[i]+rerankWeight*read[i]))
	}
	floor := best
	for _, c := range top {
		floor = min(floor, c.score)
	}
	for i := len(top); i < len(pool); i++ {
		pool[i].score = min(pool[i].score, floor)
	}
	sortByScore(pool)
}

// inContext is the question, and the words of its topics that it does not have: those
// that a question such as "And why?" takes from the conversation.
func (r *run) inContext() string {
	asked := r.req.Question
	have := text.Terms(asked)
	for _, topic := range r.answer.Topics {
		for _, t := range text.Tokenize(topic) {
			if !slices.Contains(have, t.Term) {
				have = append(have, t.Term)
				asked += " " + topic[t.Start:t.End]
			}
		}
	}
	return asked
}

// titled is a passage with its document's title and the headings above it.
func (c candidate) titled() string {
	head := append([]string{c.doc.Title}, c.path...)
	return strings.Join(slices.Compact(head), ". ") + ". " + c.chunk.Text
}

// candidates returns the chunks of all documents. A recalled document that was
// also read just now counts once, in its present form, and what is remembered of an
// older version of a file not at all.
func candidates(docs []*digested, back recollection) []candidate {
	var pool []candidate
	fresh := map[string]bool{}
	present := presentFiles(docs)
	blocks, languages := map[string][]evidence.Block{}, map[string]string{}
	add := func(doc evidence.Document, c evidence.Chunk) {
		if _, known := blocks[doc.ID]; !known {
			blocks[doc.ID], languages[doc.ID] = text.Blocks(doc.Text), text.DetectLanguage(doc.Text)
		}
		path := headings(blocks[doc.ID], c)
		pool = append(pool, candidate{doc: doc, chunk: c, path: path,
			terms: text.IndexTerms(doc.Title+" "+strings.Join(path, " ")+" "+c.Text, languages[doc.ID])})
	}
	for _, d := range slices.Concat(docs, back.carried) {
		if fresh[d.doc.ID] || present.replace(d.doc) {
			continue
		}
		fresh[d.doc.ID] = true
		for _, c := range d.chunks.Items {
			add(d.doc, c)
		}
	}
	for _, m := range back.hits {
		p := m.hit.Passage
		if !fresh[m.doc.ID] && !present.replace(m.doc) && p.Start >= 0 && p.Start < p.End && p.End <= len(m.doc.Text) {
			add(m.doc, evidence.Chunk{Start: p.Start, End: p.End, Text: m.doc.Text[p.Start:p.End], Vector: m.hit.Vector})
		}
	}
	return pool
}

// fileVersions are the versions of the files that were read just now, by their addresses.
type fileVersions map[string]string

// presentFiles returns the versions of the files among docs.
func presentFiles(docs []*digested) fileVersions {
	out := fileVersions{}
	for _, d := range docs {
		if address, ok := fileAddress(d.doc); ok {
			out[address] = d.doc.Revision
		}
	}
	return out
}

// replace reports whether doc is of another version of one of the files, or does not say
// of which.
func (v fileVersions) replace(doc evidence.Document) bool {
	address, ok := fileAddress(doc)
	if !ok {
		return false
	}
	now, read := v[address]
	return read && doc.Revision != now
}

// fileAddress is the address of the file that a document is, or is a part of.
func fileAddress(doc evidence.Document) (string, bool) {
	address, _, _ := strings.Cut(doc.URL, "#")
	return address, strings.HasPrefix(address, "file://")
}

// headings returns the path of headings above the first text of a chunk.
func headings(blocks []evidence.Block, c evidence.Chunk) []string {
	i, _ := slices.BinarySearchFunc(blocks, c.Start, func(b evidence.Block, at int) int { return cmp.Compare(b.End-1, at) })
	for ; i < len(blocks) && blocks[i].Start < c.End; i++ {
		if blocks[i].Kind != evidence.BlockHeading {
			return blocks[i].Path
		}
	}
	return nil
}

// score sets the score of every candidate, from 0 to a little over 1.
func (r *run) score(pool []candidate) {
	terms, bodies := make([][]string, len(pool)), make([]string, len(pool))
	for i, c := range pool {
		terms[i], bodies[i] = c.terms, c.titled()
	}
	index := text.NewBM25(terms)
	query := text.SearchTerms(r.req.Question)
	var planned []string
	for _, t := range r.answer.Topics {
		for _, term := range text.SearchTerms(t) {
			if !slices.Contains(query, term) && !slices.Contains(planned, term) {
				planned = append(planned, term)
			}
		}
	}
	lexical, grams := make([]float64, len(pool)), text.SharedGrams(r.req.Question, bodies)
	for i := range pool {
		lexical[i] = index.Score(query, i) + topicWeight*index.Score(planned, i)
	}
	minMax(lexical)
	minMax(grams)
	definition := text.DefinitionOf(r.req.Question)
	for i := range pool {
		lexical[i] = (1-gramWeight)*lexical[i] + gramWeight*grams[i]
		if m := pool[i].doc.Matched; m != nil {
			lexical[i] = (1-matchedWeight)*lexical[i] + matchedWeight*m[pool[i].chunk.Start]
		}
		pool[i].score = lexical[i] + sourcePrior*pool[i].doc.Score
		if definition.In(pool[i].chunk.Text) {
			pool[i].score += defineBonus
		}
		if text.IsBackMatter(pool[i].path) {
			pool[i].score -= backPenalty
		}
	}
}

// minMax scales s to 0..1 in place. Equal values become 0 if they are 0, else 1.
func minMax(s []float64) {
	if len(s) == 0 {
		return
	}
	low, high := slices.Min(s), slices.Max(s)
	for i := range s {
		switch {
		case high > low:
			s[i] = (s[i] - low) / (high - low)
		case high > 0:
			s[i] = 1
		default:
			s[i] = 0
		}
	}
}

// dropNearDuplicates keeps the best-scored of passages with nearly the same text.
func dropNearDuplicates(pool []candidate) []candidate {
	var out []candidate
	var kept []uint64
	for _, c := range pool {
		hash := text.SimHash(c.chunk.Text)
		if !slices.ContainsFunc(kept, func(k uint64) bool { return text.Distance(k, hash) <= text.NearDuplicate }) {
			out, kept = append(out, c), append(kept, hash)
		}
	}
	return out
}

// chooseDiverse chooses by maximal marginal relevance until tokens are used up.
func chooseDiverse(pool []candidate, tokens int) []evidence.Evidence {
	var out []evidence.Evidence
	sets := termSets(pool)
	nearest := make([]float64, len(pool)) // each passage's overlap with the most similar chosen one
	taken := make([]bool, len(pool))
	for range pool {
		best, bestValue := -1, math.Inf(-1)
		for i, c := range pool {
			if v := diversity*c.score - (1-diversity)*nearest[i]; !taken[i] && v > bestValue {
				best, bestValue = i, v
			}
		}
		taken[best] = true
		c := pool[best]
		cost := text.EstimateTokens(c.chunk.Text)
		if cost > tokens && len(out) > 0 {
			continue
		}
		tokens -= cost
		out = append(out, evidence.Evidence{Document: c.doc, Passage: evidence.Passage{
			DocumentID: c.doc.ID, Start: c.chunk.Start, End: c.chunk.End, Text: c.chunk.Text, Score: c.score, Heading: c.path}})
		if len(out) == maxPassages {
			break
		}
		for i := range pool {
			if !taken[i] {
				nearest[i] = max(nearest[i], overlap(sets[i], sets[best], pool[i].doc.Source == c.doc.Source))
			}
		}
	}
	return out
}

// termSets returns the passages' distinct terms as ascending numbers.
func termSets(pool []candidate) [][]int {
	numbers := map[string]int{}
	out := make([][]int, len(pool))
	for i, c := range pool {
		for _, t := range c.terms {
			n, ok := numbers[t]
			if !ok {
				n = len(numbers)
				numbers[t] = n
			}
			out[i] = append(out[i], n)
		}
		slices.Sort(out[i])
		out[i] = slices.Compact(out[i])
	}
	return out
}

// overlap returns the share of the smaller passage's terms that the other has
// too, plus a penalty for the same source: an answer from one source is weak.
func overlap(a, b []int, sameSource bool) float64 {
	both := 0
	for i, j := 0, 0; i < len(a) && j < len(b); {
		switch {
		case a[i] < b[j]:
			i++
		case a[i] > b[j]:
			j++
		default:
			both, i, j = both+1, i+1, j+1
		}
	}
	share := float64(both) / float64(max(1, min(len(a), len(b))))
	if sameSource {
		share += 0.2
	}
	return share
}

// relevance returns each document's share of the question's words, 0..1, for the
// analysis.
func relevance(question string, docs []*digested) map[string]float64 {
	query := text.QueryTerms(question)
	out := map[string]float64{}
	for _, d := range docs {
		has := map[string]bool{}
		for _, t := range text.IndexTerms(d.doc.Title+" "+d.doc.Text, "") {
			has[t] = true
		}
		hit := 0
		for _, q := range query {
			if has[q] {
				hit++
			}
		}
		out[d.doc.ID] = float64(hit) / float64(max(1, len(query)))
	}
	return out
}
