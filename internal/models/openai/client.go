// Package openai provides the models of a server with OpenAI's API: LM Studio, vLLM,
// llama.cpp, or a service in the net. Its errors are *evidence.Problem. Keys appear in
// no error, log or status.
package openai

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"
	"unicode"

	api "github.com/sashabaranov/go-openai"

	"github.com/research-mcp/research-mcp/internal/config"
	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/models"
	"github.com/research-mcp/research-mcp/internal/models/pace"
	"github.com/research-mcp/research-mcp/internal/models/wire"
	"github.com/research-mcp/research-mcp/internal/redact"
)

const (
	patience = 3 * time.Minute // until the first word: a server may load the model
	silence  = time.Minute     // of a model that has begun to write
	maxKey   = 16 << 10        // bytes of a key file
)

// client talks to one server. It is safe for concurrent use. Nothing is dialled before
// the first call.
type client struct {
	base  string // URL without a slash at its end
	key   string
	set   config.Models
	api   *api.Client
	http  *http.Transport
	meter *pace.Meter
	log   *slog.Logger
	now   func() time.Time

	cancel context.CancelFunc
	work   sync.WaitGroup

	mu       sync.Mutex
	closed   bool
	found    listing
	failures map[string]failure // by model
	refused  map[string]bool    // parameters that the server does not take
	embeds   *embedder          // nil until it is first used
}

// open makes a client from the settings. A URL or a key that cannot be one is an
// *evidence.Problem that does not name the key.
func open(set config.Models, env models.Env) (*client, error) {
	base, err := parseURL(set.URL)
	if err != nil {
		return nil, err
	}
	key, err := readKey(set)
	if err != nil {
		return nil, err
	}
	transport, err := wire.NewTransport("models.proxy", set.Proxy)
	if err != nil {
		return nil, err
	}
	if env.Log == nil {
		env.Log = slog.New(slog.DiscardHandler)
	}
	life, cancel := context.WithCancel(context.Background())
	c := &client{base: base, key: key, set: set, http: transport, log: env.Log, now: time.Now, cancel: cancel, failures: map[string]failure{}, refused: map[string]bool{}}
	var outer http.RoundTripper = transport
	if env.Hooks != nil {
		outer = env.Hooks.Transport(transport)
		env.Speeds = nil // a replay must not depend on the speed of this machine
	}
	c.meter = pace.NewMeter(env.Speeds, func(f func(context.Context)) { c.work.Go(func() { f(life) }) },
		func(err error) { c.log.Debug("the speed of a model was not stored", "err", err) })
	settings := api.DefaultConfig(key)
	settings.BaseURL, settings.HTTPClient = base, wire.NewClient(outer, redact.New(append(redact.InURL(set.Proxy), key)...))
	c.api = api.NewClientWithConfig(settings)
	return c, nil
}

// parseURL checks the URL of a server and returns it without a slash at its end.
func parseURL(s string) (string, error) {
	bad := func(shown, what string) error {
		return evidence.BadInput(fmt.Sprintf("models.url, %q, %s", shown, what), "give the URL before /chat/completions, such as http://127.0.0.1:1234/v1")
	}
	u, err := url.Parse(strings.TrimSpace(s))
	switch {
	case err != nil:
		return "", bad("…", "is not a URL")
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return "", bad(redact.Setting(s), "has no scheme http or https, or no host")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return "", bad(u.Scheme+"://"+u.Host, "has a user, a query or a fragment; a key is in models.key_file")
	}
	return strings.TrimRight(strings.TrimSuffix(strings.TrimRight(u.String(), "/"), "/chat/completions"), "/"), nil
}

// readKey returns the key of the settings, or of the file that they name.
func readKey(set config.Models) (string, error) {
	key, where := set.Key, "models.key"
	if set.KeyFile != "" {
		where = "models.key_file"
		if key != "" {
			return "", evidence.BadInput("models.key and models.key_file are both set", "keep one of them")
		}
		f, err := os.Open(set.KeyFile)
		if err != nil {
			return "", &evidence.Problem{What: fmt.Sprintf("the key file %s cannot be read: %v", set.KeyFile, errors.Unwrap(err)), Try: "correct models.key_file", Usage: true, Cause: err}
		}
		defer f.Close()
		raw, err := io.ReadAll(io.LimitReader(f, maxKey+1))
		if err != nil || len(raw) > maxKey {
			return "", evidence.BadInput(fmt.Sprintf("the key file %s cannot be read, or is too long to hold a key", set.KeyFile), "write the key alone into it")
		}
		key = string(raw)
	}
	key = strings.TrimSpace(key)
	if strings.ContainsFunc(key, func(r rune) bool { return unicode.IsControl(r) || unicode.IsSpace(r) || r > unicode.MaxASCII }) {
		return "", evidence.BadInput(where+" holds more than a key: it has spaces, line breaks or letters that a key cannot have", "write the key alone there")
	}
	return key, nil
}

// clear reports whether the key is sent to another machine without encryption.
func (c *client) clear() bool {
	u, err := url.Parse(c.base)
	if err != nil || c.key == "" || u.Scheme == "https" {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback())
}

// close ends background work and waits for it.
func (c *client) close() error {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.cancel()
	c.work.Wait()
	c.http.CloseIdleConnections()
	return nil
}
