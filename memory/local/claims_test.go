package local

import (
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/gofrs/flock"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/contract"
)

// The lock of a process that was killed is free, and what it left is swept later.
func TestClaimsOfAKilledProcess(t *testing.T) {
	t.Parallel()
	if dir := os.Getenv("CLAIM_IN"); dir != "" {
		l := openIn(t, dir)
		if ok, err := l.ClaimRun(t.Context(), contract.ClaimedRun{ID: "r_1", Question: "q?", Begun: time.Now()}); !ok || err != nil {
			t.Fatalf("ClaimRun = %v, %v", ok, err)
		}
		os.Stdout.WriteString("claimed\n")
		select {} // until it is killed
	}
	dir := t.TempDir()
	l := openIn(t, dir)
	cmd := exec.Command(os.Args[0], "-test.run", "^TestClaimsOfAKilledProcess$", "-test.timeout", "60s")
	cmd.Env = append(os.Environ(), "CLAIM_IN="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	said := make([]byte, 8)
	if _, err := out.Read(said); err != nil || string(said) != "claimed\n" {
		t.Fatalf("the child said %q, %v", said, err)
	}
	see := func(want bool) {
		t.Helper()
		if got, err := l.ClaimedRuns(t.Context()); err != nil || len(got) != 1 || got[0].Alive != want {
			t.Fatalf("ClaimedRuns() = %+v, %v, want one that lives: %v", got, err, want)
		}
	}
	see(true)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	see(false)

	lone := filepath.Join(dir, claimsFolder, "lone"+claimLock)
	if err := os.WriteFile(lone, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	l.sweepClaims(t.Context())
	if _, err := os.Stat(lone); err != nil {
		t.Errorf("a young lock was removed: %v", err)
	}
	l.cfg.Now = func() time.Time { return time.Now().Add(contract.ClaimKept + time.Minute) }
	l.sweepClaims(t.Context())
	left, err := os.ReadDir(filepath.Join(dir, claimsFolder))
	if err != nil || len(left) != 0 {
		t.Errorf("left after the sweep: %v, %v", left, err)
	}
}

// Who looks whether a claim is alive does not make another's claim fail.
func TestClaimsBesideALook(t *testing.T) {
	t.Parallel()
	l := openIn(t, t.TempDir())
	run := contract.ClaimedRun{ID: "r_1", Question: "q?", Begun: time.Now()}
	if ok, err := l.ClaimRun(t.Context(), run); !ok || err != nil {
		t.Fatalf("ClaimRun = %v, %v", ok, err)
	}
	if err := l.ReleaseRun(t.Context(), run.ID); err != nil {
		t.Fatal(err)
	}
	lock := claimFile(l.path, run.ID) + claimLock
	done := make(chan struct{})
	var looks sync.WaitGroup
	looks.Go(func() {
		for {
			select {
			case <-done:
				return
			case <-time.After(200 * time.Microsecond):
			}
			look := flock.New(lock)
			_, _ = look.TryRLock()
			time.Sleep(100 * time.Microsecond)
			_ = look.Close()
		}
	})
	for i := range 200 {
		if ok, err := l.ClaimRun(t.Context(), run); !ok || err != nil {
			t.Errorf("claim %d = %v, %v", i, ok, err)
			break
		}
		if err := l.ReleaseRun(t.Context(), run.ID); err != nil {
			t.Fatal(err)
		}
	}
	close(done)
	looks.Wait()
}

// A record that a killed process was writing is forgotten with its session.
func TestForgetAClaimThatWasBeingWritten(t *testing.T) {
	t.Parallel()
	l := openIn(t, t.TempDir())
	s, err := l.Open(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Append(t.Context(), s.ID, evidence.Turn{Role: evidence.RoleUser, Text: "Who built the obelisk?"}); err != nil {
		t.Fatal(err)
	}
	run := contract.ClaimedRun{ID: "r_1", Session: s.ID, Question: "Who built the obelisk?", Begun: time.Now()}
	if ok, err := l.ClaimRun(t.Context(), run); !ok || err != nil {
		t.Fatalf("ClaimRun = %v, %v", ok, err)
	}
	file := claimFile(l.path, run.ID)
	if err := os.Rename(file+claimRecord, file+claimPart); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Forget(t.Context(), contract.Selector{Session: s.ID, Confirm: true}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(file + claimPart); err == nil {
		t.Error("the words of the question are still there")
	}
}
