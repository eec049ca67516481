package diagnosis

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/research-mcp/research-mcp/internal/bridge"
	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/text"
	mcphttp "github.com/research-mcp/research-mcp/server/http"
)

const (
	// remotePatience is how long the doctor waits for one answer of a server.
	remotePatience = 10 * time.Second
	// certificateSoon is how long before its end a certificate is warned of.
	certificateSoon = 14 * 24 * time.Hour
	// remoteMost bounds what is read of an answer.
	remoteMost = 8 << 20
	// stranger is a name that leads nowhere.
	stranger = "stranger.invalid"
)

// Revisions of the protocol that are tried.
const (
	olderRevision = "2025-11-25"
	newerRevision = "2026-07-28"
)

// RemoteOptions say how a server is reached over HTTP.
type RemoteOptions struct {
	TokenFile string // empty: without a token
	CAFile    string // certificates that are trusted beside the system's
}

// remote is a server that is looked at from outside.
type remote struct {
	url     *url.URL
	client  *http.Client
	token   string
	asks    bool // it demands a token
	refused bool // it does not accept this one
}

// Remote looks at a running server from outside, as its clients see it. Its error is an
// *evidence.Problem about the options.
func Remote(ctx context.Context, address string, o RemoteOptions) (Report, error) {
	u, err := bridge.ParseURL(address)
	if err != nil {
		return Report{}, err
	}
	s := &remote{url: u}
	if s.client, err = bridge.NewClient(o.CAFile); err != nil {
		return Report{}, err
	}
	if o.TokenFile != "" {
		if s.token, err = bridge.TokenFile(o.TokenFile)(); err != nil {
			return Report{}, err
		}
	}
	r := Report{OK: true}
	reached := s.reach(ctx)
	r.add(reached...)
	if !r.OK {
		return r, nil
	}
	r.add(s.health(ctx, "/healthz", "alive"), s.health(ctx, "/readyz", "ready"))
	r.add(s.access(ctx), s.foreignPage(ctx), s.foreignName(ctx))
	r.add(s.protocol(ctx)...)
	return r, nil
}

// answer is a response of the server.
type answer struct {
	status  int
	body    []byte
	session string
	tls     *tls.ConnectionState
}

// do sends a request. With an empty body it is a GET.
func (s *remote) do(ctx context.Context, to *url.URL, body string, header map[string]string) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, remotePatience)
	defer cancel()
	method := http.MethodPost
	if body == "" {
		method = http.MethodGet
	}
	req, err := http.NewRequestWithContext(ctx, method, to.String(), strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json, text/event-stream")
	for k, v := range header {
		if k == "Host" {
			req.Host = v
			continue
		}
		req.Header.Set(k, v)
	}
	res, err := s.client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(res.Body, remoteMost))
	if err != nil {
		return answer{}, err
	}
	if strings.HasPrefix(res.Header.Get("Content-Type"), "text/event-stream") {
		raw = lastEvent(raw)
	}
	return answer{res.StatusCode, raw, res.Header.Get("Mcp-Session-Id"), res.TLS}, nil
}

// lastEvent is the last message of a stream: the response.
func lastEvent(stream []byte) (last []byte) {
	lines := bufio.NewScanner(bytes.NewReader(stream))
	lines.Buffer(nil, remoteMost)
	for lines.Scan() {
		if data, ok := bytes.CutPrefix(lines.Bytes(), []byte("data: ")); ok {
			last = bytes.Clone(data)
		}
	}
	return last
}

// signed adds the token.
func (s *remote) signed(header map[string]string) map[string]string {
	out := map[string]string{}
	for k, v := range header {
		out[k] = v
	}
	if s.token != "" {
		out["Authorization"] = "Bearer " + s.token
	}
	return out
}

const olderHello = `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"` + olderRevision + `","clientInfo":{"name":"research-mcp doctor","version":"1"},"capabilities":{}}}`

// reach checks the connection and its certificate.
func (s *remote) reach(ctx context.Context) []Check {
	got, err := s.do(ctx, s.url, olderHello, nil)
	if err != nil {
		c := Check{Name: "address", Status: checkFail, What: fmt.Sprintf("%s does not answer: %v", s.url.Redacted(), bareError(err)), Try: "see whether the server runs there, and whether a firewall or proxy lets requests through"}
		var untrusted *tls.CertificateVerificationError
		if errors.As(err, &untrusted) {
			c.Try = "if the certificate is your own, name its authority with --ca-file"
		}
		return []Check{c}
	}
	s.asks = got.status == http.StatusUnauthorized
	checks := []Check{{Name: "address", Status: checkOK, What: s.url.Redacted() + " answers"}}
	if got.status == http.StatusNotFound || got.status >= 500 {
		checks[0] = Check{Name: "address", Status: checkFail, What: fmt.Sprintf("%s answers with status %d", s.url.Redacted(), got.status), Try: "the endpoint is at /mcp; see the log of the server and of the proxy before it"}
	}
	if got.tls == nil || len(got.tls.PeerCertificates) == 0 {
		return checks
	}
	until := got.tls.PeerCertificates[0].NotAfter
	c := Check{Name: "certificate", Status: checkOK, What: "valid until " + until.Format(time.DateOnly)}
	if time.Until(until) < certificateSoon {
		c.Status, c.Try = checkWarn, "renew it; the server reads the files again by itself"
	}
	return append(checks, c)
}

// bareError is the error of a request without its address, which may have a secret.
func bareError(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// health looks at a path beside the endpoint.
func (s *remote) health(ctx context.Context, path, name string) Check {
	to := *s.url
	to.Path, to.RawQuery = strings.TrimSuffix(to.Path, mcphttp.Path)+path, ""
	got, err := s.do(ctx, &to, "", nil)
	var said struct {
		Status string   `json:"status"`
		Failed []string `json:"failed"`
	}
	switch {
	case err != nil:
		return Check{Name: name, Status: checkFail, What: fmt.Sprintf("%s does not answer: %v", path, err), Try: "see the log of the server"}
	case json.Unmarshal(got.body, &said) != nil || said.Status == "":
		return Check{Name: name, Status: checkOff, What: path + " is not to be seen here"}
	case got.status != http.StatusOK:
		return Check{Name: name, Status: checkFail, What: "these checks of the server fail: " + strings.Join(said.Failed, ", "), Try: "the log of the server has the reason"}
	}
	return Check{Name: name, Status: checkOK, What: path + " says " + said.Status}
}

// access checks that a server which others reach asks who calls.
func (s *remote) access(ctx context.Context) Check {
	const name = "who may call"
	switch {
	case s.asks && s.token == "":
		return Check{Name: name, Status: checkOK, What: "the server asks for a token; with --token-file the rest is looked at, too"}
	case !s.asks && mcphttp.IsLoopback(s.url.Host):
		return Check{Name: name, Status: checkOK, What: "everybody on this machine"}
	case !s.asks:
		return Check{Name: name, Status: checkFail, What: "the server answers without a token", Try: "make tokens with `research-mcp token add NAME` where it runs"}
	}
	got, err := s.do(ctx, s.url, olderHello, map[string]string{"Authorization": "Bearer not-a-token"})
	if err != nil || got.status != http.StatusUnauthorized {
		return Check{Name: name, Status: checkFail, What: "a wrong token is not refused", Try: "see what stands between you and the server"}
	}
	got, err = s.do(ctx, s.url, olderHello, s.signed(nil))
	if err != nil || got.status == http.StatusUnauthorized || got.status == http.StatusForbidden {
		s.refused = true
		return Check{Name: name, Status: checkFail, What: "the server refuses this token", Try: "`research-mcp token list` where it runs says whether it was revoked or has expired"}
	}
	return Check{Name: name, Status: checkOK, What: "those with a token, and this one is accepted"}
}

// foreignPage checks that a web page cannot call the server through a browser.
func (s *remote) foreignPage(ctx context.Context) Check {
	got, err := s.do(ctx, s.url, olderHello, s.signed(map[string]string{"Origin": "https://" + stranger}))
	if err != nil || got.status != http.StatusForbidden {
		return Check{Name: "foreign pages", Status: checkFail, What: fmt.Sprintf("a request from the page of a stranger is not refused with 403 (%d)", got.status), Try: "let the proxy pass the header Origin on"}
	}
	return Check{Name: "foreign pages", Status: checkOK, What: "their requests are refused"}
}

// foreignName checks that a name which does not belong to the server does not lead to it.
func (s *remote) foreignName(ctx context.Context) Check {
	got, err := s.do(ctx, s.url, olderHello, s.signed(map[string]string{"Host": stranger}))
	if err == nil && got.status == http.StatusOK {
		return Check{Name: "foreign names", Status: checkWarn, What: "the server answers to any name", Try: "name its own in server.http.hosts"}
	}
	return Check{Name: "foreign names", Status: checkOK, What: "they do not lead to the server"}
}

// protocol checks both eras of the protocol, the tools and a recall.
func (s *remote) protocol(ctx context.Context) []Check {
	if s.asks && s.token == "" {
		return []Check{{Name: "protocol", Status: checkOff, What: "not looked at without a token"}}
	}
	if s.refused {
		return []Check{{Name: "protocol", Status: checkOff, What: "not looked at without a token that is accepted"}}
	}
	var checks []Check
	got, err := s.do(ctx, s.url, olderHello, s.signed(nil))
	checks = append(checks, protocolCheck(olderRevision, got, err))
	older := s.signed(map[string]string{"Mcp-Protocol-Version": olderRevision})
	if got.session != "" {
		older["Mcp-Session-Id"] = got.session
	}
	newer := s.signed(map[string]string{"Mcp-Protocol-Version": newerRevision, "Mcp-Method": "server/discover"})
	got, err = s.do(ctx, s.url, `{"jsonrpc":"2.0","id":2,"method":"server/discover","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"`+newerRevision+`","io.modelcontextprotocol/clientCapabilities":{}}}}`, newer)
	checks = append(checks, protocolCheck(newerRevision, got, err))

	var tools struct {
		Tools []struct {
			Name string `json:"name"`
		} `json:"tools"`
	}
	got, err = s.do(ctx, s.url, `{"jsonrpc":"2.0","id":3,"method":"tools/list"}`, older)
	if why := resultOf(got, err, &tools); why != "" || len(tools.Tools) == 0 {
		checks = append(checks, Check{Name: "tools", Status: checkFail, What: "the tools are not listed: " + why, Try: "see the log of the server"})
	} else {
		var names []string
		for _, t := range tools.Tools {
			names = append(names, t.Name)
		}
		checks = append(checks, Check{Name: "tools", Status: checkOK, What: strings.Join(names, ", ")})
	}
	var called struct {
		IsError bool `json:"isError"`
	}
	begun := time.Now()
	got, err = s.do(ctx, s.url, `{"jsonrpc":"2.0","id":4,"method":"tools/call","params":{"name":"recall","arguments":{"query":"what is remembered here?","k":1}}}`, older)
	if why := resultOf(got, err, &called); why != "" || called.IsError {
		return append(checks, Check{Name: "recall", Status: checkFail, What: "the memory does not answer " + why, Try: "see the log of the server"})
	}
	return append(checks, Check{Name: "recall", Status: checkOK, What: fmt.Sprintf("the memory answers in %d ms", time.Since(begun).Milliseconds())})
}

func protocolCheck(revision string, got answer, err error) Check {
	var who struct {
		Server struct {
			Name    string `json:"name"`
			Version string `json:"version"`
		} `json:"serverInfo"`
	}
	if why := resultOf(got, err, &who); why != "" {
		return Check{Name: "protocol", Status: checkFail, What: "the revision " + revision + " is not spoken: " + why, Try: "see whether another server is at this address"}
	}
	return Check{Name: "protocol", Status: checkOK, What: text.Squash(fmt.Sprintf("revision %s %s %s", revision, who.Server.Name, who.Server.Version))}
}

// resultOf decodes the result of a response, and says what is wrong if there is none.
func resultOf(got answer, err error, into any) string {
	var m struct {
		Result json.RawMessage `json:"result"`
		Error  *struct {
			Message string `json:"message"`
		} `json:"error"`
	}
	switch {
	case err != nil:
		return evidence.AsProblem(err).What
	case json.Unmarshal(got.body, &m) != nil:
		return fmt.Sprintf("status %d, and no message", got.status)
	case m.Error != nil:
		said, _ := text.Cut(m.Error.Message, 200)
		return said
	case json.Unmarshal(m.Result, into) != nil:
		return "the result cannot be read"
	}
	return ""
}
