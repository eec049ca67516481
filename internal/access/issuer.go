package access

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// errTenant is a valid token of somebody who has no tenant: the ordinary memory is not
// theirs.
var errTenant = errors.New("the token names no tenant, or one that cannot be")

// algorithms are the asymmetric ones: with a symmetric one, whoever can verify a token can
// make it.
var algorithms = []jose.SignatureAlgorithm{
	jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512, jose.ES256, jose.ES384, jose.ES512, jose.EdDSA,
}

// longestSubject is the most bytes of a subject: it is in logs.
const longestSubject = 256

// IssuerOptions describe who issues tokens. URL and Audience are required.
type IssuerOptions struct {
	URL         string        // of the issuer, exactly as in its tokens
	Audience    string        // that tokens have to be for
	KeysURL     string        // of its JWKS; "": as its metadata say
	TenantClaim string        // that names the tenant; "": all have the ordinary memory
	Leeway      time.Duration // between its clock and ours
	Client      *http.Client  // nil: one without proxy and redirects
	Now         func() time.Time
	Log         *slog.Logger
}

// Issuer verifies the JSON Web Tokens of one issuer. It is safe for concurrent use. Close it.
type Issuer struct {
	o    IssuerOptions
	keys *keys
}

// NewIssuer asks nobody: the keys are read when the first token comes.
func NewIssuer(o IssuerOptions) *Issuer { return &Issuer{o: o, keys: newKeys(o)} }

// Close ends a request for keys that is under way.
func (i *Issuer) Close() error { return i.keys.close() }

// claims are those that decide.
type claims struct {
	jwt.Claims
	Scope string `json:"scope"`
}

// Verify returns whose token it is. What can be seen without keys is checked first, so that
// a token of another issuer, or an old one, causes no request.
func (i *Issuer) Verify(ctx context.Context, raw string) (Identity, error) {
	token, err := jwt.ParseSigned(raw, algorithms)
	if err != nil || len(token.Headers) != 1 {
		return Identity{}, errToken
	}
	var seen claims
	if token.UnsafeClaimsWithoutVerification(&seen) != nil || !i.acceptable(seen) {
		return Identity{}, errToken
	}
	candidates, err := i.keys.find(ctx, token.Headers[0])
	if err != nil {
		return Identity{}, err
	}
	for _, key := range candidates {
		var c claims
		more := map[string]any{}
		if token.Claims(key.Key, &c, &more) == nil && i.acceptable(c) {
			return i.identity(c, more)
		}
	}
	return Identity{}, errToken
}

// acceptable checks all but the signature.
func (i *Issuer) acceptable(c claims) bool {
	if c.Expiry == nil || c.Subject == "" || len(c.Subject) > longestSubject || strings.ContainsFunc(c.Subject, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return false
	}
	want := jwt.Expected{Issuer: i.o.URL, AnyAudience: jwt.Audience{i.o.Audience}, Time: i.o.Now()}
	return c.ValidateWithLeeway(want, i.o.Leeway) == nil
}

func (i *Issuer) identity(c claims, more map[string]any) (Identity, error) {
	until := c.Expiry.Time().Add(i.o.Leeway)
	id := Identity{Name: "jwt:" + c.Subject, still: func() bool { return !i.o.Now().After(until) }, Scopes: append([]string{}, strings.Fields(c.Scope)...)} // not nil: none are none, not all
	switch scp := more["scp"].(type) {                                                                                                                      // as some issuers have it
	case string:
		id.Scopes = append(id.Scopes, strings.Fields(scp)...)
	case []any:
		for _, v := range scp {
			if s, ok := v.(string); ok {
				id.Scopes = append(id.Scopes, s)
			}
		}
	}
	slices.Sort(id.Scopes)
	if i.o.TenantClaim == "" {
		return id, nil
	}
	tenant, _ := more[i.o.TenantClaim].(string)
	if !ValidTenant(tenant) {
		return Identity{}, errTenant
	}
	id.Tenant = tenant
	return id, nil
}
