package bridge

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
)

const (
	maxToken = 16 << 10
	maxCA    = 4 << 20
	// quietFor is the silence after which an HTTP/2 connection is tried.
	quietFor = 30 * time.Second
)

// ParseURL reads the address of an MCP server; without a path it is /mcp.
func ParseURL(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, evidence.BadInput(fmt.Sprintf("%q is not the URL of a server", raw), "write it as https://HOST/mcp, or http://127.0.0.1:8931/mcp for one on this machine")
	}
	if u.User != nil {
		return nil, evidence.BadInput("the URL holds a password", "give a token with --token-file instead")
	}
	if u.Path == "" || u.Path == "/" {
		u.Path = "/mcp"
	}
	return u, nil
}

// NewClient returns a client that trusts the certificates of the system and those in
// caFile, unless that is empty, and that follows no redirects: they would take the token
// elsewhere.
func NewClient(caFile string) (*http.Client, error) {
	t := http.DefaultTransport.(*http.Transport).Clone() //nolint:forcetypeassert // the standard library's
	t.MaxIdleConnsPerHost = 16
	t.HTTP2 = &http.HTTP2Config{SendPingTimeout: quietFor}
	if caFile != "" {
		pool, err := x509.SystemCertPool()
		if err != nil {
			pool = x509.NewCertPool()
		}
		pem, err := readSmall(caFile, maxCA)
		if err != nil {
			return nil, evidence.BadInput(fmt.Sprintf("the certificates of --ca-file cannot be read: %v", err), "give a file in PEM format")
		}
		if !pool.AppendCertsFromPEM(pem) {
			return nil, evidence.BadInput(caFile+" holds no certificate", "give a file in PEM format, with -----BEGIN CERTIFICATE-----")
		}
		t.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	return &http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}, nil
}

// TokenFile returns a function that reads the token in a file.
func TokenFile(file string) func() (string, error) {
	return func() (string, error) {
		raw, err := readSmall(file, maxToken)
		if err != nil {
			return "", evidence.BadInput(fmt.Sprintf("the token file cannot be read: %v", err), "give a file that holds the token alone")
		}
		token := strings.TrimSpace(string(raw))
		if token == "" || strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
			return "", evidence.BadInput(file+" does not hold a token", "write the token alone into it, on one line")
		}
		return token, nil
	}
}

func readSmall(file string, limit int64) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(raw)) > limit {
		err = errors.New(file + " is too large")
	}
	return raw, err
}
