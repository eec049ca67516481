package access

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// issuer is a fake: its key set has one RSA and one EC key.
type issuer struct {
	*httptest.Server
	rsa   *rsa.PrivateKey
	ec    *ecdsa.PrivateKey
	asked atomic.Int64  // for keys
	hang  chan struct{} // not nil: the key set is not answered until it is closed
	down  atomic.Bool
}

func newIssuer(t *testing.T, hang chan struct{}) *issuer {
	t.Helper()
	i := &issuer{hang: hang}
	i.rsa, _ = rsa.GenerateKey(rand.Reader, 2048)
	i.ec, _ = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	mux := http.NewServeMux()
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]string{"issuer": i.URL, "jwks_uri": i.URL + "/keys"})
	})
	mux.HandleFunc("/keys", func(w http.ResponseWriter, r *http.Request) {
		i.asked.Add(1)
		if i.hang != nil {
			select {
			case <-i.hang:
			case <-r.Context().Done():
				return
			}
		}
		if i.down.Load() {
			http.Error(w, "down", http.StatusBadGateway)
			return
		}
		_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{
			{Key: &i.rsa.PublicKey, KeyID: "r1", Algorithm: "RS256", Use: "sig"}, {Key: &i.ec.PublicKey, KeyID: "e1", Use: "sig"},
			{Key: []byte("a symmetric key that nobody should accept"), KeyID: "sym"}, {Key: &i.rsa.PublicKey, KeyID: "enc", Use: "enc"},
		}})
	})
	i.Server = httptest.NewServer(mux)
	t.Cleanup(i.Close)
	return i
}

// good are the claims of a token that is accepted.
func (i *issuer) good() map[string]any {
	return map[string]any{"iss": i.URL, "aud": "https://mcp.example/mcp", "sub": "ada", "exp": noon().Add(time.Hour).Unix(), "iat": noon().Unix(), "scope": "use other", "team": "blue"}
}

// with are good claims, changed; a nil value removes one.
func (i *issuer) with(changed ...any) map[string]any {
	out := i.good()
	for n := 0; n < len(changed); n += 2 {
		if out[changed[n].(string)] = changed[n+1]; changed[n+1] == nil {
			delete(out, changed[n].(string))
		}
	}
	return out
}

func sign(t *testing.T, alg jose.SignatureAlgorithm, key any, kid string, claims any) string {
	t.Helper()
	o := &jose.SignerOptions{}
	if kid != "" {
		o = o.WithHeader("kid", kid)
	}
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, o)
	if err != nil {
		t.Fatal(err)
	}
	raw, _ := json.Marshal(claims)
	signed, err := s.Sign(raw)
	if err != nil {
		t.Fatal(err)
	}
	out, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func b64(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

// door is a guarded server that remembers who came in.
type door struct {
	guard *Guard
	log   bytes.Buffer
	mu    sync.Mutex
	in    []Identity
}

func (d *door) Write(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.log.Write(p)
}

func newDoor(t *testing.T, i *issuer, f *File, change func(*IssuerOptions)) *door {
	t.Helper()
	d := &door{}
	log := slog.New(slog.NewTextHandler(d, nil))
	o := Options{Resource: "https://mcp.example/mcp", Scopes: []string{"use"}}
	if f != nil {
		o.Tokens = open(t, f)
	}
	if i != nil {
		io := IssuerOptions{URL: i.URL, Audience: "https://mcp.example/mcp", TenantClaim: "team", Leeway: time.Minute, Now: noon, Log: log}
		if change != nil {
			change(&io)
		}
		o.Issuer = NewIssuer(io)
		t.Cleanup(func() { _ = o.Issuer.Close() })
	}
	d.guard = NewGuard(o)
	return d
}

// knock sends a request with the Authorization headers.
func (d *door) knock(t *testing.T, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/mcp?access_token=x", nil)
	for _, h := range headers {
		r.Header.Add("Authorization", h)
	}
	w := httptest.NewRecorder()
	d.guard.Wrap(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		id, _ := From(r.Context())
		d.mu.Lock()
		defer d.mu.Unlock()
		d.in = append(d.in, id)
		if r.Header.Get("Authorization") != "" {
			t.Error("the token reaches what is behind the guard")
		}
	})).ServeHTTP(w, r)
	return w
}

func TestGuardLetsIn(t *testing.T) {
	t.Parallel()
	i, f := newIssuer(t, nil), newFile(t)
	secret := mustAdd(t, f, Token{Name: "ci", Tenant: "red"})
	d := newDoor(t, i, f, nil)
	for _, h := range []string{
		"Bearer " + secret, "bearer " + secret, // the scheme is case-insensitive: RFC 9110
		"Bearer " + sign(t, jose.RS256, i.rsa, "r1", i.good()), "Bearer " + sign(t, jose.ES256, i.ec, "e1", i.good()),
		"Bearer " + sign(t, jose.ES256, i.ec, "", i.with("aud", []string{"x", "https://mcp.example/mcp"})),
		"Bearer " + sign(t, jose.RS256, i.rsa, "r1", i.with("exp", noon().Add(-30*time.Second).Unix(), "scope", nil, "scp", []string{"use"})),
	} {
		if w := d.knock(t, h); w.Code != http.StatusOK {
			t.Errorf("a good token: %d %s", w.Code, w.Body)
		}
	}
	if len(d.in) != 6 || d.in[0].Name != "token:ci" || d.in[0].Tenant != "red" || d.in[2].Name != "jwt:ada" || d.in[2].Tenant != "blue" {
		t.Errorf("callers = %+v", d.in)
	}
	if n := i.asked.Load(); n != 1 {
		t.Errorf("the issuer was asked %d times, want once", n)
	}
}

// strangers are Authorization headers that must not be let in, each with its status.
func strangers(t *testing.T, i *issuer, f *File) map[string]struct {
	header string
	status int
} {
	t.Helper()
	other, _ := rsa.GenerateKey(rand.Reader, 2048)
	secret, revoked := mustAdd(t, f, Token{Name: "ok"}), mustAdd(t, f, Token{Name: "revoked"})
	narrow := mustAdd(t, f, Token{Name: "narrow", Scopes: []string{"else"}})
	if err := f.Revoke(t.Context(), "revoked"); err != nil {
		t.Fatal(err)
	}
	late := NewFile(f.Path(), func() time.Time { return noon().Add(-2 * time.Hour) })
	expired := mustAdd(t, late, Token{Name: "expired", Expires: noon().Add(-time.Hour)})
	der, _ := x509.MarshalPKIXPublicKey(&i.rsa.PublicKey)
	public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	good, _ := json.Marshal(i.good())
	signed := sign(t, jose.RS256, i.rsa, "r1", i.good())
	parts := strings.Split(signed, ".")
	forged, _ := json.Marshal(i.with("sub", "root"))
	out := map[string]struct {
		header string
		status int
	}{}
	no := func(name, header string) {
		out[name] = struct {
			header string
			status int
		}{header, http.StatusUnauthorized}
	}
	jwt := func(name string, alg jose.SignatureAlgorithm, key crypto.PrivateKey, kid string, claims any) {
		no(name, "Bearer "+sign(t, alg, key, kid, claims))
	}
	no("empty", "")
	no("no scheme", secret)
	no("another scheme", "Basic "+secret)
	no("basic with the secret", "Basic "+base64.StdEncoding.EncodeToString([]byte("ok:"+secret)))
	no("scheme alone", "Bearer")
	no("scheme and space", "Bearer ")
	no("two spaces", "Bearer  "+secret)
	no("space behind", "Bearer "+secret+" ")
	no("tab", "Bearer\t"+secret)
	no("token in lower case", "Bearer "+strings.ToLower(secret))
	no("two tokens", "Bearer "+secret+", Bearer "+secret)
	no("quoted", `Bearer "`+secret+`"`)
	no("huge", "Bearer rmcp_"+strings.Repeat("a", 1<<20))
	no("shortened", "Bearer "+secret[:len(secret)-1])
	no("lengthened", "Bearer "+secret+"A")
	no("its hash", "Bearer sha256:"+strings.Repeat("0", 64))
	no("unknown", "Bearer rmcp_"+strings.Repeat("A", 43))
	no("prefix alone", "Bearer rmcp_")
	no("revoked", "Bearer "+revoked)
	no("expired", "Bearer "+expired)
	no("not ASCII", "Bearer tökén")
	no("zero byte", "Bearer "+secret+"\x00")
	no("alg none", "Bearer "+b64(`{"alg":"none"}`)+"."+b64(string(good))+".")
	no("alg None with a signature", "Bearer "+b64(`{"alg":"None","kid":"r1"}`)+"."+b64(string(good))+"."+parts[2])
	jwt("HS256 with the public key as PEM", jose.HS256, public, "r1", i.good())
	jwt("HS256 with the public key as DER", jose.HS256, der, "r1", i.good())
	jwt("HS256 with the set's symmetric key", jose.HS256, []byte("a symmetric key that nobody should accept"), "sym", i.good())
	jwt("another key under a known id", jose.RS256, other, "r1", i.good())
	jwt("unknown key", jose.RS256, other, "r9", i.good())
	jwt("a key for encryption", jose.RS256, i.rsa, "enc", i.good())
	jwt("another algorithm than the key's", jose.PS256, i.rsa, "r1", i.good())
	jwt("wrong issuer", jose.RS256, i.rsa, "r1", i.with("iss", "https://evil.example"))
	jwt("issuer with a slash", jose.RS256, i.rsa, "r1", i.with("iss", i.URL+"/"))
	jwt("no issuer", jose.RS256, i.rsa, "r1", i.with("iss", nil))
	jwt("wrong audience", jose.RS256, i.rsa, "r1", i.with("aud", "https://other.example/mcp"))
	jwt("no audience", jose.RS256, i.rsa, "r1", i.with("aud", nil))
	jwt("empty audiences", jose.RS256, i.rsa, "r1", i.with("aud", []string{}))
	jwt("expired JWT", jose.RS256, i.rsa, "r1", i.with("exp", noon().Add(-2*time.Minute).Unix()))
	jwt("no exp", jose.RS256, i.rsa, "r1", i.with("exp", nil))
	jwt("exp as a string", jose.RS256, i.rsa, "r1", i.with("exp", "never"))
	jwt("nbf in the future", jose.RS256, i.rsa, "r1", i.with("nbf", noon().Add(2*time.Minute).Unix()))
	jwt("iat in the future", jose.RS256, i.rsa, "r1", i.with("iat", noon().Add(2*time.Minute).Unix()))
	jwt("no subject", jose.RS256, i.rsa, "r1", i.with("sub", nil))
	jwt("control characters in the subject", jose.RS256, i.rsa, "r1", i.with("sub", "a\nb"))
	jwt("claims that are a list", jose.RS256, i.rsa, "r1", []int{1})
	no("truncated signature", "Bearer "+signed[:len(signed)-8])
	no("no signature", "Bearer "+parts[0]+"."+parts[1]+".")
	no("two parts", "Bearer "+parts[0]+"."+parts[1])
	no("changed claims", "Bearer "+parts[0]+"."+b64(string(forged))+"."+parts[2])
	no("its own key in the header", "Bearer "+embedded(t, other, i.good()))
	no("five parts (JWE)", "Bearer a.b.c.d.e")
	for name, claims := range map[string]any{"no tenant": i.with("team", nil), "a path as tenant": i.with("team", "../../etc"), "a tenant that is a list": i.with("team", []string{"blue"})} {
		out[name] = struct {
			header string
			status int
		}{"Bearer " + sign(t, jose.RS256, i.rsa, "r1", claims), http.StatusForbidden}
	}
	out["no scope"] = struct {
		header string
		status int
	}{"Bearer " + sign(t, jose.RS256, i.rsa, "r1", i.with("scope", "user")), http.StatusForbidden}
	out["token of another scope"] = struct {
		header string
		status int
	}{"Bearer " + narrow, http.StatusForbidden}
	return out
}

// embedded signs with a key that the header brings along.
func embedded(t *testing.T, key *rsa.PrivateKey, claims any) string {
	t.Helper()
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: key}, &jose.SignerOptions{EmbedJWK: true})
	if err != nil {
		t.Fatal(err)
	}
	raw, _ := json.Marshal(claims)
	signed, err := s.Sign(raw)
	if err != nil {
		t.Fatal(err)
	}
	out, _ := signed.CompactSerialize()
	return out
}

func TestGuardKeepsOut(t *testing.T) {
	t.Parallel()
	i, f := newIssuer(t, nil), newFile(t)
	cases := strangers(t, i, f)
	d := newDoor(t, i, f, nil)
	if len(cases) < 50 {
		t.Fatalf("%d cases", len(cases))
	}
	for name, c := range cases {
		w := d.knock(t, c.header)
		if w.Code != c.status {
			t.Errorf("%s: %d, want %d", name, w.Code, c.status)
		}
		challenge := w.Header().Get("WWW-Authenticate")
		if !strings.HasPrefix(challenge, `Bearer resource_metadata="https://mcp.example/.well-known/oauth-protected-resource/mcp"`) {
			t.Errorf("%s: WWW-Authenticate = %q", name, challenge)
		}
		if _, token, _ := strings.Cut(c.header, " "); len(token) > 8 && strings.Contains(w.Body.String()+challenge, token) {
			t.Errorf("%s: the answer repeats the token", name)
		}
	}
	if w := d.knock(t); w.Code != http.StatusUnauthorized || strings.Contains(w.Header().Get("WWW-Authenticate"), "error=") {
		t.Errorf("no credentials: %d, %q", w.Code, w.Header().Get("WWW-Authenticate"))
	}
	if w := d.knock(t, cases["unknown"].header, cases["unknown"].header); w.Code != http.StatusUnauthorized {
		t.Errorf("two headers: %d", w.Code)
	}
	if len(d.in) != 0 {
		t.Errorf("%d were let in: %+v", len(d.in), d.in)
	}
	if n := i.asked.Load(); n != 1 {
		t.Errorf("strangers made the guard ask the issuer %d times, want once", n)
	}
	if w := d.knock(t, "Bearer "+sign(t, jose.RS256, i.rsa, "r1", i.good())); w.Code != http.StatusOK {
		t.Errorf("a good token afterwards: %d", w.Code)
	}
	t.Logf("%d tried, 0 let in", len(cases)+2)
}

// A key set that hangs holds up nobody who has a token of the file, and is asked once.
func TestGuardWithKeysThatHang(t *testing.T) {
	t.Parallel()
	hang := make(chan struct{})
	i, f := newIssuer(t, hang), newFile(t)
	secret := mustAdd(t, f, Token{Name: "ci"})
	d := newDoor(t, i, f, nil)
	token := "Bearer " + sign(t, jose.RS256, i.rsa, "r1", i.good())
	var waiting sync.WaitGroup
	codes := make(chan int, 16)
	for range 16 {
		waiting.Go(func() { codes <- d.knock(t, token).Code })
	}
	if w := d.knock(t, "Bearer "+secret); w.Code != http.StatusOK {
		t.Errorf("a token of the file: %d", w.Code)
	}
	waiting.Wait() // each waits for keysWait at most
	close(codes)
	for code := range codes {
		if code != http.StatusServiceUnavailable {
			t.Errorf("while the keys hang: %d, want 503", code)
		}
	}
	if n := i.asked.Load(); n > 1 {
		t.Errorf("the issuer was asked %d times at once", n)
	}
	close(hang)
}

// An issuer that is down is asked again only after a pause; what it said before holds.
func TestGuardWithAnIssuerThatIsDown(t *testing.T) {
	t.Parallel()
	i := newIssuer(t, nil)
	var later atomic.Int64
	d := newDoor(t, i, nil, func(o *IssuerOptions) {
		o.Now = func() time.Time { return noon().Add(time.Duration(later.Load())) }
	})
	token := "Bearer " + sign(t, jose.RS256, i.rsa, "r1", i.with("exp", noon().Add(100*time.Hour).Unix()))
	i.down.Store(true)
	for range 5 {
		if w := d.knock(t, token); w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
			t.Errorf("down: %d", w.Code)
		}
	}
	if n := i.asked.Load(); n != 1 {
		t.Errorf("it was asked %d times, want once", n)
	}
	i.down.Store(false)
	later.Store(int64(keysPause))
	if w := d.knock(t, token); w.Code != http.StatusOK {
		t.Errorf("up again: %d", w.Code)
	}
	i.down.Store(true)
	later.Store(int64(20 * time.Hour))
	if w := d.knock(t, token); w.Code != http.StatusOK {
		t.Errorf("with old keys: %d", w.Code)
	}
	later.Store(int64(30 * time.Hour))
	if w := d.knock(t, token); w.Code != http.StatusServiceUnavailable {
		t.Errorf("with keys that are too old: %d, want 503", w.Code)
	}
}

func TestMetadata(t *testing.T) {
	t.Parallel()
	i := newIssuer(t, nil)
	d := newDoor(t, i, nil, nil)
	w := httptest.NewRecorder()
	d.guard.Metadata().ServeHTTP(w, httptest.NewRequest(http.MethodGet, MetadataPath, nil))
	var m metadata
	if err := json.Unmarshal(w.Body.Bytes(), &m); err != nil || m.Resource != "https://mcp.example/mcp" || len(m.Servers) != 1 || m.Servers[0] != i.URL || len(m.Scopes) != 1 {
		t.Errorf("metadata = %s, %v", w.Body, err)
	}
	w = httptest.NewRecorder()
	d.guard.Metadata().ServeHTTP(w, httptest.NewRequest(http.MethodPost, MetadataPath, nil))
	if w.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST = %d", w.Code)
	}
	g := NewGuard(Options{Endpoint: "/mcp"})
	if got := g.resource(httptest.NewRequest(http.MethodGet, "http://127.0.0.1:8931/x", nil)); got != "http://127.0.0.1:8931/mcp" {
		t.Errorf("resource = %q", got)
	}
}

// FuzzBearer: no header makes the guard panic or let anybody in.
func FuzzBearer(f *testing.F) {
	f.Add("Bearer rmcp_AAAA")
	f.Add("Bearer " + b64(`{"alg":"none"}`) + "." + b64(`{"iss":"https://i.example"}`) + ".")
	issuer := NewIssuer(IssuerOptions{URL: "https://i.example", Audience: "a", KeysURL: "nowhere:", Now: noon, Log: slog.New(slog.DiscardHandler)})
	f.Cleanup(func() { _ = issuer.Close() })
	g := NewGuard(Options{Tokens: &Tokens{log: slog.New(slog.DiscardHandler), now: noon}, Issuer: issuer, Endpoint: "/mcp"})
	f.Fuzz(func(t *testing.T, header string) {
		r := httptest.NewRequest(http.MethodPost, "/mcp", nil)
		r.Header.Set("Authorization", header)
		g.Wrap(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Errorf("%q was let in", header) })).ServeHTTP(httptest.NewRecorder(), r)
	})
}
