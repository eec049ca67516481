package tools

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/research-mcp/research-mcp/internal/evidence"
)

// ResearchOut is the structured result of research: what a model needs of an answer.
// The answer, quotes and passages are fenced.
type ResearchOut struct {
	Notice     string                   `json:"notice"`
	Status     string                   `json:"status"`
	Session    string                   `json:"session"`
	RunID      string                   `json:"run_id"`
	Confidence float64                  `json:"confidence"`
	Answer     string                   `json:"answer"`
	Claims     []evidence.Claim         `json:"claims,omitzero"`
	Citations  []Cited                  `json:"citations"`
	Evidence   []evidence.RankedPassage `json:"evidence,omitzero"`
	Sources    []evidence.SourceReport  `json:"sources"`
	NotAsked   []evidence.NotAsked      `json:"not_asked,omitempty"`
	Topics     []string                 `json:"topics,omitempty"`
	Analysis   Analysed                 `json:"analysis,omitzero"`
	Timing     Timed                    `json:"timing,omitzero"`
	Warnings   []string                 `json:"warnings"`
}

// Analysed is how the analysis of what was read ended, of how many documents, and as
// far as there is room, what it found; the resource of the run has the rest.
type Analysed struct {
	Status       string                 `json:"status"`
	Documents    int                    `json:"documents"`
	Keywords     []evidence.TermCount   `json:"keywords,omitempty"`
	TopDocuments []evidence.TopDocument `json:"top_documents,omitempty"`
}

// Timed is the time that the answer took.
type Timed struct {
	TotalMS int64 `json:"total_ms"`
}

// Cited is what a model needs of a citation: Quote without its fence is the document's text
// from Start to End.
type Cited struct {
	N          int    `json:"n"`
	Title      string `json:"title"`
	URL        string `json:"url,omitempty"`
	Source     string `json:"source"`
	Quote      string `json:"quote,omitempty"`
	Start      int    `json:"start"`
	End        int    `json:"end"`
	DocumentID string `json:"document_id"`
	Retrieved  string `json:"retrieved_at,omitempty"` // a date
}

// json is the structured result.
func (f *answerShrinker) json() any {
	a := f.out
	out := ResearchOut{Notice: noticeOf(f.word), Status: a.Status, Session: a.Session, RunID: a.RunID, Confidence: a.Confidence,
		Answer: fenced(f.word, a.Answer), Claims: nonNil(slices.Clone(a.Claims)), Citations: []Cited{},
		Evidence: nonNil(slices.Clone(a.Evidence)), Sources: nonNil(a.Sources), NotAsked: a.NotAsked,
		Topics:   a.Topics,
		Analysis: Analysed{a.Analysis.Status, a.Analysis.Documents, a.Analysis.Keywords, a.Analysis.TopDocuments}, Timing: Timed{a.Timing.TotalMS},
		Warnings: nonNil(f.omitted.with(a.Warnings, f.limit.tokens))}
	if f.lean {
		out.Analysis, out.Timing = Analysed{}, Timed{}
		out.Claims, out.Evidence = unlessEmpty(out.Claims), unlessEmpty(out.Evidence)
	}
	if a.Status == evidence.Pending {
		out.Warnings = append(out.Warnings, nextStep(a.RunID))
	}
	for i, c := range out.Claims {
		out.Claims[i].Text, out.Claims[i].Citations = fenced(f.word, c.Text), nonNil(c.Citations)
	}
	for _, c := range a.Citations {
		out.Citations = append(out.Citations, Cited{N: c.N, Title: c.Title, URL: c.URL, Source: c.Source, Quote: fenced(f.word, c.Quote),
			Start: c.Start, End: c.End, DocumentID: c.DocumentID, Retrieved: date(c.Retrieved, f.zone)})
	}
	for i, p := range out.Evidence {
		out.Evidence[i].Text, out.Evidence[i].Heading = fenced(f.word, p.Text), nonNil(p.Heading)
	}
	return out
}

// unlessEmpty returns nil for an empty list.
func unlessEmpty[T any](list []T) []T {
	if len(list) == 0 {
		return nil
	}
	return list
}

// nextStep leads to the answer of a run that is not finished.
func nextStep(run string) string {
	return fmt.Sprintf("There is no answer yet: the question is still being worked on. Call research with run_id %s for the answer.", run)
}

// text renders an answer for a model that sees only this text: the answer, what is
// doubtful in it, its citations, and the passages that it was made from. All of that is
// in one fence, because each of it may be a stranger's words.
func (f *answerShrinker) text() string {
	a := f.out
	var b strings.Builder
	fmt.Fprintf(&b, "Status: %s", a.Status)
	if a.Confidence > 0 {
		fmt.Fprintf(&b, "; confidence %.2f", a.Confidence)
	}
	if a.Session != "" { // else it was not stored, and a warning says why
		fmt.Fprintf(&b, "; session %s (pass it on to ask further)", a.Session)
	}
	if a.RunID != "" {
		fmt.Fprintf(&b, "; run %s", a.RunID)
	}
	b.WriteByte('\n')
	switch {
	case a.Status == evidence.Pending:
		b.WriteString(nextStep(a.RunID) + "\n")
	case a.Answer == "":
		b.WriteString("Nothing that was read answers the question.\n")
	}
	if body := strings.TrimLeft(f.foreign(), "\n"); body != "" {
		b.WriteByte('\n')
		fence(&b, f.word, "answer and quotes: untrusted text from "+cmp.Or(strings.Join(f.origins(), ", "), "the memory"), body)
	}
	writeSources(&b, a.Sources, a.NotAsked)
	writeOmitted(&b, f.omitted.warning(f.limit.tokens))
	return b.String()
}

// foreign is the part of the text that stands in the fence.
func (f *answerShrinker) foreign() string {
	var b strings.Builder
	b.WriteString(strings.TrimSpace(f.out.Answer) + "\n")
	for i, c := range f.out.Claims {
		if i == 0 {
			b.WriteString("\nNot fully supported by what was read:\n")
		}
		fmt.Fprintf(&b, "- %s: %s", c.Verdict, line(c.Text, 300))
		if c.Why != "" {
			b.WriteString(" — " + line(c.Why, 160))
		}
		b.WriteByte('\n')
	}
	f.writeCitations(&b)
	f.writePassages(&b)
	if lines := troubles(f.out.Sources, f.out.Warnings); lines != "" {
		b.WriteString("\nWarnings:\n" + lines)
	}
	return b.String()
}

// origins are the sources of what is quoted, and of the passages.
func (f *answerShrinker) origins() []string {
	var names []string
	add := func(source string) {
		if name := line(source, 40); name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	for _, c := range f.out.Citations {
		add(c.Source)
	}
	for _, p := range f.out.Evidence {
		add(p.Source)
	}
	return names
}

// writeCitations lists the citations. One of a document that was listed before refers to
// it, and a quote that the answer or a passage shows is not repeated.
func (f *answerShrinker) writeCitations(b *strings.Builder) {
	first := map[string]int{}
	for i, c := range f.out.Citations {
		if i == 0 {
			b.WriteString("\nCitations:\n")
		}
		fmt.Fprintf(b, "[%d] ", c.N)
		if n, listed := first[documentKey(c.DocumentID, c.Title)+c.URL]; listed {
			fmt.Fprintf(b, "as [%d]", n)
		} else {
			first[documentKey(c.DocumentID, c.Title)+c.URL] = c.N
			title := cmp.Or(line(c.Title, 160), "untitled")
			fmt.Fprintf(b, "%s — %s%s", title, address(c.DocumentID, c.URL), details(line(c.Source, 40), day("read", c.Retrieved, f.zone)))
		}
		if c.Quote != "" && !f.shows(c.Quote) {
			fmt.Fprintf(b, ": “%s”", line(c.Quote, 240))
		}
		b.WriteByte('\n')
	}
}

// shows reports whether the answer or a passage contains a quote.
func (f *answerShrinker) shows(quote string) bool {
	return strings.Contains(f.out.Answer, quote) ||
		slices.ContainsFunc(f.out.Evidence, func(p evidence.RankedPassage) bool { return strings.Contains(p.Text, quote) })
}

// documentKey tells documents apart. One that was not stored has no id.
func documentKey(id, otherwise string) string { return cmp.Or(id, "\x00"+otherwise) }

// writePassages lists the passages under the numbers of the citations. A document that
// the answer does not cite gets a number beyond them, and is introduced with it.
func (f *answerShrinker) writePassages(b *strings.Builder) {
	number := map[string]int{}
	last := 0
	for _, c := range f.out.Citations {
		last = max(last, c.N)
		if key := documentKey(c.DocumentID, c.URL+"\n"+c.Title); number[key] == 0 {
			number[key] = c.N
		}
	}
	for i, p := range f.out.Evidence {
		if i == 0 {
			b.WriteString("\nPassages, best first:\n")
		}
		if i > 0 {
			b.WriteByte('\n')
		}
		key := documentKey(p.DocumentID, p.URL+"\n"+p.Title)
		known := number[key] > 0
		if !known {
			last++
			number[key] = last
		}
		fmt.Fprintf(b, "[%d] %s", number[key], heading(p.Title, p.Heading))
		if !known {
			b.WriteString(" — " + address(p.DocumentID, p.URL) + details(line(p.Source, 40)))
		}
		b.WriteString("\n" + strings.TrimSpace(p.Text) + "\n")
	}
}
