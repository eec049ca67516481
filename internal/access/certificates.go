package access

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"sync"

	"github.com/research-mcp/research-mcp/internal/evidence"
)

// Certificates is a server's certificate, which is read again when its files change. New
// files that cannot be used leave the old certificate, with a warning. It is safe for
// concurrent use.
type Certificates struct {
	cert, key string
	log       *slog.Logger

	mu      sync.Mutex
	seen    [2]stamp
	current *tls.Certificate
}

// OpenCertificates reads the files. Its error is an *evidence.Problem.
func OpenCertificates(cert, key string, log *slog.Logger) (*Certificates, error) {
	c := &Certificates{cert: cert, key: key, log: log, seen: [2]stamp{stampOf(cert), stampOf(key)}}
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return nil, &evidence.Problem{What: fmt.Sprintf("the certificate %s with the key %s cannot be used: %v", cert, key, err),
			Try: "give the PEM files of a certificate and of its key in server.http.tls_cert and server.http.tls_key", Cause: err}
	}
	c.current = &pair
	return c, nil
}

// Config is for a server: TLS 1.2 or later.
func (c *Certificates) Config() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.get}
}

func (c *Certificates) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := [2]stamp{stampOf(c.cert), stampOf(c.key)}
	if now[0].equal(c.seen[0]) && now[1].equal(c.seen[1]) {
		return c.current, nil
	}
	c.seen = now
	pair, err := tls.LoadX509KeyPair(c.cert, c.key)
	if err != nil {
		c.log.Warn("the new certificate cannot be used; the old one stays", "cert", c.cert, "err", err)
		return c.current, nil
	}
	c.log.Info("the certificate was read again", "cert", c.cert)
	c.current = &pair
	return c.current, nil
}
