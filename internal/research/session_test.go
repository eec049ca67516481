package research

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
)

// unreadSessions cannot be read.
type unreadSessions struct {
	*fakeSessions
	err error // nil: they do not answer
}

func (s unreadSessions) Open(ctx context.Context, _ string) (evidence.Session, error) {
	if s.err == nil {
		<-ctx.Done()
		return evidence.Session{}, ctx.Err()
	}
	return evidence.Session{}, s.err
}

// A question in a session that cannot be read is answered, says so, and is stored there. One
// in a session that does not exist is an error.
func TestAQuestionWhoseSessionCannotBeRead(t *testing.T) {
	t.Parallel()
	away := &evidence.Problem{What: "the server of db/research cannot be reached", Try: "check that it runs"}
	for name, c := range map[string]struct {
		err  error
		want string // in the warning; empty: it is an error
	}{
		"it is away":         {away, "the server of db/research cannot be reached"},
		"it does not answer": {nil, "the memory is busy or cannot be reached"},
		"it is broken":       {errors.New("reading the run of turn 3: unexpected end"), "turn 3"},
		"there is none":      {evidence.BadInput("there is no session", "leave it out"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(nil, &fakeSource{name: "wiki", delay: time.Millisecond, texts: []string{wikiText}})
				w.deps.Sessions = unreadSessions{w.sessions, c.err}
				a, err := w.Research(t.Context(), Request{Question: "What is a transformer?", Session: "s_one", Budget: 4 * time.Second}, nil)
				w.Close()
				if c.want == "" {
					if !errors.Is(err, c.err) {
						t.Errorf("%+v, %v", a, err)
					}
					return
				}
				if err != nil || a.Status == evidence.Insufficient || a.Session != "s_one" || len(a.Citations) == 0 {
					t.Fatalf("%+v, %v", a, err)
				}
				if !slices.ContainsFunc(a.Warnings, func(w string) bool {
					return strings.Contains(w, "session s_one could not be read") && strings.Contains(w, c.want)
				}) {
					t.Errorf("the warnings are %q", a.Warnings)
				}
				if kept := w.sessions.all["s_one"]; kept == nil || len(kept.Turns) != 2 {
					t.Errorf("the session has %+v", kept)
				}
			})
		})
	}
}
