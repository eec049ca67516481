// Package access decides who may use a server over HTTP, and for whom: bearer tokens from
// a file, JSON Web Tokens of an external issuer, the guard that asks for them, what a
// caller may do (scopes, tenants), and TLS certificates that are read again when
// their files change.
//
// Reading order: access.go (who a caller is), guard.go (HTTP), tokens.go and file.go (the
// token file), issuer.go and keys.go (JSON Web Tokens), certificates.go.
package access

import (
	"context"
	"slices"
	"strings"
)

// Identity is who calls.
type Identity struct {
	Name   string   // stable and unique: "token:NAME" or "jwt:SUBJECT"
	Tenant string   // whose memory is used; "" is the ordinary one
	Scopes []string // nil: all of them

	still func() bool // the token is good; nil: always
}

// Still reports whether who calls could call now: the token was neither revoked nor has it
// expired. It is for what goes on for long after the request.
func Still(ctx context.Context) bool {
	id, _ := From(ctx)
	return id.still == nil || id.still()
}

// has reports whether the identity has the scope.
func (id Identity) has(scope string) bool {
	return id.Scopes == nil || slices.Contains(id.Scopes, scope)
}

// Allows reports whether the caller has a scope, or none is asked for, or nobody was asked who
// calls.
func Allows(ctx context.Context, scope string) bool {
	id, asked := From(ctx)
	return scope == "" || !asked || id.has(scope)
}

type identityKey struct{}

// With returns a context of the caller's.
func With(ctx context.Context, id Identity) context.Context {
	return context.WithValue(ctx, identityKey{}, id)
}

// From returns who calls; ok is false where nobody was asked.
func From(ctx context.Context) (id Identity, ok bool) {
	id, ok = ctx.Value(identityKey{}).(Identity)
	return id, ok
}

// Caller is the caller's name, "" where nobody was asked.
func Caller(ctx context.Context) string {
	id, _ := From(ctx)
	return id.Name
}

// Tenant is the caller's tenant, "" for the ordinary memory.
func Tenant(ctx context.Context) string {
	id, _ := From(ctx)
	return id.Tenant
}

// longestName is the length in bytes of names of tokens and tenants: they are names of
// folders and labels of metrics.
const longestName = 63

// TenantNames says what ValidTenant allows, for messages.
const TenantNames = "1 to 63 lower-case letters, digits, - and _, beginning with a letter or digit"

// ValidTenant reports whether name can be a tenant's: it is the name of a folder on every
// platform, and no two of them are one folder.
func ValidTenant(name string) bool {
	return validName(name, "-_") && name == strings.ToLower(name) && !reserved(name)
}

// reserved names are devices on Windows.
func reserved(name string) bool {
	switch name {
	case "con", "prn", "aux", "nul":
		return true
	}
	return len(name) == 4 && (strings.HasPrefix(name, "com") || strings.HasPrefix(name, "lpt")) && name[3] >= '0' && name[3] <= '9'
}

// validName allows ASCII letters, digits and the characters of more, which cannot begin it.
func validName(name, more string) bool {
	for i := range len(name) {
		c := name[i]
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		if !letter && (i == 0 || strings.IndexByte(more, c) < 0) {
			return false
		}
	}
	return name != "" && len(name) <= longestName
}

// validScope is RFC 6749's scope-token.
func validScope(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return s != "" && len(s) <= 128
}
