package bridge

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// authority is a private one that vouches for certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string // its certificate, in PEM format
}

func newAuthority(t *testing.T, name string) authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	a := authority{key: key, file: filepath.Join(t.TempDir(), "ca.pem")}
	a.cert = a.sign(t, &x509.Certificate{Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}, nil, key)
	if err := os.WriteFile(a.file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	return a
}

// sign makes a certificate; without a parent it vouches for itself.
func (a authority) sign(t *testing.T, c, parent *x509.Certificate, key *ecdsa.PrivateKey) *x509.Certificate {
	t.Helper()
	c.SerialNumber = big.NewInt(1)
	if c.NotAfter.IsZero() {
		c.NotAfter = time.Now().Add(time.Hour)
	}
	c.NotBefore = c.NotAfter.Add(-48 * time.Hour)
	if parent == nil {
		parent = c
	}
	raw, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(raw)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// serve serves peer with a certificate of the authority.
func (a authority) serve(t *testing.T, c x509.Certificate) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	cert := a.sign(t, &c, a.cert, key)
	s := httptest.NewUnstartedServer(peer())
	s.EnableHTTP2 = true
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // handshakes fail on purpose
	s.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{cert.Raw}, PrivateKey: key}}}
	s.StartTLS()
	t.Cleanup(s.Close)
	return s.URL
}

// TestPrivateAuthority: the certificates of --ca-file are trusted, for the names and the
// time in them, and no others.
func TestPrivateAuthority(t *testing.T) {
	t.Parallel()
	ours, theirs := newAuthority(t, "ours"), newAuthority(t, "theirs")
	here := []net.IP{net.IPv4(127, 0, 0, 1)}
	both := filepath.Join(t.TempDir(), "both.pem")
	var all []byte
	for _, a := range []authority{theirs, ours} {
		raw, err := os.ReadFile(a.file)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, raw...)
	}
	if err := os.WriteFile(both, all, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, caFile string
		cert         x509.Certificate
		want         []string // of the error; nil: the calls are answered
	}{
		{"its authority", ours.file, x509.Certificate{IPAddresses: here}, nil},
		{"its authority beside another", both, x509.Certificate{IPAddresses: here}, nil},
		{"no file", "", x509.Certificate{IPAddresses: here}, []string{"authority that this machine does not know", "--ca-file"}},
		{"another authority", theirs.file, x509.Certificate{IPAddresses: here}, []string{"authority that this machine does not know"}},
		{"another name", ours.file, x509.Certificate{DNSNames: []string{"mcp.example.org"}}, []string{"is not for the name", "127.0.0.1", "by a name in its certificate"}},
		{"expired", ours.file, x509.Certificate{IPAddresses: here, NotAfter: time.Now().Add(-time.Hour)}, []string{"is not valid", "renew it"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			at := ours.serve(t, tt.cert)
			h, err := NewClient(tt.caFile)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(h.CloseIdleConnections)
			c := connect(t, at, func(o *Options) { o.Client = h })
			c.send(hello)
			if tt.want != nil {
				wants(t, c.receive(), append(tt.want, `"error"`, `"id":1`)...)
				c.end()
				return
			}
			wants(t, c.receive(), `"serverInfo"`)
			c.send(ready)
			c.send(echo(2, "over TLS"))
			wants(t, c.receive(), "said over TLS")
			c.end()
		})
	}
}

func TestCAFilesThatAreNone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, content := range map[string]string{"empty": "", "text": "no certificate", "broken": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "large": strings.Repeat("x", maxCA+1)} {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := NewClient(file); err == nil || !strings.Contains(err.Error(), file) {
			t.Errorf("NewClient(%s) = %v, want an error that names the file", name, err)
		}
	}
	if _, err := NewClient(filepath.Join(dir, "none")); err == nil {
		t.Error("a file that is not there is taken")
	}
}
