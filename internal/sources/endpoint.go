package sources

import (
	"errors"
	"net/url"
	"strings"
	"time"

	"github.com/research-mcp/research-mcp/internal/fetch"
	"github.com/research-mcp/research-mcp/internal/text"
)

// endpoint is a source's base URL, the door to it, and what one search may cost.
type endpoint struct {
	base    *url.URL
	door    *fetch.Client
	timeout time.Duration
}

func newEndpoint(s Settings, client *fetch.Network) (endpoint, error) {
	base, err := url.Parse(s.URL)
	if err != nil {
		return endpoint{}, err
	}
	door, err := s.door(client)
	return endpoint{base: base, door: door, timeout: s.Timeout}, err
}

// malformed is an answer of another shape than the service's own.
func (e endpoint) malformed() error {
	return &fetch.Error{Kind: fetch.Malformed, Host: e.base.Host}
}

// rephrased is err with other words or another kind, when it is a *fetch.Error;
// change gets a copy of that.
func rephrased(err error, change func(*fetch.Error)) error {
	var e *fetch.Error
	if !errors.As(err, &e) {
		return err
	}
	out := *e
	change(&out)
	return &out
}

// cutWords is the beginning of s in whole words, at most n bytes if the first
// is not longer.
func cutWords(s string, n int) string {
	short, cut := text.Cut(s, n)
	if i := strings.LastIndexByte(short, ' '); cut && i > 0 {
		short = short[:i]
	}
	return strings.TrimSpace(short)
}
