package memorytest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/contract"
)

// claimedAt is when the claims of the suite begin.
var claimedAt = time.Date(2026, 11, 28, 9, 0, 0, 0, time.UTC)

func claimed(id, session, question string) contract.ClaimedRun {
	return contract.ClaimedRun{ID: id, Session: session, Question: question, Request: []byte(`{"depth":"deep"}`), Begun: claimedAt}
}

// near is a clock a minute after claimedAt.
func near() time.Time { return claimedAt.Add(time.Minute) }

func (s suite) claimer(t *testing.T, dir string) (contract.Memory, contract.RunClaimer) {
	t.Helper()
	m := s.with(t, contract.Config{Dir: dir, Now: near})
	return m, as[contract.RunClaimer](t, m)
}

func claim(t *testing.T, m contract.RunClaimer, run contract.ClaimedRun, want bool) {
	t.Helper()
	if got, err := m.ClaimRun(t.Context(), run); err != nil || got != want {
		t.Errorf("ClaimRun(%s) = %v, %v, want %v", run.ID, got, err, want)
	}
}

// wantClaims checks the claims that a memory sees, by their ids and whether they live.
func wantClaims(t *testing.T, m contract.RunClaimer, want ...contract.ClaimedRun) {
	t.Helper()
	got, err := m.ClaimedRuns(t.Context())
	if err != nil || got == nil {
		t.Fatalf("ClaimedRuns() = %v, %v", got, err)
	}
	if diff := cmp.Diff(append([]contract.ClaimedRun{}, want...), got); diff != "" {
		t.Errorf("ClaimedRuns() (-want +got):\n%s", diff)
	}
}

func alive(run contract.ClaimedRun) contract.ClaimedRun {
	run.Alive = true
	return run
}

func (s suite) claims(t *testing.T) {
	dir := t.TempDir()
	_, a := s.claimer(t, dir)
	_, b := s.claimer(t, dir)
	wantClaims(t, a)
	run, later := claimed("r_1", "s_1", "How tall is the obelisk?"), claimed("r_2", "", "And who built it?")
	later.Begun = claimedAt.Add(time.Second)
	claim(t, a, later, true)
	claim(t, a, run, true)
	claim(t, a, run, false)
	claim(t, b, run, false)
	wantClaims(t, b, alive(run), alive(later))
	wantClaims(t, a, alive(run), alive(later))
	if err := b.ReleaseRun(t.Context(), "r_1"); err != nil {
		t.Errorf("ReleaseRun of another's = %v", err)
	}
	wantClaims(t, b, alive(run), alive(later))
	for range 2 {
		if err := a.ReleaseRun(t.Context(), "r_1"); err != nil {
			t.Errorf("ReleaseRun = %v", err)
		}
	}
	wantClaims(t, b, alive(later))
	claim(t, b, run, true)
	wantClaims(t, a, alive(run), alive(later))
	_, err := a.ClaimRun(t.Context(), contract.ClaimedRun{})
	wantProblem(t, err, "run")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if ok, err := a.ClaimRun(ended, claimed("r_3", "", "x")); ok || !errors.Is(err, context.Canceled) {
		t.Errorf("ClaimRun with a cancelled context = %v, %v", ok, err)
	}
}

// The answer ends a claim, and cannot be claimed any more.
func (s suite) claimsEndWithTheAnswer(t *testing.T) {
	dir := t.TempDir()
	m, a := s.claimer(t, dir)
	_, b := s.claimer(t, dir)
	run := claimed("r_1", "s_1", "q?")
	claim(t, a, run, true)
	appendTurns(t, m, "s_1", user("q?"), evidence.Turn{Role: evidence.RoleAssistant, Text: "a", Run: &evidence.Answer{RunID: "r_1", Session: "s_1", Answer: "a"}})
	wantClaims(t, b)
	claim(t, b, run, false)
	claim(t, a, run, false)
	wantClaims(t, a)
}

// A memory that is closed has its claims no longer; another takes them over, and knows
// what was asked.
func (s suite) claimsOutliveTheirMemory(t *testing.T) {
	dir := t.TempDir()
	first, err := s.Open(t.Context(), contract.Config{Dir: dir, Now: near})
	if err != nil {
		t.Fatal(err)
	}
	run, gone := claimed("r_1", "s_1", "How tall is the obelisk?"), claimed("r_2", "", "q?")
	gone.Begun = claimedAt.Add(time.Second)
	claim(t, as[contract.RunClaimer](t, first), run, true)
	claim(t, as[contract.RunClaimer](t, first), gone, true)
	_, b := s.claimer(t, dir)
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	wantClaims(t, b, run, gone)
	again := run
	again.Begun = claimedAt.Add(2 * time.Second)
	claim(t, b, again, true)
	if err := b.ReleaseRun(t.Context(), "r_2"); err != nil {
		t.Errorf("ReleaseRun of one that ended = %v", err)
	}
	_, c := s.claimer(t, dir)
	wantClaims(t, c, alive(again))
}

// What ended without an answer is removed after a while; what is worked on is not.
func (s suite) claimsExpire(t *testing.T) {
	dir := t.TempDir()
	first, err := s.Open(t.Context(), contract.Config{Dir: dir, Now: near})
	if err != nil {
		t.Fatal(err)
	}
	claim(t, as[contract.RunClaimer](t, first), claimed("r_1", "", "q?"), true)
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	_, living := s.claimer(t, dir)
	kept := claimed("r_2", "", "q?")
	claim(t, living, kept, true)
	late := as[contract.RunClaimer](t, s.with(t, contract.Config{Dir: dir, Now: func() time.Time { return claimedAt.Add(contract.ClaimKept + time.Second) }}))
	wantClaims(t, late, alive(kept))
	wantClaims(t, living, alive(kept))
}

// Forget leaves no words of a question in a claim.
func (s suite) claimsAreForgotten(t *testing.T) {
	dir := t.TempDir()
	m, a := s.claimer(t, dir)
	put(t, m, Doc("secret", "The vault behind the third pillar opens with the number nine hundred and four."))
	put(t, m, Doc("other", "Bread rises by wild yeast and lactic bacteria in a warm kitchen."))
	id := session(t, m, "").ID
	appendTurns(t, m, id, user("q?"))
	quoting := claimed("r_1", "", "Is it true that the vault behind the third pillar opens with the number nine hundred and four?")
	ofSession, rest := claimed("r_2", id, "And zanzibarmarker?"), claimed("r_3", "s_other", "Why does bread rise?")
	for _, run := range []contract.ClaimedRun{quoting, ofSession, rest} {
		claim(t, a, run, true)
	}
	if _, err := m.Forget(t.Context(), contract.Selector{IDs: []string{"secret"}}); err != nil {
		t.Fatal(err)
	}
	wantClaims(t, a, alive(ofSession), alive(rest))
	if _, err := m.Forget(t.Context(), contract.Selector{Session: id, DryRun: true}); err != nil {
		t.Fatal(err)
	}
	wantClaims(t, a, alive(ofSession), alive(rest))
	if _, err := m.Forget(t.Context(), contract.Selector{Session: id}); err != nil {
		t.Fatal(err)
	}
	wantClaims(t, a, alive(rest))
	if prover, ok := m.(contract.ErasureProver); ok {
		for words, gone := range map[string]bool{"zanzibarmarker": true, "third pillar": true, "why does BREAD": false} {
			if r, err := prover.ProveErased(t.Context(), words); err != nil || r.Gone != gone {
				t.Errorf("ProveErased(%q) = %+v, %v, want gone: %v", words, r, err, gone)
			}
		}
	}
	if s.Leftovers == nil {
		return
	}
	for _, marker := range []string{"third pillar", "zanzibarmarker"} {
		if left := s.Leftovers(t, dir, marker); len(left) > 0 {
			t.Errorf("%q is left in %q", marker, left)
		}
	}
}
