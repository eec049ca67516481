package access

import (
	"context"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Bounds of asking an issuer for its keys.
const (
	keysTimeout  = 10 * time.Second // of one attempt
	keysWait     = 5 * time.Second  // of a request for an attempt that others wait for, too
	keysPause    = 30 * time.Second // between two attempts, whatever tokens come
	keysFresh    = 15 * time.Minute // after which they are read again while the old ones are used
	keysLongest  = 24 * time.Hour   // that old ones are used while the issuer is down
	keysBytes    = 512 << 10        // of a document
	keysMost     = 100              // in a set
	keysTried    = 8                // for a token that names none
	leastRSABits = 2048
)

// keys are an issuer's, read at most every keysPause by one request at a time.
type keys struct {
	o      IssuerOptions
	client *http.Client
	ctx    context.Context // of attempts; ends with close
	cancel context.CancelFunc

	mu      sync.Mutex
	set     []jose.JSONWebKey
	read    time.Time     // when the set was read; zero: never
	begun   time.Time     // the last attempt
	attempt chan struct{} // is closed when the attempt under way ends; nil: none
	closed  bool
	running sync.WaitGroup
}

func newKeys(o IssuerOptions) *keys {
	k := &keys{o: o, client: o.Client}
	if k.client == nil {
		k.client = &http.Client{
			Transport:     &http.Transport{DialContext: (&net.Dialer{Timeout: keysWait}).DialContext, TLSHandshakeTimeout: keysWait, MaxResponseHeaderBytes: 64 << 10, IdleConnTimeout: time.Minute},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
	}
	k.ctx, k.cancel = context.WithCancel(context.Background())
	return k
}

func (k *keys) close() error {
	k.mu.Lock()
	k.closed = true
	k.mu.Unlock()
	k.cancel()
	k.running.Wait()
	k.client.CloseIdleConnections()
	return nil
}

// find returns the keys that may have signed a token with this header: errToken if there
// are none, errKeys if that cannot be known now.
func (k *keys) find(ctx context.Context, h jose.Header) ([]jose.JSONWebKey, error) {
	found, usable, wait := k.look(h)
	if len(found) > 0 {
		return found, nil
	}
	if wait != nil {
		timer := time.NewTimer(keysWait)
		defer timer.Stop()
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-timer.C:
		case <-wait:
		}
		found, usable, _ = k.look(h)
	}
	switch {
	case len(found) > 0:
		return found, nil
	case !usable:
		return nil, errKeys
	}
	return nil, errToken
}

// look returns the keys that fit and whether the set can be used at all; it starts an
// attempt where that could help and is due, and returns what tells its end.
func (k *keys) look(h jose.Header) (found []jose.JSONWebKey, usable bool, wait <-chan struct{}) {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.o.Now()
	age := now.Sub(k.read)
	if usable = !k.read.IsZero() && age < keysLongest; usable {
		found = fitting(k.set, h)
	}
	if len(found) == 0 || age > keysFresh {
		k.start(now)
	}
	if k.attempt != nil {
		wait = k.attempt
	}
	return found, usable, wait
}

// start begins an attempt if none is under way or was begun a moment ago.
func (k *keys) start(now time.Time) {
	if k.attempt != nil || k.closed || !k.begun.IsZero() && now.Sub(k.begun) < keysPause {
		return
	}
	k.begun, k.attempt = now, make(chan struct{})
	k.running.Go(func() {
		ctx, cancel := context.WithTimeout(k.ctx, keysTimeout)
		set, err := k.fetch(ctx)
		cancel()
		if err != nil && k.ctx.Err() == nil {
			k.o.Log.Warn("the keys of the issuer of tokens cannot be read", "issuer", k.o.URL, "err", err)
		}
		k.mu.Lock()
		defer k.mu.Unlock()
		if err == nil {
			k.set, k.read = set, k.o.Now()
		}
		close(k.attempt)
		k.attempt = nil
	})
}

// fitting selects by the key's id, algorithm and use.
func fitting(set []jose.JSONWebKey, h jose.Header) []jose.JSONWebKey {
	var out []jose.JSONWebKey
	for _, key := range set {
		named := h.KeyID == "" || key.KeyID == h.KeyID
		if named && (key.Algorithm == "" || key.Algorithm == h.Algorithm) && len(out) < keysTried {
			out = append(out, key)
		}
	}
	return out
}

// fetch reads the set, from where the issuer's metadata say.
func (k *keys) fetch(ctx context.Context) ([]jose.JSONWebKey, error) {
	at := k.o.KeysURL
	if at == "" {
		var err error
		if at, err = k.discover(ctx); err != nil {
			return nil, err
		}
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := k.get(ctx, at, &set); err != nil {
		return nil, err
	}
	var out []jose.JSONWebKey
	for _, raw := range set.Keys {
		var key jose.JSONWebKey
		if len(out) < keysMost && json.Unmarshal(raw, &key) == nil && canVerify(key) { // a set may have kinds of keys that we do not know
			out = append(out, key)
		}
	}
	if len(out) == 0 {
		return nil, errors.New("its key set has no public key for signatures")
	}
	return out, nil
}

// canVerify refuses symmetric, private, short and other keys.
func canVerify(key jose.JSONWebKey) bool {
	if r, ok := key.Key.(*rsa.PublicKey); ok && r.N.BitLen() < leastRSABits {
		return false
	}
	return key.Valid() && key.IsPublic() && (key.Use == "" || key.Use == "sig")
}

// discover reads the issuer's metadata, by OpenID Connect Discovery or RFC 8414.
func (k *keys) discover(ctx context.Context) (string, error) {
	u, err := url.Parse(k.o.URL)
	if err != nil {
		return "", err
	}
	base := strings.TrimSuffix(k.o.URL, "/")
	oauth := *u
	oauth.Path = "/.well-known/oauth-authorization-server" + strings.TrimSuffix(u.Path, "/")
	var errs []error
	for _, at := range []string{base + "/.well-known/openid-configuration", oauth.String()} {
		var m struct {
			Issuer string `json:"issuer"`
			Keys   string `json:"jwks_uri"`
		}
		switch err := k.get(ctx, at, &m); {
		case err != nil:
			errs = append(errs, err)
		case m.Issuer != k.o.URL:
			errs = append(errs, fmt.Errorf("%s is the metadata of another issuer", at))
		default:
			return m.Keys, nil
		}
	}
	return "", errors.Join(errs...)
}

// get reads one JSON document.
func (k *keys) get(ctx context.Context, at string, into any) error {
	if !SafeURL(at) {
		return errors.New("an address of the issuer is neither https nor on this machine")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Accept", "application/json")
	resp, err := k.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answered %s", at, resp.Status)
	}
	raw, err := io.ReadAll(io.LimitReader(resp.Body, keysBytes+1))
	if err != nil {
		return err
	}
	if len(raw) > keysBytes || json.Unmarshal(raw, into) != nil {
		return fmt.Errorf("%s answered no JSON of at most 512 KiB", at)
	}
	return nil
}

// SafeURL reports whether keys may be read from there: over https, or from this machine.
func SafeURL(s string) bool {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.User != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Scheme == "https" || u.Scheme == "http" && (u.Hostname() == "localhost" || ip != nil && ip.IsLoopback())
}
