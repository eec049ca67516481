package sdkclient

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"io"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// connected returns a client that reaches the server of a source by the command connect,
// with a token; wire gets the log of its messages.
func (s *source) connected(t *testing.T, era string, o *mcp.ClientOptions, wire io.Writer) *mcp.ClientSession {
	t.Helper()
	return s.connectedWith(t, era, o, wire, nil, nil)
}

// connectedWith is connected with more flags of serve and of connect.
func (s *source) connectedWith(t *testing.T, era string, o *mcp.ClientOptions, wire io.Writer, serve, connect []string) *mcp.ClientSession {
	t.Helper()
	home := t.TempDir()
	tokens, file := "--set=server.http.tokens_file="+filepath.Join(home, "tokens.json"), filepath.Join(home, "token")
	add := exec.Command(binary, "token", "add", "sdkclient", tokens)
	add.Env = append(os.Environ(), "HOME="+home)
	token, err := add.Output()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, token, 0o600); err != nil {
		t.Fatal(err)
	}
	server := s.serve(t, t.TempDir(), append(serve, tokens)...)
	cmd := exec.Command(binary, append([]string{"connect", server.url, "--token-file", file}, connect...)...)
	cmd.Env = append(os.Environ(), "HOME="+home)
	said := newLines()
	cmd.Stderr = said
	session, err := mcp.NewClient(&mcp.Implementation{Name: "sdkclient", Version: "1"}, o).
		Connect(t.Context(), &mcp.LoggingTransport{Transport: &mcp.CommandTransport{Command: cmd}, Writer: wire}, &mcp.ClientSessionOptions{ProtocolVersion: era})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := session.Close(); err != nil {
			t.Errorf("the end of connect: %v", err)
		}
		if secret := strings.TrimSpace(string(token)); strings.Contains(said.String()+server.stderr.String(), secret) {
			t.Error("the token is in a log")
		}
	})
	return session
}

// Before much is forgotten the person is asked, through connect as without it.
func TestConnectAsksThePerson(t *testing.T) {
	t.Parallel()
	for _, era := range eras[:3] { // the last one has no elicitation
		t.Run(era, func(t *testing.T) {
			t.Parallel()
			forgetMuch(t, func(o *mcp.ClientOptions) *mcp.ClientSession {
				return newSource(t, released()).connected(t, era, o, io.Discard)
			})
		})
	}
}

// None of a call's reports is missing behind connect, and none comes after its result.
func TestConnectPassesProgress(t *testing.T) {
	t.Parallel()
	for _, era := range eras {
		t.Run(era, func(t *testing.T) {
			t.Parallel()
			var wire log
			session := newSource(t, released()).connected(t, era, &mcp.ClientOptions{}, &wire)
			const calls = 20
			for n := range calls {
				params := &mcp.CallToolParams{Name: "fetch-sources", Arguments: map[string]any{"query": "tides", "sources": []string{"hackernews"}}}
				params.SetProgressToken("call" + string(rune('a'+n)))
				if res, err := session.CallTool(t.Context(), params); err != nil || res.IsError {
					t.Fatalf("call %d: %v, %+v", n, err, res)
				}
			}
			checkProgress(t, wire.String(), calls)
		})
	}
}

// A cancellation by a person closes the source's connection, through connect as without it.
func TestConnectPassesCancellation(t *testing.T) {
	t.Parallel()
	for _, era := range eras[:2] {
		t.Run(era, func(t *testing.T) {
			t.Parallel()
			s := newSource(t, nil)
			session := s.connected(t, era, &mcp.ClientOptions{}, io.Discard)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				_, _ = session.CallTool(ctx, &mcp.CallToolParams{Name: "research", Arguments: tides})
			}()
			<-s.begun
			cancel()
			<-ended
			<-s.left
		})
	}
}

// A server with a certificate of a private authority says that it speaks TLS, and connect
// trusts it by --ca-file.
func TestConnectOverTLS(t *testing.T) {
	t.Parallel()
	issuer := httptest.NewUnstartedServer(nil)
	issuer.StartTLS()
	pair := issuer.TLS.Certificates[0] // for 127.0.0.1; it vouches for itself
	issuer.Close()
	key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, block := range map[string]*pem.Block{"cert.pem": {Type: "CERTIFICATE", Bytes: pair.Certificate[0]}, "key.pem": {Type: "PRIVATE KEY", Bytes: key}} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cert := filepath.Join(dir, "cert.pem")
	session := newSource(t, released()).connectedWith(t, eras[1], &mcp.ClientOptions{}, io.Discard,
		[]string{"--set=server.http.tls_cert=" + cert, "--set=server.http.tls_key=" + filepath.Join(dir, "key.pem")}, []string{"--ca-file", cert})
	res, err := session.CallTool(t.Context(), &mcp.CallToolParams{Name: "research", Arguments: tides})
	if err != nil || res.IsError || !strings.Contains(textOf(res), "gravity of the moon") {
		t.Errorf("research: %v, %+v", err, res)
	}
}
