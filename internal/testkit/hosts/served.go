package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"
)

// reach is how a host reaches the server.
type reach int

const (
	byCommand reach = iota // it starts one
	byURL                  // one that runs, by HTTP
	byConnect              // one that runs, by the command connect
)

// tokenVariable is where hosts take the token from that reach the server by HTTP.
const tokenVariable = "RESEARCH_MCP_TOKEN"

// served is a server over HTTP that asks for a token.
type served struct {
	url, token, tokenFile string
	cmd                   *exec.Cmd
	said                  bytes.Buffer
	read                  chan struct{} // closed when all that it said is read
}

var servedAt = regexp.MustCompile(`serving MCP at (http://[^;]+);`)

// serve starts the demo's server over HTTP, and makes a token for it.
func serve(ctx context.Context, s setting) (*served, error) {
	tokens := "--set=server.http.tokens_file=" + filepath.Join(s.home, "tokens.json")
	v := &served{tokenFile: filepath.Join(s.home, "host.token")}
	add := exec.CommandContext(ctx, s.binary, "token", "add", "host", tokens)
	add.Dir, add.Env = s.home, environment(s)
	out, err := add.Output()
	if err != nil {
		return nil, fmt.Errorf("token add: %w: %s", err, stderrOf(err))
	}
	v.token = strings.TrimSpace(string(out))
	if err := write(v.tokenFile, v.token+"\n"); err != nil {
		return nil, err
	}
	if err := v.start(ctx, s, "--demo", tokens); err != nil {
		return nil, err
	}
	if err := v.refusesStrangers(ctx); err != nil {
		return nil, errors.Join(err, v.end())
	}
	return v, nil
}

// start starts the server, and returns when it serves.
func (v *served) start(ctx context.Context, s setting, args ...string) error {
	v.read = make(chan struct{})
	v.cmd = exec.CommandContext(ctx, s.binary, append([]string{"serve", "--http", "127.0.0.1:0"}, args...)...)
	v.cmd.Dir, v.cmd.Env = s.home, environment(s)
	v.cmd.Cancel = func() error { return v.cmd.Process.Signal(syscall.SIGTERM) }
	v.cmd.WaitDelay = 10 * time.Second
	stderr, err := v.cmd.StderrPipe()
	if err != nil {
		return err
	}
	if err := v.cmd.Start(); err != nil {
		return err
	}
	lines := bufio.NewReader(stderr)
	for v.url == "" && err == nil {
		var line string
		line, err = lines.ReadString('\n')
		v.said.WriteString(line)
		if m := servedAt.FindStringSubmatch(line); m != nil {
			v.url = m[1]
		}
	}
	go func() {
		defer close(v.read)
		_, _ = io.Copy(&v.said, lines) // it ends with the process
	}()
	if v.url == "" {
		return errors.Join(fmt.Errorf("serve --http: %w", err), v.end())
	}
	return nil
}

func stderrOf(err error) string {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return string(exit.Stderr)
	}
	return ""
}

// refusesStrangers makes sure that a host which is served has sent the token.
func (v *served) refusesStrangers(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, v.url, strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"ping"}`))
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusUnauthorized {
		return fmt.Errorf("the server answers a stranger with %s", res.Status)
	}
	return nil
}

// end stops the server, and says what was wrong with it.
func (v *served) end() error {
	_ = v.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	<-v.read
	err := v.cmd.Wait()
	if v.token != "" && strings.Contains(v.said.String(), v.token) {
		err = errors.Join(err, errors.New("the server's log has the token"))
	}
	if err != nil {
		return fmt.Errorf("serve --http: %w: %s", err, v.said.String())
	}
	return nil
}

// installed looks at a configuration that names a running server.
func (v *served) installed(how reach, config []byte) error {
	direct := !bytes.Contains(config, []byte("connect"))
	switch {
	case !bytes.Contains(config, []byte(v.url)):
		return fmt.Errorf("it does not have %s", v.url)
	case bytes.Contains(config, []byte(v.token)):
		return errors.New("it has the token")
	case direct != (how == byURL):
		return errors.New("it reaches the server in another way")
	}
	return nil
}

// arguments are those of install.
func (v *served) arguments(how reach) []string {
	args := []string{"--url", v.url, "--token-file", v.tokenFile}
	if how == byURL {
		args = append(args, "--native")
	}
	return args
}

// reaching is a host that reaches a running server instead of starting one.
func reaching(how reach, h host) host {
	h.reach = how
	h.name += map[reach]string{byURL: "-url", byConnect: "-connect"}[how]
	return h
}
