package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// webServer is a process that serves over HTTP.
type webServer struct {
	cmd *exec.Cmd
	url string
	log bytes.Buffer // complete when the process has ended
	end func() error // asks it to end, and waits; safe to call twice
}

var servingAt = regexp.MustCompile(`http://[^;]+/mcp`)

// startWeb starts a server over HTTP; it ends with the test.
func startWeb(t *testing.T, program string, env []string) *webServer {
	t.Helper()
	s := &webServer{cmd: exec.Command(program, "serve", "--http", "127.0.0.1:0")}
	s.cmd.Env = env
	stderr, err := s.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	read, at := make(chan struct{}), make(chan string, 1)
	go func() { // ends with the process
		defer close(read)
		for lines := bufio.NewReader(stderr); ; {
			line, err := lines.ReadString('\n')
			s.log.WriteString(line)
			if url := servingAt.FindString(line); url != "" && len(at) == 0 && s.url == "" {
				at <- url
			}
			if err != nil {
				close(at)
				return
			}
		}
	}()
	ended := false
	s.end = func() error {
		if ended {
			return nil
		}
		ended = true
		_ = s.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
		<-read
		return s.cmd.Wait()
	}
	t.Cleanup(func() { _ = s.end() })
	url, ok := <-at
	if !ok {
		t.Fatalf("the server ended: %s", s.log.Bytes())
	}
	s.url = url
	return s
}

// webPeer is one client over HTTP, in one era of the protocol. One goroutine uses it.
type webPeer struct {
	url, session string // session: empty in the newer era
	modern       bool
	http         *http.Client
	last         int
}

// newWebPeer returns a client with a connection of its own, after its handshake if the era
// has one.
func newWebPeer(url string, modern bool) (*webPeer, error) {
	p := &webPeer{url: url, modern: modern, http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 2}}}
	if modern {
		return p, nil
	}
	_, header, err := p.post("initialize", map[string]any{"protocolVersion": "2025-11-25", "capabilities": map[string]any{}, "clientInfo": map[string]any{"name": "load", "version": "1"}})
	p.session = header.Get("Mcp-Session-Id")
	return p, err
}

func (p *webPeer) close() { p.http.CloseIdleConnections() }

// webResult is the part of a response that is judged.
type webResult struct {
	Content []struct{ Text string }
	IsError bool
}

// ask sends a request. An error of HTTP, of the protocol or of a tool, a missing response
// and progress out of order are errors.
func (p *webPeer) ask(method string, params map[string]any) (text string, err error) {
	result, _, err := p.post(method, params)
	if err != nil {
		return "", fmt.Errorf("%s %.300v: %w", method, params, err)
	}
	for _, c := range result.Content {
		text += c.Text
	}
	if result.IsError {
		return text, fmt.Errorf("%s %.300v: %s", method, params, text)
	}
	return text, nil
}

func (p *webPeer) post(method string, params map[string]any) (webResult, http.Header, error) {
	p.last++
	meta := map[string]any{"progressToken": p.last}
	header := http.Header{"Content-Type": {"application/json"}, "Accept": {"application/json, text/event-stream"}, "Mcp-Protocol-Version": {"2025-11-25"}}
	if p.modern {
		meta["io.modelcontextprotocol/protocolVersion"] = "2026-07-28"
		meta["io.modelcontextprotocol/clientCapabilities"] = map[string]any{}
		header["Mcp-Protocol-Version"], header["Mcp-Method"] = []string{"2026-07-28"}, []string{method}
		for _, key := range []string{"name", "uri"} {
			if name, ok := params[key].(string); ok {
				header["Mcp-Name"] = []string{name}
			}
		}
	} else if p.session != "" {
		header["Mcp-Session-Id"] = []string{p.session}
	}
	params["_meta"] = meta
	body, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": p.last, "method": method, "params": params})
	if err != nil {
		return webResult{}, nil, err
	}
	request, err := http.NewRequest(http.MethodPost, p.url, bytes.NewReader(body))
	if err != nil {
		return webResult{}, nil, err
	}
	request.Header = header
	response, err := p.http.Do(request)
	if err != nil {
		return webResult{}, nil, err
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		return webResult{}, nil, err
	}
	if response.StatusCode != http.StatusOK {
		return webResult{}, nil, fmt.Errorf("HTTP %d: %.300s", response.StatusCode, raw)
	}
	result, err := p.response(raw)
	return result, response.Header, err
}

// response finds the response in a body, which is a message or a stream of them, and
// checks the order of what came before it.
func (p *webPeer) response(body []byte) (webResult, error) {
	found, reports := false, 0
	var result webResult
	for line := range strings.Lines(string(body)) {
		text, event := strings.CutPrefix(line, "data: ")
		if !event && !strings.HasPrefix(line, "{") {
			continue
		}
		var m struct {
			ID     int
			Error  json.RawMessage
			Result webResult
			Params struct{ Progress int }
			Method string
		}
		if err := json.Unmarshal([]byte(text), &m); err != nil {
			return result, fmt.Errorf("%.300q: %w", line, err)
		}
		switch {
		case found:
			return result, fmt.Errorf("after the response: %.300s", text)
		case m.Method == "notifications/progress":
			if reports++; m.Params.Progress != reports {
				return result, fmt.Errorf("progress %d in place of %d", m.Params.Progress, reports)
			}
		case m.Error != nil:
			return result, fmt.Errorf("%s", m.Error)
		case m.Method == "" && m.ID == p.last:
			found, result = true, m.Result
		}
	}
	if !found {
		return result, fmt.Errorf("no response in %.300q", body)
	}
	return result, nil
}

// listen opens the stream of the session for what belongs to no request, until ctx ends.
func (p *webPeer) listen(ctx context.Context) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url, nil)
	if err != nil {
		return err
	}
	request.Header = http.Header{"Accept": {"text/event-stream"}, "Mcp-Protocol-Version": {"2025-11-25"}, "Mcp-Session-Id": {p.session}}
	response, err := p.http.Do(request)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		response.Body.Close()
		return fmt.Errorf("GET %s: HTTP %d", p.url, response.StatusCode)
	}
	return nil // the end of ctx closes the body
}
