package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/research-mcp/research-mcp/internal/config"
)

// serverLog is what a server writes to stderr; address has where it serves.
type serverLog struct {
	address chan string // has capacity 1

	mu   sync.Mutex
	said bytes.Buffer
	told bool
}

var servedAt = regexp.MustCompile(`serving MCP at (http://\S+)/mcp`)

func (l *serverLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n, err := l.said.Write(p)
	if found := servedAt.FindSubmatch(l.said.Bytes()); found != nil && !l.told {
		l.told = true
		l.address <- string(found[1])
	}
	return n, err
}

// serveOverHTTP runs `serve --http` until the test or end ends it; end returns its log.
func serveOverHTTP(t *testing.T, environ []string) (address string, end func() []byte) {
	t.Helper()
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	log, ended := &serverLog{address: make(chan string, 1)}, make(chan struct{})
	go func() {
		defer close(ended)
		run(ctx, []string{"serve", "--http", "127.0.0.1:0"}, &console{in: strings.NewReader(""), out: io.Discard, err: log, environ: environ, zone: time.UTC})
	}()
	end = sync.OnceValue(func() []byte {
		stop()
		<-ended
		return log.said.Bytes()
	})
	t.Cleanup(func() { end() })
	select {
	case address = <-log.address:
	case <-ended:
		t.Fatalf("the server ended: %s", end())
	}
	return address, end
}

// A token is shown by the command that makes it, and by nothing else: wherever a client
// puts it, valid, revoked or foreign, no log, metric or file has it, and no response but
// one that repeats the name of a tool, method or session in the client's own message.
func TestATokenReachesNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	environ := []string{"HOME=" + t.TempDir(), config.EnvName("data_dir") + "=" + dir, config.EnvName("log_level") + "=debug", config.EnvName("ollama.enabled") + "=false",
		config.EnvName("watch.audit_log") + "=" + filepath.Join(dir, "audit.log"), config.EnvName("server.http.tokens_file") + "=" + filepath.Join(dir, "tokens.json")}
	c := canaries{values: map[string]string{}}
	made := func(what string, args ...string) string {
		var out, errs bytes.Buffer
		run(t.Context(), args, &console{in: strings.NewReader(""), out: &out, err: &errs, environ: environ, zone: time.UTC})
		secret := strings.TrimSpace(out.String())
		if !strings.HasPrefix(secret, "rmcp_") || strings.Contains(errs.String(), secret) {
			t.Fatalf("%v: stdout %q, stderr %q", args, out.String(), errs.String())
		}
		c.values[secret] = what
		return secret
	}
	valid := made("a valid token", "token", "add", "laptop", "--tenant", "blue")
	rotated := made("a token that was rotated", "token", "add", "phone")
	made("the token after it", "token", "rotate", "phone")
	revoked := made("a token that was revoked", "token", "add", "ci")
	c.invoke(t, environ, nil, "token", "revoke", "ci")
	foreign := "rmcp_" + strings.Repeat("fOreign", 6) + "Q"
	c.values[foreign] = "a foreign token"
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(valid+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}

	address, end := serveOverHTTP(t, environ)
	misplaced(t, &c, address, map[string]int{valid: http.StatusOK, rotated: http.StatusUnauthorized, revoked: http.StatusUnauthorized, foreign: http.StatusUnauthorized})
	for _, args := range [][]string{
		{"token", "list"}, {"token", "list", "--json"}, {"config"}, {"doctor", "--url", address + "/mcp", "--token-file", file},
		{"doctor", "--json", "--url", address + "/mcp", "--token-file", file}, {"token", "add", valid}, {"token", "revoke", foreign},
	} {
		c.invoke(t, environ, strings.NewReader(""), args...)
	}
	log := end()
	if !bytes.Contains(log, []byte("serving MCP at")) {
		t.Errorf("the log is %s", log)
	}
	c.check(t, "the log of serve --http", log)
	c.checkFolder(t, environ)
}

// misplaced sends each token where it belongs, which has to be answered with its status,
// and where it does not.
func misplaced(t *testing.T, c *canaries, address string, tokens map[string]int) {
	t.Helper()
	send := func(method, target, authorization, body string, header ...string) int {
		req, err := http.NewRequestWithContext(t.Context(), method, address+target, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		if authorization != "" {
			req.Header.Set("Authorization", authorization)
		}
		for i := 0; i < len(header); i += 2 {
			req.Header.Set(header[i], header[i+1])
		}
		res, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		said, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		for name, values := range res.Header {
			said = append(said, "\n"+name+": "+strings.Join(values, ", ")...)
		}
		// Who is let in may be shown its own message: what it names is a name to us.
		if authorization == "" || len(c.found([]byte(body))) == 0 || res.StatusCode == http.StatusUnauthorized {
			c.check(t, method+" "+target, said)
		}
		return res.StatusCode
	}
	const list = `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{}}`
	var valid string
	for token, want := range tokens {
		if status := send(http.MethodPost, "/mcp", "Bearer "+token, list); status != want {
			t.Errorf("%s: status %d, want %d", c.values[token], status, want)
		}
		if want == http.StatusOK {
			valid = "Bearer " + token
		}
	}
	for token := range tokens {
		for _, authorization := range []string{"", valid} {
			send(http.MethodPost, "/mcp?access_token="+token, authorization, list)
			send(http.MethodPost, "/"+token, authorization, list)
			send(http.MethodPost, "/mcp", authorization, strings.Replace(list, "tools/list", token, 1))
			send(http.MethodPost, "/mcp", authorization, strings.Replace(list, `"params":{}`, `"params":{"name":"`+token+`"}`, 1))
			send(http.MethodPost, "/mcp", authorization, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"`+token+`","arguments":{}}}`)
			send(http.MethodPost, "/mcp", authorization, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"recall","arguments":{"query":"quokkas","session":"`+token+`"}}}`)
			send(http.MethodPost, "/mcp", authorization, list, "Mcp-Session-Id", token)
			send(http.MethodPost, "/mcp", authorization, list, "Mcp-Protocol-Version", token)
			send(http.MethodPost, "/mcp", authorization, list, "Origin", "http://"+token)
			send(http.MethodDelete, "/mcp", authorization, "", "Mcp-Session-Id", token)
		}
		send(http.MethodPost, "/mcp", "Basic "+token, list)
		send(http.MethodPost, "/mcp", "Bearer "+token+token, list)
		send(http.MethodPost, "/mcp", "Bearer "+token+" "+token, list)
	}
	send(http.MethodPost, "/mcp", valid, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"remember","arguments":{"text":"Quokkas live on Rottnest Island."}}}`)
	send(http.MethodGet, "/metrics", "", "")
}
