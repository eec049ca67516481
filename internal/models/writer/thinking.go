package writer

import "strings"

const (
	thoughtOpen  = "<think>"
	thoughtClose = "</think>"
)

// ThoughtFilter removes the thoughts at the start of an answer, between tags that
// may arrive in parts. It holds back only text that may still become a tag.
type ThoughtFilter struct {
	held    string
	inside  bool
	decided bool
}

// Add returns the text that is not thought, of s and what was held back.
func (f *ThoughtFilter) Add(s string) string {
	if f.decided {
		return s
	}
	f.held += s
	if !f.inside {
		begin := strings.TrimLeft(f.held, " \n\t")
		if len(begin) < len(thoughtOpen) && strings.HasPrefix(thoughtOpen, begin) {
			return ""
		}
		if !strings.HasPrefix(begin, thoughtOpen) {
			return f.release(f.held)
		}
		f.inside = true
	}
	if _, after, ok := strings.Cut(f.held, thoughtClose); ok {
		return f.release(strings.TrimLeft(after, " \n\t"))
	}
	f.held = f.held[max(0, len(f.held)-len(thoughtClose)):] // it may end with a part of the tag
	return ""
}

func (f *ThoughtFilter) release(s string) string {
	f.decided, f.held = true, ""
	return s
}
