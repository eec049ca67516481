package fetch

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"time"
)

// Kind classifies failures, for callers that branch on them.
type Kind string

// The kinds.
const (
	Throttled   Kind = "throttled"    // 429, or our own rate limit leaves no time
	Forbidden   Kind = "forbidden"    // 401, 403, 451; Wikimedia's 403 is for clients without identity
	NotFound    Kind = "not found"    // 404, 410
	Server      Kind = "server"       // 5xx
	BadStatus   Kind = "status"       // any other status than 2xx
	ContentType Kind = "content type" // not what was asked for
	Malformed   Kind = "malformed"    // announced as JSON, but it is not, or of another shape
	API         Kind = "api"          // an error that the service reported inside a successful response
	TooLarge    Kind = "too large"
	Timeout     Kind = "timeout"
	Refused     Kind = "refused" // by our own rules, before a byte was sent
	BadRedirect Kind = "redirect"
	Unreachable Kind = "unreachable" // no name, no route, no handshake, connection lost
	Closed      Kind = "closed"      // our Network was closed
	CircuitOpen Kind = "broken"      // the host kept failing, so it is not asked for a while
	Robots      Kind = "robots"      // its robots.txt says no, or could not be read
	NotRecorded Kind = "not recorded"

	Interstitial Kind = "interstitial" // a challenge, a consent page or the like instead of the page
)

// Statuses of a source's report; the same words as in package evidence.
const (
	statusTimeout   = "timeout"
	statusThrottled = "throttled"
	statusError     = "error"
	statusSkipped   = "skipped"
)

// maxAnswer is more than the description of an error in JSON takes.
const maxAnswer = 4 << 10

// Error is a failed request. Its text is short and safe to show: the host as
// the caller wrote it and the kind; no bodies, no addresses.
type Error struct {
	Kind       Kind
	Host       string // empty: not shown
	Code       int    // HTTP status, 0 when there was none
	RetryAfter time.Duration
	Detail     string // replaces the kind's own text

	// Answer is the beginning of what a configured host sent with a status that is
	// an error, for callers that know its form. It is never shown.
	Answer []byte

	retry  bool // one more try may help
	passes bool // temporary, although its kind does not say so
	unsent bool // nothing was sent: our rate limit left no time, or there was no connection
}

func (e *Error) Error() string {
	if e.Host == "" {
		return e.text()
	}
	return e.Host + ": " + e.text()
}

// text is the error without the host.
func (e *Error) text() string {
	words := e.Detail
	if words == "" {
		words = e.words()
	}
	if e.RetryAfter > 0 {
		words += fmt.Sprintf(", retry after %s", e.RetryAfter)
	}
	return words
}

// breaks reports whether the failure counts towards opening the host's circuit.
func (e *Error) breaks() bool {
	return e.Kind == Timeout || e.Kind == Server || e.Kind == Unreachable
}

// InBand reports whether the failure was inside a response with a good status,
// or is how such a response looked. Such a response must not stay in the cache.
func (e *Error) InBand() bool {
	switch e.Kind {
	case API, Malformed, ContentType:
		return true
	case Throttled:
		return e.Code == 0 && !e.unsent
	}
	return false
}

// passing reports whether a stale response is better than this failure.
func (e *Error) passing() bool {
	return e.passes || e.breaks() || e.Kind == Throttled || e.Kind == CircuitOpen || e.Kind == Interstitial
}

func (e *Error) words() string {
	switch e.Kind {
	case Throttled:
		return "asked too often (429)"
	case Forbidden, BadStatus:
		return fmt.Sprintf("answered %d", e.Code)
	case NotFound:
		return fmt.Sprintf("not found (%d)", e.Code)
	case Server:
		return fmt.Sprintf("server error (%d)", e.Code)
	case Timeout:
		return "no complete answer in time"
	case Closed:
		return "this program is shutting down"
	case Malformed:
		return "the answer is not the JSON that was expected"
	}
	return string(e.Kind)
}

// SourceStatus names the failure in a source's report: "timeout", "throttled",
// "skipped" if the host was not asked, or "error".
func (e *Error) SourceStatus() string {
	switch e.Kind {
	case Timeout:
		return statusTimeout
	case Throttled:
		return statusThrottled
	case CircuitOpen:
		return statusSkipped
	}
	return statusError
}

// SourceKind is the Kind for a source's report.
func (e *Error) SourceKind() string { return string(e.Kind) }

// Details of an Unreachable host that a machine without a network gets, too.
const (
	noSuchHost = "no such host"
	noLookup   = "its name cannot be looked up; this machine may have no network"
	noWay      = "no network leads there"
)

// NoNetwork reports whether the failure is one that every host has on a machine without
// a network.
func (e *Error) NoNetwork() bool {
	return e.Kind == Unreachable && (e.Detail == noSuchHost || e.Detail == noLookup || e.Detail == noWay)
}

// IsKind reports whether err is an *Error of the kind.
func IsKind(err error, k Kind) bool {
	var e *Error
	return errors.As(err, &e) && e.Kind == k
}

// refusal is how our own rules refuse a URL or an address, inside the transport
// too.
type refusal struct{ why string }

func (r *refusal) Error() string { return r.why }

// noRoute reports whether this machine's network does not lead to the host.
func noRoute(err error) bool {
	return errors.Is(err, syscall.ENETUNREACH) || errors.Is(err, syscall.EHOSTUNREACH)
}

// neverSent reports whether nothing was sent to the host: its name has no
// address, our own rules refuse it, or no network leads there.
func neverSent(err error) bool {
	var dns *net.DNSError
	var no *refusal
	return errors.As(err, &dns) || errors.As(err, &no) || noRoute(err)
}

// noConnection reports whether there was no connection to the host.
func noConnection(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

// classify turns an error of net/http into an *Error without its text, which
// holds URLs and addresses. net/http has no types for some errors, so that
// their texts must be compared.
func classify(err error) *Error {
	var (
		own  *Error
		no   *refusal
		dns  *net.DNSError
		wait net.Error
	)
	switch {
	case errors.As(err, &own):
		e := *own
		return &e
	case errors.As(err, &no):
		return &Error{Kind: Refused, Detail: "refused: " + no.why}
	case errors.As(err, &dns) && dns.IsNotFound:
		return &Error{Kind: Unreachable, Detail: noSuchHost}
	case errors.As(err, &wait) && wait.Timeout(), errors.Is(err, context.DeadlineExceeded):
		return &Error{Kind: Timeout}
	case errors.As(err, &dns):
		return &Error{Kind: Unreachable, Detail: noLookup}
	case noRoute(err):
		return &Error{Kind: Unreachable, Detail: noWay}
	case errors.Is(err, syscall.ECONNREFUSED):
		return &Error{Kind: Unreachable, Detail: "connection refused"}
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return &Error{Kind: Unreachable, Detail: "connection lost", retry: true}
	case errors.Is(err, gzip.ErrHeader), errors.Is(err, gzip.ErrChecksum):
		return &Error{Kind: Malformed, Detail: "the answer's compression is broken"}
	case strings.Contains(err.Error(), "server response headers exceeded"):
		return &Error{Kind: TooLarge, Detail: "the answer's header is too large"}
	case strings.Contains(err.Error(), "failed to parse Location header"):
		return &Error{Kind: BadRedirect, Detail: "redirected to what is not a URL"}
	case strings.Contains(err.Error(), "tls:") || strings.Contains(err.Error(), "x509:"):
		return &Error{Kind: Unreachable, Detail: "its certificate or TLS handshake is not acceptable"}
	}
	return &Error{Kind: Unreachable, Detail: "cannot be reached"}
}
