// Command research-mcp gives AI assistants and people at a terminal a
// researcher on their own machine.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/term"

	"github.com/research-mcp/research-mcp/internal/app"
	"github.com/research-mcp/research-mcp/internal/terminal"
)

func main() {
	if code, child := app.Child(); child {
		os.Exit(code)
	}
	os.Exit(start())
}

// start runs the command line of this process, and returns the exit code.
func start() int {
	c := &console{
		in: os.Stdin, out: os.Stdout, err: os.Stderr, environ: os.Environ(), zone: time.Local, invocation: invocation(os.Args[0]),
		screen: terminal.Of(os.Stdout, os.Environ()), notes: terminal.Of(os.Stderr, os.Environ()), typed: term.IsTerminal(int(os.Stdin.Fd())),
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() { // until the end of the process
		for s := range signals {
			if s == os.Interrupt && c.interrupts.handle() {
				continue
			}
			signal.Stop(signals) // another signal ends the program at once
			cancel()
			return
		}
	}()
	return run(ctx, os.Args[1:], c)
}
