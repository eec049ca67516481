//go:build unix

package local

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/contract"
)

// randomTries is how many random cases a test tries, and the generator for them. The
// variables MEMORY_TRIES and MEMORY_SEED set them; the seed is logged.
func randomTries(t *testing.T, otherwise int) (int, *rand.Rand) {
	t.Helper()
	if raced {
		otherwise /= 4
	}
	tries, err := strconv.Atoi(os.Getenv("MEMORY_TRIES"))
	if err != nil {
		tries = otherwise
	}
	seed, err := strconv.ParseUint(os.Getenv("MEMORY_SEED"), 10, 64)
	if err != nil {
		seed = 5
	}
	t.Logf("MEMORY_SEED=%d", seed)
	return tries, rand.New(rand.NewPCG(seed, 5)) //nolint:gosec // a test
}

// What a power failure may do to the write-ahead log: it ends anywhere, a block of it
// was never written, or its index is missing or another's. The memory opens with what
// was committed before the gap, and with all of it if the log is whole.
func TestPowerLossInTheLog(t *testing.T) {
	t.Parallel()
	tries, r := randomTries(t, 16)
	from := killed(t)
	wal, err := os.ReadFile(filepath.Join(from, fileName+"-wal"))
	if err != nil {
		t.Fatal(err)
	}
	kept, refused, lost := 0, 0, 0
	for i := range tries {
		log, shm, whole := bytes.Clone(wal), []byte(nil), false
		at := r.IntN(len(wal))
		did := fmt.Sprintf("cut at %d of %d", at, len(wal))
		switch i % 4 {
		case 0:
			log = log[:at]
		case 1:
			at -= at % 512 // of a sector
			end := min(at+4096, len(log))
			clear(log[at:end])
			did = fmt.Sprintf("zeroed from %d to %d of %d", at, end, len(log))
		case 2:
			whole, did = true, "the index is missing"
		case 3:
			whole, did = true, "the index is random"
			shm = make([]byte, 32<<10)
			for k := range shm {
				shm[k] = byte(r.Uint32())
			}
		}
		n, ok := afterPowerLoss(t, did, from, log, shm)
		switch {
		case !ok && whole:
			t.Errorf("%s: the memory does not open", did)
		case !ok:
			refused++
		case whole:
			lost += 30 - n
		}
		kept += n
	}
	t.Logf("power loss in the log: %d states, %d refused with the next step, %d texts kept; %d acknowledged texts lost of those whose log was whole", tries, refused, kept, lost)
	if lost > 0 {
		t.Errorf("%d texts are lost although the log was whole", lost)
	}
}

// afterPowerLoss opens the file of from with that log and index, and returns how many
// of its thirty documents are there: those before a gap. ok is false if it was refused
// with a Problem.
func afterPowerLoss(t *testing.T, did, from string, wal, shm []byte) (n int, ok bool) {
	t.Helper()
	dir := t.TempDir()
	copied(t, filepath.Join(from, fileName), filepath.Join(dir, fileName))
	write(t, filepath.Join(dir, fileName+"-wal"), wal)
	if shm != nil {
		write(t, filepath.Join(dir, fileName+"-shm"), shm)
	}
	l, ok := openOrProblem(t, did, dir)
	if !ok {
		return 0, false
	}
	gap := false
	for i := 1; i <= 30; i++ {
		text := fmt.Sprintf("Number %d. ", i) + strings.Repeat("heron ", 200)
		d, found, err := l.Document(t.Context(), textDoc(i, text).ID)
		switch {
		case err != nil || found && d.Text != text:
			t.Errorf("%s: document %d = %.30q, %v", did, i, d.Text, err)
		case found && gap || !found && i <= 20:
			t.Errorf("%s: document %d is there: %v, which was committed in order", did, i, found)
		case found:
			n++
		default:
			gap = true
		}
	}
	if rep, err := l.Check(t.Context()); err != nil || !rep.OK {
		t.Errorf("%s: Check = %+v, %v", did, rep, err)
	}
	return n, true
}

// openOrProblem opens a memory; where that fails, a Problem has to say what to do.
func openOrProblem(t *testing.T, did, dir string) (*Local, bool) {
	t.Helper()
	l, err := Open(t.Context(), contract.Config{Dir: dir})
	if err != nil {
		var p *evidence.Problem
		if !errors.As(err, &p) || p.Try == "" {
			t.Errorf("%s: Open = %v, want a problem with the next step", did, err)
		}
		return nil, false
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l, true
}

func copied(t *testing.T, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from) //nolint:gosec // a file of the test
	if errors.Is(err, os.ErrNotExist) {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	write(t, to, b)
}

// The state of the files at any moment of writing, as a power failure leaves it, has
// all texts that were acknowledged by then. A copy that is made while a process
// writes opens too, or is refused with the next step.
func TestPowerLossWhileWriting(t *testing.T) {
	t.Parallel()
	tries, r := randomTries(t, 8)
	dir := t.TempDir()
	w := startWriter(t, dir, "p")
	defer func() {
		_ = w.cmd.Process.Kill()
		_ = w.cmd.Wait() // it was killed: the error says so
	}()
	var acked []string
	lost, refused, torn := 0, 0, 0
	for i := range tries {
		n := 1 + r.IntN(8)
		w.allow(t, n+1) // one more, to be in the middle of
		for range n {
			if !w.Scan() {
				t.Fatalf("the writer ended by itself: %v", w.cmd.Wait())
			}
			acked = append(acked, w.Text())
		}
		to := t.TempDir()
		whole := i%2 == 0
		if whole {
			stop(t, w)
		}
		for _, end := range []string{"", "-wal"} {
			copied(t, filepath.Join(dir, fileName+end), filepath.Join(to, fileName+end))
		}
		if whole {
			if err := w.cmd.Process.Signal(syscall.SIGCONT); err != nil {
				t.Fatal(err)
			}
		}
		l, ok := openOrProblem(t, fmt.Sprintf("copy %d", i), to)
		switch {
		case ok && whole:
			a, b := lostOrTorn(t, l, acked)
			lost += a + b
			if rep, err := l.Check(t.Context()); err != nil || !rep.OK {
				t.Errorf("Check of copy %d = %+v, %v", i, rep, err)
			}
		case ok:
			if rep, err := l.Check(t.Context()); err != nil || !rep.OK && slices.Max(append(rep.Problems, "")) == "" {
				t.Errorf("Check of copy %d = %+v, %v", i, rep, err)
			} else if !rep.OK {
				torn++
			}
		case whole:
			t.Errorf("copy %d of a whole state was refused", i)
		default:
			refused++
		}
	}
	t.Logf("power loss while writing: %d states, %d acknowledged texts: %d lost of whole states; of copies beside the writer %d refused with the next step, %d told by check", tries, len(acked), lost, refused, torn)
	if lost > 0 {
		t.Errorf("%d texts were lost", lost)
	}
}

// stop halts a process, and returns when it stands still.
func stop(t *testing.T, w *writer) {
	t.Helper()
	if err := w.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	for {
		var status syscall.WaitStatus
		_, err := syscall.Wait4(w.cmd.Process.Pid, &status, syscall.WUNTRACED, nil)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil || !status.Stopped() {
			t.Fatalf("the writer was not stopped: %v, %v", status, err)
		}
		return
	}
}
