package watch

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/research-mcp/research-mcp/internal/evidence"
)

// Bounds of an export.
const (
	otlpTimeout  = 10 * time.Second // of one batch with its repetitions, unless the environment says otherwise
	otlpPause    = 500 * time.Millisecond
	otlpMaxPause = 5 * time.Second
	otlpMaxReply = 64 << 10 // bytes that are read so that the connection can be used again
)

// otlpClient sends spans to a collector by OTLP/HTTP in protobuf. The official client,
// otlptracehttp, does the same and links gRPC: 2.2 MB, and half a millisecond of each start.
type otlpClient struct {
	url     string
	headers http.Header
	gzip    bool
	timeout time.Duration
	http    *http.Client
	life    context.Context // ends with cancel
	cancel  context.CancelFunc
}

// otlpEnv reads a variable for traces, or the one for all signals.
type otlpEnv func(string) string

func (env otlpEnv) of(name string) (key, value string) {
	for _, key := range []string{"OTEL_EXPORTER_OTLP_TRACES_" + name, "OTEL_EXPORTER_OTLP_" + name} {
		if v := strings.TrimSpace(env(key)); v != "" {
			return key, v
		}
	}
	return "OTEL_EXPORTER_OTLP_" + name, ""
}

// newOTLP makes a client of the OTEL_EXPORTER_OTLP variables. Its error is an
// *evidence.Problem that names the variable, and no value of a secret one.
func newOTLP(getenv func(string) string) (*otlpClient, error) {
	env := otlpEnv(getenv)
	if key, p := env.of("PROTOCOL"); p != "" && p != "http/protobuf" {
		return nil, badVariable(key, p, "http/protobuf; collectors listen for it on port 4318")
	}
	at, err := endpoint(env)
	if err != nil {
		return nil, err
	}
	c := &otlpClient{url: at, timeout: otlpTimeout}
	if key, t := env.of("TIMEOUT"); t != "" {
		ms, err := strconv.Atoi(t)
		if err != nil || ms <= 0 {
			return nil, badVariable(key, t, "a number of milliseconds, such as 10000")
		}
		c.timeout = time.Duration(ms) * time.Millisecond
	}
	switch key, z := env.of("COMPRESSION"); z {
	case "", "none":
	case "gzip":
		c.gzip = true
	default:
		return nil, badVariable(key, z, "gzip or none")
	}
	if c.headers, err = headers(env); err != nil {
		return nil, err
	}
	secure, err := otlpTLS(env)
	if err != nil {
		return nil, err
	}
	c.http = &http.Client{
		Transport:     &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: secure, MaxIdleConnsPerHost: 1, IdleConnTimeout: time.Minute},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	c.life, c.cancel = context.WithCancel(context.Background())
	return c, nil
}

func badVariable(key, value, want string) error {
	return evidence.BadInput(fmt.Sprintf("the environment variable %s cannot be %q", key, value), "set it to "+want)
}

// endpoint is the address of the collector: that of traces as it stands, or the common
// one with /v1/traces.
func endpoint(env otlpEnv) (string, error) {
	key, at := "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", strings.TrimSpace(env("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"))
	path := ""
	if at == "" {
		key, at, path = "OTEL_EXPORTER_OTLP_ENDPOINT", strings.TrimSpace(env("OTEL_EXPORTER_OTLP_ENDPOINT")), "/v1/traces"
	}
	if at == "" {
		at = "http://localhost:4318"
	}
	u, err := url.Parse(at)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		shown := "…" // it may have a password
		if err == nil {
			shown = u.Redacted()
		}
		return "", badVariable(key, shown, "a URL such as http://127.0.0.1:4318")
	}
	u.Path = strings.TrimSuffix(u.Path, "/") + path
	return u.String(), nil
}

// headers are "key=value" pairs with commas between them, percent-encoded.
func headers(env otlpEnv) (http.Header, error) {
	out := http.Header{}
	key, list := env.of("HEADERS")
	for pair := range strings.SplitSeq(list, ",") {
		if strings.TrimSpace(pair) == "" {
			continue
		}
		name, value, ok := strings.Cut(pair, "=")
		value, err := url.PathUnescape(strings.TrimSpace(value))
		if !ok || err != nil || strings.TrimSpace(name) == "" {
			return nil, badVariable(key, "…", "pairs such as name=value, with commas between them")
		}
		out.Set(strings.TrimSpace(name), value)
	}
	return out, nil
}

// otlpTLS is nil where no variable asks for certificates of its own.
func otlpTLS(env otlpEnv) (*tls.Config, error) {
	caKey, ca := env.of("CERTIFICATE")
	certKey, cert := env.of("CLIENT_CERTIFICATE")
	_, key := env.of("CLIENT_KEY")
	if ca == "" && cert == "" {
		return nil, nil
	}
	out := &tls.Config{MinVersion: tls.VersionTLS12}
	if ca != "" {
		raw, err := os.ReadFile(ca)
		out.RootCAs = x509.NewCertPool()
		if err != nil || !out.RootCAs.AppendCertsFromPEM(raw) {
			return nil, badVariable(caKey, ca, "the path of a readable file of certificates in PEM")
		}
	}
	if cert != "" {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			return nil, badVariable(certKey, cert, "the path of a certificate in PEM, with its key in OTEL_EXPORTER_OTLP_CLIENT_KEY")
		}
		out.Certificates = []tls.Certificate{pair}
	}
	return out, nil
}

// Start implements otlptrace.Client.
func (c *otlpClient) Start(context.Context) error { return nil }

// Stop implements otlptrace.Client.
func (c *otlpClient) Stop(context.Context) error {
	c.cancel()
	c.http.CloseIdleConnections()
	return nil
}

// UploadTraces implements otlptrace.Client. It repeats what the collector asks to have
// repeated, until the time-out.
func (c *otlpClient) UploadTraces(ctx context.Context, spans []*tracepb.ResourceSpans) error {
	// TracesData has the wire format of ExportTraceServiceRequest, whose package needs gRPC.
	body, err := proto.Marshal(&tracepb.TracesData{ResourceSpans: spans})
	if err != nil {
		return fmt.Errorf("encoding spans: %w", err)
	}
	if c.gzip {
		body = compressed(body)
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	defer context.AfterFunc(c.life, cancel)()
	pause := otlpPause
	for {
		again, wait, err := c.post(ctx, body)
		if !again {
			return err
		}
		select {
		case <-time.After(max(wait, pause)):
		case <-ctx.Done():
			return err
		}
		pause = min(2*pause, otlpMaxPause)
	}
}

func compressed(body []byte) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write(body) // into memory
	_ = z.Close()
	return b.Bytes()
}

// post sends a batch once. again says that it may be repeated, after wait at the earliest.
func (c *otlpClient) post(ctx context.Context, body []byte) (again bool, wait time.Duration, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(body))
	if err != nil {
		return false, 0, errors.New("the collector's address cannot be used") // the error has the address
	}
	req.Header = maps.Clone(c.headers)
	req.Header.Set("Content-Type", "application/x-protobuf")
	if c.gzip {
		req.Header.Set("Content-Encoding", "gzip")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		var at *url.Error
		if errors.As(err, &at) {
			err = at.Err // without the address, which may have a password
		}
		return ctx.Err() == nil, 0, fmt.Errorf("asking the collector: %w", err)
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, otlpMaxReply))
	switch resp.StatusCode {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		seconds, _ := strconv.Atoi(resp.Header.Get("Retry-After"))
		return true, time.Duration(min(max(seconds, 0), 3600)) * time.Second, fmt.Errorf("the collector answered %s", resp.Status)
	}
	if resp.StatusCode/100 != 2 {
		return false, 0, fmt.Errorf("the collector answered %d %s", resp.StatusCode, http.StatusText(resp.StatusCode))
	}
	return false, 0, nil
}
