package app_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// BenchmarkServers starts MCP servers, ours and those of RIVALS ("NAME=PROGRAM …"), and
// measures the time to the answer to initialize and the resident memory of their processes
// two seconds later.
func BenchmarkServers(b *testing.B) {
	servers := [][]string{{"research-mcp", binary(b), "serve"}}
	for _, rival := range strings.Fields(os.Getenv("RIVALS")) {
		name, program, _ := strings.Cut(rival, "=")
		servers = append(servers, []string{name, program})
	}
	for _, s := range servers {
		b.Run(s[0], func(b *testing.B) {
			home := b.TempDir()
			var took, resident []float64
			for b.Loop() {
				ms, mb, err := startOf(b.Context(), home, s[1:])
				if err != nil {
					b.Fatal(err)
				}
				took, resident = append(took, ms), append(resident, mb)
			}
			slices.Sort(took)
			slices.Sort(resident)
			b.ReportMetric(0, "ns/op") // most of it is the wait
			b.ReportMetric(took[len(took)/2], "ms-initialize-p50")
			b.ReportMetric(resident[len(resident)/2], "MB-resident-p50")
		})
	}
}

// startOf starts a server in a home of its own, and ends it.
func startOf(ctx context.Context, home string, command []string) (ms, mb float64, err error) {
	cmd := exec.CommandContext(ctx, command[0], command[1:]...) //nolint:gosec // of the one who measures
	cmd.Env = append(os.Environ(), "HOME="+home, "RESEARCH_MCP_DATA_DIR="+filepath.Join(home, "data"), "MEMORY_FILE_PATH="+filepath.Join(home, "memory.jsonl"))
	in, err := cmd.StdinPipe()
	if err != nil {
		return 0, 0, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return 0, 0, err
	}
	begun := time.Now()
	if err := cmd.Start(); err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, in.Close()); _, _ = cmd.Process.Kill(), cmd.Wait() }()
	if _, err := in.Write([]byte(hello)); err != nil {
		return 0, 0, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	ms = float64(time.Since(begun).Microseconds()) / 1000
	if err == nil && !strings.Contains(line, `"serverInfo"`) {
		err = fmt.Errorf("the first answer is %q", line)
	}
	time.Sleep(2 * time.Second)
	return ms, residentOf(cmd.Process.Pid), err
}

// residentOf is the resident memory of a process and its descendants, in MB.
func residentOf(pid int) float64 {
	total := 0.0
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if _, after, found := strings.Cut(string(status), "VmRSS:"); found {
		if kib, err := strconv.ParseFloat(strings.Fields(after)[0], 64); err == nil {
			total = kib * 1024 / 1e6
		}
	}
	lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, list := range lists {
		children, _ := os.ReadFile(list) //nolint:gosec // of /proc
		for _, child := range strings.Fields(string(children)) {
			if n, err := strconv.Atoi(child); err == nil {
				total += residentOf(n)
			}
		}
	}
	return total
}
