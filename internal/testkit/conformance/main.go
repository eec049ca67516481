//go:build conformance

// Command conformance serves the fixtures of the official conformance suite over
// server/http, at a free port of this machine. It prints its address and ends on SIGTERM.
package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"

	"github.com/research-mcp/research-mcp/server"
	mcphttp "github.com/research-mcp/research-mcp/server/http"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	if err := serve(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serve(ctx context.Context) error {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Printf("http://%s%s\n", l.Addr(), mcphttp.Path)
	h := server.NewConformanceHandler()
	return mcphttp.New(mcphttp.Options{Handler: func(context.Context) (*server.Handler, error) { return h, nil }}).Serve(ctx, l)
}
