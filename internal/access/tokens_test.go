package access

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	josejwt "github.com/go-jose/go-jose/v4/jwt"

	"github.com/research-mcp/research-mcp/internal/redact"
)

// noon is the time of the tests.
func noon() time.Time { return time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC) }

func newFile(t *testing.T) *File {
	return NewFile(filepath.Join(t.TempDir(), "sub", "tokens.json"), noon)
}

func mustAdd(t *testing.T, f *File, token Token) string {
	t.Helper()
	secret, err := f.Add(t.Context(), token)
	if err != nil {
		t.Fatal(err)
	}
	return secret
}

func open(t *testing.T, f *File) *Tokens {
	t.Helper()
	tokens, err := OpenTokens(f.Path(), slog.New(slog.DiscardHandler), noon)
	if err != nil {
		t.Fatal(err)
	}
	return tokens
}

// What outlives a request learns that its token has ended, and keeps no secret for it.
func TestStill(t *testing.T) {
	t.Parallel()
	f := newFile(t)
	secret := mustAdd(t, f, Token{Name: "ci", Tenant: "blue", Expires: noon().Add(time.Hour)})
	tokens := open(t, f)
	now := noon()
	tokens.now = func() time.Time { return now }
	g := NewGuard(Options{Tokens: tokens})
	id, err := g.byFile(secret)
	if err != nil {
		t.Fatal(err)
	}
	ctx := With(t.Context(), id)
	if strings.Contains(fmt.Sprintf("%+v", id), secret) {
		t.Error("the identity has the secret")
	}
	if !Still(ctx) || !Still(t.Context()) {
		t.Error("a good token, or none that was asked for, has ended")
	}
	now = noon().Add(2 * time.Hour)
	if Still(ctx) {
		t.Error("an expired token is still good")
	}
	now = noon()
	if err := f.Revoke(t.Context(), "ci"); err != nil {
		t.Fatal(err)
	}
	if Still(ctx) {
		t.Error("a revoked token is still good")
	}
	mustAdd(t, f, Token{Name: "ci", Tenant: "blue"})
	if Still(ctx) {
		t.Error("the secret of a token that was made anew is still good")
	}
	jwt, err := (&Issuer{o: IssuerOptions{Now: func() time.Time { return now }}}).identity(claims{Claims: josejwt.Claims{Subject: "ada", Expiry: josejwt.NewNumericDate(noon().Add(time.Minute))}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if ctx = With(t.Context(), jwt); !Still(ctx) {
		t.Error("a JSON Web Token has ended before its time")
	}
	now = noon().Add(time.Hour)
	if Still(ctx) {
		t.Error("an expired JSON Web Token is still good")
	}
}

func TestFileKeepsNoSecret(t *testing.T) {
	t.Parallel()
	f := newFile(t)
	secret := mustAdd(t, f, Token{Name: "ci", Tenant: "blue"})
	raw, err := os.ReadFile(f.Path())
	if err != nil || bytes.Contains(raw, []byte(secret)) || bytes.Contains(raw, []byte(secret[5:])) {
		t.Errorf("the file has the secret: %s, %v", raw, err)
	}
	info, err := os.Stat(f.Path())
	if err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("the file's mode = %v, %v, want 0600", info.Mode(), err)
	}
	if got := redact.Shapes("calling with " + secret); strings.Contains(got, secret) {
		t.Errorf("redact.Shapes leaves %q", got)
	}
	left, _ := filepath.Glob(f.Path() + ".*.tmp")
	if len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// A change of the file holds at once: no time passes here.
func TestTokensFollowTheFile(t *testing.T) {
	t.Parallel()
	f := newFile(t)
	first := mustAdd(t, f, Token{Name: "ci", Tenant: "blue"})
	tokens := open(t, f)
	want := func(what, secret string, accepted bool) {
		t.Helper()
		if _, ok := tokens.find(secret); ok != accepted {
			t.Errorf("%s: accepted = %v, want %v", what, ok, accepted)
		}
	}
	want("a new token", first, true)
	second := mustAdd(t, f, Token{Name: "laptop", Expires: noon().Add(time.Hour)})
	want("one that was added", second, true)
	_, rotated, err := f.Rotate(t.Context(), "ci", time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	want("the old secret", first, false)
	want("the new secret", rotated, true)
	if err := f.Revoke(t.Context(), "ci"); err != nil {
		t.Fatal(err)
	}
	want("a revoked one", rotated, false)
	tokens.now = func() time.Time { return noon().Add(time.Hour) }
	want("an expired one", second, false)
	tokens.now = noon
	if err := os.WriteFile(f.Path(), []byte(`{"version":1,"tokens":[{"name":"x`), 0o600); err != nil {
		t.Fatal(err)
	}
	want("a file that is torn changes nothing", second, true)
	if err := os.Remove(f.Path()); err != nil {
		t.Fatal(err)
	}
	want("a deleted file", second, false)
	if _, err := OpenTokens(f.Path(), slog.Default(), noon); err == nil {
		t.Error("OpenTokens of a missing file is no error")
	}
}

func TestFileRefuses(t *testing.T) {
	t.Parallel()
	f := newFile(t)
	mustAdd(t, f, Token{Name: "ci"})
	mustAdd(t, f, Token{Name: "gone"})
	if err := f.Revoke(t.Context(), "gone"); err != nil {
		t.Fatal(err)
	}
	for _, token := range []Token{
		{Name: ""}, {Name: "ci"}, {Name: "../x"}, {Name: "a b"}, {Name: strings.Repeat("n", 64)}, {Name: "-x"}, {Name: "zoë"},
		{Name: "x", Tenant: ".."}, {Name: "x", Tenant: "a/b"}, {Name: "x", Tenant: "A"}, {Name: "x", Tenant: "con"}, {Name: "x", Tenant: "lpt1"}, {Name: "x", Tenant: `a\b`},
		{Name: "x", Tenant: "a\x00"}, {Name: "x", Scopes: []string{"a b"}}, {Name: "x", Scopes: []string{`"`}}, {Name: "x", Expires: noon()},
	} {
		if secret, err := f.Add(t.Context(), token); err == nil || secret != "" {
			t.Errorf("Add(%+v) = %v, want an error", token, err)
		}
	}
	if err := f.Revoke(t.Context(), "nobody"); err == nil {
		t.Error("Revoke of an unknown name is no error")
	}
	if _, _, err := f.Rotate(t.Context(), "gone", time.Time{}); err == nil {
		t.Error("Rotate of a revoked token is no error")
	}
	if mustAdd(t, f, Token{Name: "gone"}) == "" {
		t.Error("the name of a revoked token cannot be given again")
	}
}

func TestReadTokensRefuses(t *testing.T) {
	t.Parallel()
	hash := hashPrefix + strings.Repeat("0a", 32)
	for name, content := range map[string]string{
		"nothing": "", "no JSON": "ci: secret", "another version": `{"version":2}`, "no hash": `{"version":1,"tokens":[{"name":"a"}]}`,
		"a short hash": `{"version":1,"tokens":[{"name":"a","hash":"sha256:00"}]}`, "a secret in clear": `{"version":1,"tokens":[{"name":"a","hash":"hunter2"}]}`,
		"a name twice": fmt.Sprintf(`{"version":1,"tokens":[{"name":"a","hash":%q},{"name":"a","hash":%q}]}`, hash, hash),
		"a bad tenant": fmt.Sprintf(`{"version":1,"tokens":[{"name":"a","tenant":"../b","hash":%q}]}`, hash),
		"a wrong type": `{"version":1,"tokens":{"a":1}}`, "huge": strings.Repeat(" ", maxFile+1),
	} {
		path := filepath.Join(t.TempDir(), "tokens.json")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenTokens(path, slog.Default(), noon); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: OpenTokens = %v", name, err)
		}
	}
	path := filepath.Join(t.TempDir(), "tokens.json")
	if err := os.WriteFile(path, []byte(`{"version":1}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenTokens(path, slog.Default(), noon); err == nil && runtime.GOOS != "windows" {
		t.Error("a file that others can write is accepted")
	}
}

// A token whose list of scopes is empty has none, also after the file was written again: it
// does not become one that has all.
func TestNoScopesAreNotAllScopes(t *testing.T) {
	t.Parallel()
	f := newFile(t)
	secret := mustAdd(t, f, Token{Name: "ci", Scopes: []string{"use"}})
	raw, err := os.ReadFile(f.Path())
	if err != nil {
		t.Fatal(err)
	}
	var content tokenFile
	if err := json.Unmarshal(raw, &content); err != nil {
		t.Fatal(err)
	}
	content.Tokens[0].Scopes = []string{}
	if err := replace(f.Path(), content.Tokens); err != nil {
		t.Fatal(err)
	}
	all := mustAdd(t, f, Token{Name: "other", Scopes: []string{}}) // as a command without --scope may
	g := NewGuard(Options{Tokens: open(t, f)})
	for _, c := range []struct {
		secret string
		has    bool
	}{{secret, false}, {all, true}} {
		id, err := g.byFile(c.secret)
		if err != nil || id.has("use") != c.has {
			t.Errorf("%+v, %v: has the scope, want %v", id, err, c.has)
		}
	}
}

// Writers wait for each other: nothing is lost.
func TestFileWithManyWriters(t *testing.T) {
	t.Parallel()
	f := newFile(t)
	var writers sync.WaitGroup
	for i := range 8 {
		writers.Go(func() {
			if _, err := NewFile(f.Path(), noon).Add(t.Context(), Token{Name: fmt.Sprintf("t%d", i)}); err != nil {
				t.Error(err)
			}
		})
	}
	writers.Wait()
	if list, err := f.List(); err != nil || len(list) != 8 {
		t.Errorf("%d tokens, %v, want 8", len(list), err)
	}
}

func FuzzReadTokens(f *testing.F) {
	f.Add([]byte(`{"version":1,"tokens":[{"name":"a","hash":"sha256:00"}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		path := filepath.Join(t.TempDir(), "tokens.json")
		if err := os.WriteFile(path, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		list, err := readTokens(path)
		for _, token := range list {
			if err == nil && token.Tenant != "" && !ValidTenant(token.Tenant) {
				t.Errorf("the tenant %q was accepted", token.Tenant)
			}
		}
	})
}
