package bridge

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/redact"
)

// failure is a message that the server did not answer.
type failure struct {
	problem   *evidence.Problem
	again     bool // the server did not take it: it can be sent again
	cut       bool // the connection ended after it was sent
	forgotten bool // the server does not know the session
}

func (f *failure) Error() string { return f.problem.Error() }
func (f *failure) Unwrap() error { return f.problem }

// shown is a URL without what may be secret in it.
func shown(u *url.URL) string {
	bare := *u
	bare.User, bare.RawQuery, bare.Fragment = nil, "", ""
	return redact.Shapes(bare.String())
}

// unreachable words the error of a request that has no response.
func (b *bridge) unreachable(err error) error {
	at := shown(b.o.URL)
	var unknown x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	var record tls.RecordHeaderError
	var dns *net.DNSError
	var op *net.OpError
	problem := func(what, try string) *evidence.Problem {
		return &evidence.Problem{What: what, Try: try}
	}
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.As(err, &unknown):
		return &failure{problem: problem("the certificate of "+at+" is of an authority that this machine does not know", "give the authority's certificate with --ca-file")}
	case errors.As(err, &host):
		return &failure{problem: problem(fmt.Sprintf("the certificate of %s is not for the name %q", at, host.Host), "call the server by a name in its certificate")}
	case errors.As(err, &invalid):
		return &failure{problem: problem("the certificate of "+at+" is not valid: "+invalid.Error(), "renew it at the server, and check the clock of this machine")}
	case errors.As(err, &record), strings.Contains(err.Error(), "HTTP response to HTTPS client"):
		return &failure{problem: problem(at+" does not speak TLS", "write http:// if the server is on this machine; otherwise give the address of the proxy that speaks TLS")}
	case errors.As(err, &dns) && dns.IsNotFound:
		return &failure{problem: problem(fmt.Sprintf("there is no machine with the name %q", b.o.URL.Hostname()), "check the URL")}
	case errors.As(err, &op) && op.Op == "dial":
		return &failure{problem: problem(at+" cannot be reached: "+op.Err.Error(), "check that the server runs and that the URL is right"), again: true}
	}
	return b.cut(err)
}

// cut is a call whose connection ended before its answer.
func (b *bridge) cut(err error) error {
	why := "it closed the connection"
	var op *net.OpError
	if errors.As(err, &op) {
		why = op.Err.Error()
	}
	return &failure{cut: true, problem: &evidence.Problem{
		What: fmt.Sprintf("%s ended before its answer: %s", shown(b.o.URL), why),
		Try:  "ask again in a moment: the server keeps a research that was under way, and the same question picks it up",
	}}
}

// refused words an error of HTTP, unless the server has worded it as the protocol's.
func (b *bridge) refused(c *call, s session, res *http.Response) error {
	body, _ := io.ReadAll(io.LimitReader(res.Body, maxRefusal)) // what has arrived is enough
	at, said := shown(b.o.URL), b.said(body)
	fail := func(what, try string) *failure {
		return &failure{problem: &evidence.Problem{What: what + said, Try: try}}
	}
	switch code := res.StatusCode; {
	case s.id != "" && (code == http.StatusNotFound || code == http.StatusBadRequest && aboutSession(body)) && c.head.modern == "":
		f := fail(at+" has forgotten the session", "restart the client")
		f.forgotten = true
		return f
	case code == http.StatusUnauthorized && b.o.Token == nil:
		return fail(at+" wants to know who calls", "give the file of a token with --token-file; `research-mcp token add NAME` at the server makes one")
	case code == http.StatusUnauthorized:
		return fail(at+" does not take the token", "it may have been revoked or have expired: put a new one into the file of --token-file")
	case code == http.StatusTooManyRequests, code == http.StatusServiceUnavailable:
		f := fail(at+" is busy or ending ("+res.Status+")", "try again in a moment")
		f.again = true
		return f
	case code == http.StatusBadGateway, code == http.StatusGatewayTimeout:
		f := fail("the proxy at "+at+" has no answer of the server ("+res.Status+")", "ask again in a moment; check that the server runs")
		f.cut = true
		return f
	case code < 400:
		return fail(fmt.Sprintf("%s redirects to %s", at, location(res)), "connect to the address that it names, if you trust it")
	}
	if c.head.isRequest() {
		if message, ok := asError(body, c.head.ID); ok {
			b.write(message)
			return nil
		}
	}
	switch res.StatusCode {
	case http.StatusForbidden:
		return fail(at+" refuses the request (403)", "check the token's scopes, and server.http.hosts at the server")
	case http.StatusNotFound, http.StatusMethodNotAllowed:
		return fail(fmt.Sprintf("there is no MCP server at %s (%s)", at, res.Status), "check the path of the URL; it is usually /mcp")
	case http.StatusRequestEntityTooLarge:
		return fail("the message is too long for "+at, "send less at once")
	}
	return fail(fmt.Sprintf("%s answered %s", at, res.Status), "the server's log may say why")
}

func location(res *http.Response) string {
	u, err := res.Location()
	if err != nil {
		return "no address"
	}
	return shown(u)
}

// aboutSession reports whether a server that answers 400 means the session.
func aboutSession(body []byte) bool {
	return bytes.Contains(bytes.ToLower(body), []byte("session"))
}

// said is the beginning of a plain-text refusal, without the token.
func (b *bridge) said(body []byte) string {
	text := strings.TrimSpace(string(bytes.ToValidUTF8(body, nil)))
	if text == "" || strings.ContainsAny(text[:1], "<{") {
		return ""
	}
	text, _, _ = strings.Cut(text, "\n")
	if b.o.Token != nil {
		if token, err := b.o.Token(); err == nil {
			text = strings.ReplaceAll(text, token, "[token]")
		}
	}
	if r := []rune(text); len(r) > 200 {
		text = string(r[:200]) + "…"
	}
	return ": " + redact.Shapes(text)
}

// asError returns the error that a server worded, with the id of its call.
func asError(body []byte, id json.RawMessage) ([]byte, bool) {
	var all map[string]json.RawMessage
	if json.Unmarshal(body, &all) != nil || all["error"] == nil || all["jsonrpc"] == nil {
		return nil, false
	}
	all["id"] = id
	out, err := json.Marshal(all)
	return out, err == nil
}
