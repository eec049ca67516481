// Command hosts has real hosts of MCP servers (Claude Code, Codex and others) call the
// tools of the binary, and checks what each of them gives its model. A stub of the
// model's API, on loopback, plays the model. It also runs clients of the official SDKs
// in other languages. internal/testkit/scripts/hosts.sh installs all of them and calls it:
//
//	hosts -binary bin/research-mcp -installed FOLDER [-only NAME,...]
//
// It prints a table. What each model was given is kept in FOLDER/given. A host that fails is
// tried once more, when no other runs; if it passes then, a line FAILED ONCE says what was
// wrong. Exit code: 0 when all passed, 1 when one failed, 3 when none failed but one could
// not be run.
package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
)

// atOnce is how many hosts run side by side: they mostly wait, for the demo's sources
// and for each other's start.
const atOnce = 4

func main() {
	binary := flag.String("binary", "bin/research-mcp", "the program under test")
	installed := flag.String("installed", "", "folder into which hosts.sh installed the hosts")
	only := flag.String("only", "", "names of hosts, with commas between them; all if empty")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code, err := run(ctx, os.Stdout, *binary, *installed, *only)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "hosts:", err)
		code = 2
	}
	os.Exit(code)
}

func run(ctx context.Context, stdout io.Writer, binary, installed, only string) (int, error) {
	binary, err := filepath.Abs(binary)
	if err != nil {
		return 0, err
	}
	if _, err := os.Stat(binary); err != nil {
		return 0, fmt.Errorf("there is no binary to test (make build makes it): %w", err)
	}
	all, err := chosen(allHosts(), only)
	if err != nil {
		return 0, err
	}
	outcomes := make([]outcome, len(all))
	slots := make(chan struct{}, atOnce)
	var running sync.WaitGroup
	for i, h := range all {
		running.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			outcomes[i] = h.try(ctx, place{binary: binary, installed: installed})
			fmt.Fprintf(os.Stderr, "%s: %s\n", h.name, outcomes[i].verdict())
		})
	}
	running.Wait()
	for i, h := range all {
		if ctx.Err() == nil && outcomes[i].failed() {
			outcomes[i] = h.tryAgain(ctx, place{binary: binary, installed: installed}, outcomes[i])
			fmt.Fprintf(os.Stderr, "%s, once more: %s\n", h.name, outcomes[i].verdict())
		}
	}
	if _, err := io.WriteString(stdout, table(outcomes)+failedOnce(outcomes)); err != nil {
		return 0, err
	}
	return exitCode(outcomes), ctx.Err()
}

// chosen are the hosts with these names; names are separated by commas or spaces.
func chosen(all []host, names string) ([]host, error) {
	wanted := strings.FieldsFunc(names, func(r rune) bool { return r == ',' || r == ' ' })
	if len(wanted) == 0 {
		return all, nil
	}
	var found []host
	for _, name := range wanted {
		i := slices.IndexFunc(all, func(h host) bool { return h.name == name })
		if i < 0 {
			return nil, fmt.Errorf("unknown host %q: one of %s", name, strings.Join(hostNames(all), ", "))
		}
		found = append(found, all[i])
	}
	return found, nil
}

func hostNames(all []host) []string {
	names := make([]string, len(all))
	for i, h := range all {
		names[i] = h.name
	}
	return names
}

// outcome is how one host's run ended.
type outcome struct {
	host     string
	notRun   string            // why it could not be run
	problems []string          // what was wrong with what its model was given
	given    map[string]string // what the model was given, by tool
	notes    []string          // what passed, if that is not a matter of given
	seconds  float64
	before   []string // how its attempts ended before the last one
}

// failed reports whether another attempt makes sense: what could not be installed is not
// there a second time either.
func (o outcome) failed() bool {
	return len(o.problems) > 0 || o.notRun != "" && o.notRun != notInstalled
}

func (o outcome) verdict() string {
	switch {
	case o.notRun != "":
		return "NOT RUN: " + o.notRun
	case len(o.problems) > 0:
		return "FAIL: " + strings.Join(o.problems, "; ")
	}
	return "ok"
}

func exitCode(all []outcome) int {
	code := 0
	for _, o := range all {
		switch {
		case len(o.problems) > 0:
			return 1
		case o.notRun != "":
			code = 3
		}
	}
	return code
}

// table shows for each host how much of each tool's result its model was given.
func table(all []outcome) string {
	rows := [][]string{append([]string{"host"}, append(slices.Clone(toolsCalled), "seconds", "result")...)}
	for _, o := range all {
		row := []string{o.host}
		for _, tool := range toolsCalled {
			size := "–"
			if text, ok := o.given[tool]; ok {
				size = fmt.Sprintf("%d B", len(text))
			}
			row = append(row, size)
		}
		result := o.verdict()
		if len(o.notes) > 0 {
			result += ": " + strings.Join(o.notes, ", ")
		}
		if len(o.before) > 0 {
			result += fmt.Sprintf(" (attempt %d)", len(o.before)+1)
		}
		rows = append(rows, append(row, fmt.Sprintf("%.1f", o.seconds), result))
	}
	return aligned(rows)
}

// failedOnce has a line for each attempt that failed before one that passed.
func failedOnce(all []outcome) string {
	var b strings.Builder
	for _, o := range all {
		if o.failed() {
			continue
		}
		for _, verdict := range o.before {
			fmt.Fprintf(&b, "FAILED ONCE: %s: %s\n", o.host, strings.Join(strings.Fields(verdict), " "))
		}
	}
	return b.String()
}

// aligned puts spaces between the columns; the last one is not padded.
func aligned(rows [][]string) string {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], len([]rune(cell)))
		}
	}
	var b strings.Builder
	for _, row := range rows {
		for i, cell := range row[:len(row)-1] {
			fmt.Fprintf(&b, "%s%s  ", cell, strings.Repeat(" ", widths[i]-len([]rune(cell))))
		}
		b.WriteString(cmp.Or(row[len(row)-1], "–") + "\n")
	}
	return b.String()
}
