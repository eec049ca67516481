package synth

import (
	"context"
	"strings"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/text"
)

// The lines of a built-in summary.
const (
	askedPrefix  = "Asked: "
	answerPrefix = "Answer: "
)

const (
	summaryBytes  = 1200 // of a whole summary
	questionBytes = 200  // of a question in it
	answerBytes   = 300  // of the sentence that is kept of an answer
)

// Summarize keeps what was asked and the one sentence of each answer that
// answers it best. When that becomes too long the oldest answers go first, then
// the oldest questions: what was asked tells a follow-up what "it" is.
func (*Builtin) Summarize(ctx context.Context, summary string, turns []evidence.Turn) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	lines := strings.Split(strings.TrimSpace(summary), "\n")
	question := ""
	for _, t := range turns {
		if t.Role == evidence.RoleUser {
			question = t.Text
			lines = append(lines, line(askedPrefix, question, questionBytes))
			continue
		}
		if s := gist(question, t); s != "" {
			lines = append(lines, line(answerPrefix, s, answerBytes))
		}
	}
	return shrink(lines), nil
}

func line(prefix, s string, most int) string {
	s, _ = text.Clean(s)
	s, cut := text.Cut(text.Squash(s), most)
	if cut {
		s += "…"
	}
	return prefix + s
}

// gist is the sentence that stands for an answer.
func gist(question string, t evidence.Turn) string {
	if t.Run != nil && t.Run.Status == evidence.Insufficient {
		return ""
	}
	body := marks().ReplaceAllString(t.Text, "")
	if ranked := RankSentences(question, []string{body}); len(ranked) > 0 {
		return body[ranked[0].Span.Start:ranked[0].Span.End]
	}
	return body
}

// shrink takes lines out until what is left fits: from the oldest on, answers
// before questions.
func shrink(lines []string) string {
	size := -1
	kept := lines[:0:0]
	for _, l := range lines {
		if l = strings.TrimSpace(l); l != "" {
			kept = append(kept, l)
			size += len(l) + 1
		}
	}
	for _, dispensable := range []func(string) bool{
		func(l string) bool { return !strings.HasPrefix(l, askedPrefix) },
		func(string) bool { return true },
	} {
		for i := 0; i < len(kept)-2 && size > summaryBytes; {
			if !dispensable(kept[i]) {
				i++
				continue
			}
			size -= len(kept[i]) + 1
			kept = append(kept[:i], kept[i+1:]...)
		}
	}
	out, _ := text.Cut(strings.Join(kept, "\n"), summaryBytes)
	return out
}

// askedIn gives the questions that a built-in summary lists and the rest of it.
func askedIn(summary string) (questions []string, rest string) {
	var prose []string
	for _, l := range strings.Split(summary, "\n") {
		if q, ok := strings.CutPrefix(l, askedPrefix); ok {
			questions = append(questions, q)
		} else {
			prose = append(prose, strings.TrimPrefix(l, answerPrefix))
		}
	}
	return questions, strings.Join(prose, "\n")
}
