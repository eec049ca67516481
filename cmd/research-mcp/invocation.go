package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
)

// programName is how texts call the program.
const programName = "research-mcp"

// invocation returns the words that start this program again from the same folder:
// arg0 as it was typed, or the go command if that has built and started it.
func invocation(arg0 string) string {
	if strings.Contains(filepath.ToSlash(arg0), "/go-build") {
		if info, err := os.Stat(filepath.Join("cmd", programName)); err == nil && info.IsDir() {
			return "go run ./cmd/" + programName
		}
	}
	if onPath, err := exec.LookPath(programName); err == nil && sameFile(onPath, arg0) {
		return programName
	}
	if !strings.ContainsRune(filepath.ToSlash(arg0), '/') {
		return programName
	}
	if strings.ContainsAny(arg0, " '\"") {
		return strconv.Quote(arg0)
	}
	return arg0
}

func sameFile(a, b string) bool {
	x, errX := os.Stat(a)
	y, errY := os.Stat(b)
	return errX == nil && errY == nil && os.SameFile(x, y)
}

// hint returns a text with its commands, which are in backticks, as they have to be
// typed here.
func (c *console) hint(text string) string {
	return strings.ReplaceAll(text, "`"+programName+" ", "`"+c.name()+" ")
}

// indentedHints is hint for commands that are indented lines.
func (c *console) indentedHints(text string) string {
	return strings.ReplaceAll(text, "\n  "+programName+" ", "\n  "+c.name()+" ")
}

// name is how the program has to be called here.
func (c *console) name() string {
	if c.invocation == "" {
		return programName
	}
	return c.invocation
}

// finish gives a command and those below it the same layout of examples, and the
// commands in its texts as they have to be typed here.
func (c *console) finish(cmd *cobra.Command) {
	if cmd.Example != "" {
		lines := strings.Split(cmd.Example, "\n")
		for i, line := range lines {
			lines[i] = "  " + strings.ReplaceAll(strings.TrimSpace(line), programName+" ", c.name()+" ")
		}
		cmd.Example = strings.Join(lines, "\n")
	}
	cmd.Long = c.indentedHints(c.hint(cmd.Long))
	for _, sub := range cmd.Commands() {
		c.finish(sub)
	}
}
