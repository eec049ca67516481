package access

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// MetadataPath is where the metadata of RFC 9728 are, also with the path of the resource
// behind it.
const MetadataPath = "/.well-known/oauth-protected-resource"

// longestCredential is the most bytes of an Authorization header that are looked at.
const longestCredential = 8 << 10

var (
	// errToken is a token that is not accepted, whatever the reason: a stranger does not
	// learn whether it was ever valid.
	errToken = errors.New("the token is unknown, malformed, expired or revoked")
	// errKeys: the issuer's keys cannot be read now.
	errKeys = errors.New("the keys of the token's issuer cannot be read at present")
)

// Options configure a Guard.
type Options struct {
	Tokens   *Tokens  // nil: no token file
	Issuer   *Issuer  // nil: no JSON Web Tokens
	Resource string   // public URL of the endpoint; "": as the request names it
	Endpoint string   // its path where Resource is "", such as /mcp
	Scopes   []string // that every request needs
}

// Guard asks each request for a bearer token. It is safe for concurrent use.
type Guard struct{ o Options }

// NewGuard makes a Guard. Without Tokens and Issuer it lets nobody in.
func NewGuard(o Options) *Guard { return &Guard{o} }

// Wrap calls next with the caller in the context, or answers 401, 403 or 503. next does
// not see the token.
func (g *Guard) Wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, err := g.identify(r)
		if err != nil {
			g.refuse(w, r, err)
			return
		}
		for _, s := range g.o.Scopes {
			if !id.has(s) {
				g.challenge(w, r, http.StatusForbidden, "insufficient_scope", "the token does not have the scope that is needed")
				return
			}
		}
		r = r.WithContext(With(r.Context(), id))
		r.Header = r.Header.Clone()
		r.Header.Del("Authorization")
		next.ServeHTTP(w, r)
	})
}

// errNone is a request without credentials.
var errNone = errors.New("a bearer token is needed")

func (g *Guard) identify(r *http.Request) (Identity, error) {
	token, err := bearer(r.Header.Values("Authorization"))
	switch {
	case err != nil:
		return Identity{}, err
	case isSecret(token):
		return g.byFile(token)
	case g.o.Issuer != nil:
		return g.o.Issuer.Verify(r.Context(), token)
	}
	return Identity{}, errToken
}

func (g *Guard) byFile(secret string) (Identity, error) {
	if g.o.Tokens == nil {
		return Identity{}, errToken
	}
	t, ok := g.o.Tokens.find(secret)
	if !ok {
		return Identity{}, errToken
	}
	sum := digestOf(secret) // not the secret: the context lives for long
	still := func() bool {
		now, ok := g.o.Tokens.findDigest(sum)
		return ok && now.Tenant == t.Tenant
	}
	return Identity{Name: "token:" + t.Name, Tenant: t.Tenant, Scopes: slices.Clone(t.Scopes), still: still}, nil
}

// bearer returns the token of the one Authorization header. The scheme may be written in
// any case (RFC 9110, 11.1); a token in the address or the body is not looked for.
func bearer(headers []string) (string, error) {
	if len(headers) == 0 {
		return "", errNone
	}
	scheme, token, ok := strings.Cut(headers[0], " ")
	if len(headers) > 1 || len(headers[0]) > longestCredential || !ok || !strings.EqualFold(scheme, "Bearer") || !isToken68(token) {
		return "", errToken
	}
	return token, nil
}

// isToken68 is RFC 6750's b64token.
func isToken68(s string) bool {
	body := strings.TrimRight(s, "=")
	for i := range len(body) {
		c := body[i]
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && strings.IndexByte("-._~+/", c) < 0 {
			return false
		}
	}
	return body != ""
}

func (g *Guard) refuse(w http.ResponseWriter, r *http.Request, err error) {
	switch {
	case errors.Is(err, context.Canceled):
		return // nobody waits
	case errors.Is(err, errKeys):
		w.Header().Set("Retry-After", "10")
		answer(w, http.StatusServiceUnavailable, "temporarily_unavailable", errKeys.Error())
	case errors.Is(err, errNone):
		g.challenge(w, r, http.StatusUnauthorized, "", errNone.Error())
	case errors.Is(err, errTenant):
		g.challenge(w, r, http.StatusForbidden, "insufficient_scope", errTenant.Error())
	default:
		g.challenge(w, r, http.StatusUnauthorized, "invalid_token", errToken.Error())
	}
}

// challenge answers with WWW-Authenticate, by which a client finds whom to ask for a token.
func (g *Guard) challenge(w http.ResponseWriter, r *http.Request, status int, code, what string) {
	parts := []string{fmt.Sprintf(`resource_metadata="%s"`, metadataURL(g.resource(r)))}
	if code != "" {
		parts = append(parts, fmt.Sprintf(`error="%s", error_description="%s"`, code, what))
	}
	if len(g.o.Scopes) > 0 {
		parts = append(parts, fmt.Sprintf(`scope="%s"`, strings.Join(g.o.Scopes, " ")))
	}
	w.Header().Set("WWW-Authenticate", "Bearer "+strings.Join(parts, ", "))
	if code == "" {
		code = "unauthorized"
	}
	answer(w, status, code, what)
}

func answer(w http.ResponseWriter, status int, code, what string) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": code, "error_description": what}) // the client may have gone
}

// resource is the URL of the endpoint as clients know it.
func (g *Guard) resource(r *http.Request) string {
	if g.o.Resource != "" {
		return g.o.Resource
	}
	u := url.URL{Scheme: "http", Host: r.Host, Path: g.o.Endpoint}
	if r.TLS != nil {
		u.Scheme = "https"
	}
	return u.String()
}

// metadataURL puts the well-known path between host and path (RFC 9728, 3.1).
func metadataURL(resource string) string {
	u, err := url.Parse(resource)
	if err != nil {
		return MetadataPath
	}
	u.Path, u.RawPath = MetadataPath+strings.TrimSuffix(u.Path, "/"), ""
	return u.String()
}

// metadata is RFC 9728's document.
type metadata struct {
	Resource string   `json:"resource"`
	Name     string   `json:"resource_name"`
	Servers  []string `json:"authorization_servers,omitempty"`
	Scopes   []string `json:"scopes_supported,omitempty"`
	Methods  []string `json:"bearer_methods_supported"`
}

// Metadata answers at MetadataPath and below. It is public.
func (g *Guard) Metadata() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "only GET and HEAD are answered here", http.StatusMethodNotAllowed)
			return
		}
		m := metadata{Resource: g.resource(r), Name: "research-mcp", Scopes: g.o.Scopes, Methods: []string{"header"}}
		if g.o.Issuer != nil {
			m.Servers = []string{g.o.Issuer.o.URL}
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Access-Control-Allow-Origin", "*") // clients in browsers read it first
		_ = json.NewEncoder(w).Encode(m)
	})
}
