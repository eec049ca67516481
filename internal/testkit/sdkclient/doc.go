// Package sdkclient holds tests that drive the product's own binary with a
// client that shares no code with it: the official MCP SDK for Go. It is a
// module of its own, so that the product does not carry that dependency.
//
//	cd internal/testkit/sdkclient && go test ./...
//
// The tests build cmd/research-mcp and start "serve --demo", or "serve" with one source on
// loopback: no network is used. SDKCLIENT_BINARY names a binary to test instead.
package sdkclient
