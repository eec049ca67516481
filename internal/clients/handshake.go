package clients

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/research-mcp/research-mcp/internal/text"
)

// Limits of a handshake.
const (
	handshakeTime = 15 * time.Second
	maxGreeting   = 1 << 20 // bytes of the answer
	maxSaid       = 500     // bytes of an error in it
	endPatience   = 3 * time.Second
)

const initialize = `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"research-mcp doctor","version":"1"}}}` + "\n"

// Handshake starts a server as a client would, and returns what it says it is, such as
// "research-mcp 0.1.0".
func Handshake(ctx context.Context, s Server) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, handshakeTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, s.Command, s.Args...)
	cmd.Env = os.Environ()
	for name, value := range s.Env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	cmd.WaitDelay = endPatience
	in, err := cmd.StdinPipe()
	if err != nil {
		return "", err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", err
	}
	var notes tail
	cmd.Stderr = &notes
	if err := cmd.Start(); err != nil {
		return "", err
	}
	name, err := greet(in, out)
	in.Close()
	if err != nil {
		cancel()
	}
	ended := cmd.Wait() // of a server that answered, how it ends does not matter
	switch {
	case err == nil:
		return name, nil
	case ctx.Err() != nil && errors.Is(ctx.Err(), context.DeadlineExceeded):
		return "", fmt.Errorf("no answer within %v%s", handshakeTime, notes.text())
	case errors.Is(err, io.EOF) && ended != nil:
		return "", fmt.Errorf("it ended without an answer%s", notes.text())
	}
	return "", fmt.Errorf("%w%s", err, notes.text())
}

// greet sends initialize and reads the answer.
func greet(in io.Writer, out io.Reader) (string, error) {
	if _, err := io.WriteString(in, initialize); err != nil {
		return "", io.EOF // it has ended already
	}
	line, err := bufio.NewReader(io.LimitReader(out, maxGreeting)).ReadBytes('\n')
	if err != nil {
		return "", err
	}
	var answer struct {
		Result struct {
			ServerInfo struct{ Name, Version string } `json:"serverInfo"`
		}
		Error struct{ Message string }
	}
	switch err := json.Unmarshal(line, &answer); {
	case err == nil && answer.Error.Message != "":
		said, _ := text.Cut(text.Squash(answer.Error.Message), maxSaid)
		return "", errors.New(said)
	case err != nil, answer.Result.ServerInfo.Name == "":
		return "", errors.New("its first line on stdout is not an answer to initialize")
	}
	return strings.TrimSpace(answer.Result.ServerInfo.Name + " " + answer.Result.ServerInfo.Version), nil
}

// tail keeps the last bytes that are written to it.
type tail struct{ kept []byte }

func (t *tail) Write(p []byte) (int, error) {
	t.kept = append(t.kept, p...)
	t.kept = t.kept[max(0, len(t.kept)-2000):]
	return len(p), nil
}

// text is the last line, for an error.
func (t *tail) text() string {
	lines := strings.Split(strings.TrimSpace(string(t.kept)), "\n")
	if last := strings.TrimSpace(lines[len(lines)-1]); last != "" {
		return ": " + last
	}
	return ""
}
