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
)

func main() {
	if code, child := app.Child(); child {
		os.Exit(code)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	code := run(ctx, os.Args[1:], &console{
		in: os.Stdin, out: os.Stdout, err: os.Stderr, environ: os.Environ(), zone: time.Local, invocation: invocation(os.Args[0]),
		live: term.IsTerminal(int(os.Stderr.Fd())), typed: term.IsTerminal(int(os.Stdin.Fd())),
	})
	stop()
	os.Exit(code)
}
