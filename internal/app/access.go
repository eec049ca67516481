package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"time"

	"github.com/research-mcp/research-mcp/internal/access"
	"github.com/research-mcp/research-mcp/internal/evidence"
	mcphttp "github.com/research-mcp/research-mcp/server/http"
)

// clockLeeway is how far an issuer's clock may be from ours.
const clockLeeway = time.Minute

// door is who may call a server over HTTP. Close it.
type door struct {
	guard  *access.Guard // nil: nobody is asked
	issuer *access.Issuer
	tls    *tls.Config
}

// openDoor reads what the settings name. Its error is an *evidence.Problem.
func (a *App) openDoor() (*door, error) {
	s := a.cfg.Server.HTTP
	d := &door{}
	o := access.Options{Resource: s.URL, Endpoint: mcphttp.Path, Scopes: listed(s.Scopes)}
	if s.URL != "" && !access.SafeURL(s.URL) {
		return nil, evidence.BadInput(fmt.Sprintf("server.http.url cannot be %q", s.URL), "give the public address, such as https://research.example/mcp")
	}
	var err error
	if _, missing := os.Stat(a.cfg.TokensFile()); s.TokensFile != "" || !errors.Is(missing, fs.ErrNotExist) {
		if o.Tokens, err = access.OpenTokens(a.cfg.TokensFile(), a.log, a.now); err != nil {
			return nil, err
		}
	}
	if (s.TLSCert == "") != (s.TLSKey == "") {
		return nil, evidence.BadInput("of server.http.tls_cert and server.http.tls_key only one is set", "name the files of a certificate and of its key, or none of them")
	}
	if s.TLSCert != "" {
		certificates, err := access.OpenCertificates(s.TLSCert, s.TLSKey, a.log)
		if err != nil {
			return nil, err
		}
		d.tls = certificates.Config()
	}
	if s.Issuer != "" {
		if d.issuer, err = a.openIssuer(); err != nil {
			return nil, err
		}
		o.Issuer = d.issuer
	}
	if o.Tokens != nil || o.Issuer != nil {
		d.guard = access.NewGuard(o)
	}
	return d, nil
}

func (a *App) openIssuer() (*access.Issuer, error) {
	s := a.cfg.Server.HTTP
	for name, address := range map[string]string{"server.http.issuer": s.Issuer, "server.http.jwks_url": s.KeysURL} {
		if address != "" && !access.SafeURL(address) {
			return nil, evidence.BadInput(fmt.Sprintf("%s cannot be %q", name, address), "give an address that begins with https://")
		}
	}
	audience := s.Audience
	if audience == "" {
		audience = s.URL
	}
	if audience == "" {
		return nil, evidence.BadInput("server.http.issuer is set without an audience: tokens for other services would be accepted", "set server.http.audience, or server.http.url to the public address of the endpoint")
	}
	return access.NewIssuer(access.IssuerOptions{URL: s.Issuer, Audience: audience, KeysURL: s.KeysURL, TenantClaim: s.TenantClaim, Leeway: clockLeeway, Now: a.now, Log: a.log}), nil
}

// wrap asks who calls before inner sees a request.
func (d *door) wrap(inner func(http.Handler) http.Handler) func(http.Handler) http.Handler {
	if d.guard == nil {
		return inner
	}
	return func(next http.Handler) http.Handler { return d.guard.Wrap(inner(next)) }
}

// routes adds the metadata by which clients find whom to ask for a token.
func (d *door) routes(routes map[string]http.Handler) map[string]http.Handler {
	if d.guard == nil {
		return routes
	}
	out := map[string]http.Handler{access.MetadataPath: d.guard.Metadata(), access.MetadataPath + mcphttp.Path: d.guard.Metadata()}
	for path, h := range routes {
		out[path] = h
	}
	return out
}

func (d *door) close() {
	if d.issuer != nil {
		_ = d.issuer.Close() // it returns nil
	}
}

// caller names who sent a request: equal names of two tenants are two callers.
func caller(ctx context.Context) string {
	id, ok := access.From(ctx)
	if !ok {
		return ""
	}
	return id.Tenant + "/" + id.Name
}
