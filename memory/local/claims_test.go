package local

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

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
