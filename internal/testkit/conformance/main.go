//go:build conformance

// Command conformance serves the fixtures of the official conformance suite over
// server/http, at a free port of this machine. It prints its address and ends on SIGTERM.
package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"syscall"

	"github.com/research-mcp/research-mcp/server"
	mcphttp "github.com/research-mcp/research-mcp/server/http"
)

func main() {
	if err := serve(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serve(out io.Writer) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "http://%s%s\n", l.Addr(), mcphttp.Path)
	h := server.NewConformanceHandler()
	return mcphttp.New(mcphttp.Options{Handler: func(context.Context) (*server.Handler, error) { return h, nil }}).Serve(ctx, l)
}
