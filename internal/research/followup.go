package research

import (
	"context"
	"slices"

	"github.com/research-mcp/research-mcp/internal/evidence"
)

// resolve completes a question that depends on its session, such as "When?". From here
// on req.Question is the completed one, and answer.Question the one that was asked.
func (r *run) resolve(ctx context.Context) {
	resolver := r.e.deps.Models.BuiltIn().Resolver
	if resolver == nil {
		return
	}
	res, err := resolver.Resolve(ctx, r.req.Question, r.session)
	if len(r.session.Turns) == 0 && r.session.Summary == "" {
		r.unbound = err == nil && res.Unbound
		return
	}
	if err != nil || !res.FollowUp || CheckQuestion(res.Question) != nil {
		return
	}
	r.said, r.req.Question, r.more = r.req.Question, res.Question, res.More
}

// conversation is the session for the built-in planner: a question that was completed
// needs none.
func (r *run) conversation() evidence.Session {
	if r.said != "" {
		return evidence.Session{}
	}
	return r.session
}

// Bounds of what a follow-up takes over from the last answer.
const (
	mostCarried   = 4
	carriedChunks = 120 // of all documents together
)

// carried returns the documents that the last answer was made from, the cited ones
// first: what they say may answer the next question, too, even if its words do not find
// them. A question that stands alone has none.
func (r *run) carried(ctx context.Context) []*digested {
	if r.said == "" {
		return nil
	}
	var out []*digested
	left := carriedChunks
	for _, id := range lastDocuments(r.session) {
		doc, err := r.e.deps.Library.Document(ctx, id)
		if err != nil {
			continue // it was forgotten, or ctx ended
		}
		chunks := r.e.deps.Library.Chunk(doc)
		if left -= len(chunks.Items); left < 0 && len(out) > 0 {
			break
		}
		if out = append(out, &digested{doc: doc, chunks: chunks}); len(out) == mostCarried {
			break
		}
	}
	return out
}

// lastDocuments returns the ids of the documents of a session's last answer: those that
// it cites, then the others that it was made from, best first.
func lastDocuments(s evidence.Session) []string {
	var out []string
	add := func(id string) {
		if !slices.Contains(out, id) {
			out = append(out, id)
		}
	}
	for _, t := range slices.Backward(s.Turns) {
		if t.Run == nil {
			continue
		}
		for _, c := range t.Run.Citations {
			add(c.DocumentID)
		}
		for _, p := range t.Run.Evidence {
			add(p.DocumentID)
		}
		if len(out) > 0 {
			break
		}
	}
	return out
}
