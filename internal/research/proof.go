package research

import (
	"context"
	"slices"
	"strings"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/models"
	"github.com/research-mcp/research-mcp/internal/proof"
)

// checked is a sentence with its verdict.
type checked struct {
	text    string
	block   bool   // the text is Markdown whose line breaks count
	code    bool   // the text is a part of a code block
	section string // the part of the question that it answers; "": there are none
	proofs  []proof.Proof
	verdict string
	why     string
}

// verifier compares the sentences of a draft with passages, without a model.
type verifier struct {
	evidence []evidence.Evidence
	checker  *proof.Checker
}

// newVerifier prepares the evidence. encoder may be nil.
func newVerifier(ranked []evidence.Evidence, encoder models.Embedder) *verifier {
	return &verifier{evidence: ranked, checker: proof.New(ranked, encoder)}
}

// check gives each sentence of the draft its verdict.
func (v *verifier) check(ctx context.Context, draft evidence.Draft) []checked {
	var out []checked
	for _, s := range draft.Sentences {
		if strings.TrimSpace(s.Text) == "" {
			continue
		}
		if len(s.Quotes) > 0 {
			out = append(out, v.checkQuote(ctx, s))
		} else {
			out = append(out, v.checkProse(ctx, s))
		}
	}
	return out
}

// checkQuote accepts a sentence that is verbatim at one of its quotes.
func (v *verifier) checkQuote(ctx context.Context, s evidence.Sentence) checked {
	c := checked{text: s.Text, block: s.Block, code: s.Code, verdict: evidence.Supported}
	for i, sp := range s.Quotes {
		if i >= len(s.Marks) || s.Marks[i] < 1 || s.Marks[i] > len(v.evidence) {
			continue
		}
		doc := v.evidence[s.Marks[i]-1].Document
		if sp.Start >= 0 && sp.Start < sp.End && sp.End <= len(doc.Text) && doc.Text[sp.Start:sp.End] == s.Text {
			c.addQuote(doc, s.Marks[i]-1, sp)
		}
	}
	if len(c.proofs) == 0 {
		return v.checkProse(ctx, evidence.Sentence{Text: s.Text, Marks: s.Marks})
	}
	return c
}

// addQuote adds the proof of a quote. One that the text behind it takes back is shown
// with that, or not at all.
func (c *checked) addQuote(doc evidence.Document, n int, sp evidence.Span) {
	whole, ok := proof.Whole(doc.Text, sp)
	switch {
	case c.block || whole == sp && ok:
	case !ok:
		c.verdict, c.why = evidence.Unsupported, "the source takes it back in what follows"
	default:
		c.text, sp = doc.Text[whole.Start:whole.End], whole
	}
	c.proofs = append(c.proofs, proof.Proof{Evidence: n, Span: sp})
}

// checkProse looks for spans that support a written sentence.
func (v *verifier) checkProse(ctx context.Context, s evidence.Sentence) checked {
	var cited []int
	for _, m := range s.Marks {
		if m >= 1 && m <= len(v.evidence) && !slices.Contains(cited, m-1) {
			cited = append(cited, m-1)
		}
	}
	if announces(s.Text) {
		return checked{text: s.Text, verdict: evidence.Unsupported, why: "it announces something that does not follow"}
	}
	r := v.checker.Check(ctx, s.Text, cited)
	return checked{text: s.Text, proofs: r.Proofs, verdict: r.Verdict, why: r.Why}
}

// announces reports whether a sentence ends in a colon. Each sentence of an answer is
// checked and shown by itself, so that what it announces may be missing.
func announces(sentence string) bool {
	end := strings.TrimRight(sentence, " \t\r\n*_`~\"'")
	return strings.HasSuffix(end, ":") || strings.HasSuffix(end, "：")
}
