package postgres

import (
	"crypto/tls"
	"encoding/pem"
	"io"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/research-mcp/research-mcp/memory/contract"
)

// encrypted is the test's server behind TLS, with a certificate for 127.0.0.1 and
// example.com that authority signs. What is not encrypted is refused as PostgreSQL does.
func encrypted(t *testing.T) (addr, authority string) {
	t.Helper()
	web := httptest.NewTLSServer(nil)
	t.Cleanup(web.Close)
	authority = filepath.Join(t.TempDir(), "authority.pem")
	if err := os.WriteFile(authority, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: web.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	in, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = in.Close() })
	go func() {
		for {
			conn, err := in.Accept()
			if err != nil {
				return
			}
			go passEncrypted(conn, web.TLS)
		}
	}()
	return in.Addr().String(), authority
}

func passEncrypted(conn net.Conn, with *tls.Config) {
	defer conn.Close()
	b := pgproto3.NewBackend(conn, conn)
	msg, err := b.ReceiveStartupMessage()
	if err != nil {
		return
	}
	if _, ok := msg.(*pgproto3.SSLRequest); !ok {
		b.Send(&pgproto3.ErrorResponse{Severity: "FATAL", Code: wrongAuthorization, Message: `no pg_hba.conf entry for host "127.0.0.1", user "reader", database "research", no encryption`})
		_ = b.Flush()
		return
	}
	if _, err := conn.Write([]byte("S")); err != nil {
		return
	}
	client := tls.Server(conn, &tls.Config{Certificates: with.Certificates, MinVersion: tls.VersionTLS12})
	if err := client.Handshake(); err != nil {
		return
	}
	parsed, err := parse(database)
	if err != nil {
		return
	}
	server, err := net.Dial("tcp", hostsOf(parsed.ConnConfig))
	if err != nil {
		return
	}
	defer server.Close()
	go func() { _, _ = io.Copy(server, client); _ = server.Close() }()
	_, _ = io.Copy(client, server)
}

// Encryption that one side demands and the other lacks, and certificates.
func TestTLS(t *testing.T) {
	t.Parallel()
	m := open(t) // makes the schema
	addr, authority := encrypted(t)
	at := func(host string, settings ...string) string {
		u := mustParse(t, with(append([]string{"search_path", m.server.schema + ",public", "pool_max_conns", "3"}, settings...)...))
		if _, port, err := net.SplitHostPort(addr); err == nil {
			u.Host = net.JoinHostPort(host, port)
		}
		return u.String()
	}
	for name, settings := range map[string][]string{"verified": {"sslmode", "verify-full", "sslrootcert", authority}, "required": {"sslmode", "require"}, "preferred": nil} {
		over, err := Open(t.Context(), contract.Config{URL: at("127.0.0.1", settings...)})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if st, err := over.Stats(t.Context()); err != nil || st.Documents != 0 {
			t.Errorf("%s: Stats = %+v, %v", name, st, err)
		}
		_ = over.Close()
	}
	// Without sslmode, TLS is tried first: what fails then is the cause, not that nothing else is let in.
	wantOpenFails(t, at("127.0.0.1", "default_transaction_read_only", "on"), "accepts writes", "pg_promote")
	wantOpenFails(t, at("127.0.0.1", "datestyle", "sometimes"), "does not accept a setting", "sometimes")
	wantOpenFails(t, at("127.0.0.1", "sslmode", "disable"), "only encrypted", "sslmode=require")
	wantOpenFails(t, at("127.0.0.1", "sslmode", "verify-full"), "certificate", "unknown authority", "sslrootcert=FILE")
	wantOpenFails(t, at("localhost", "sslmode", "verify-full", "sslrootcert", authority), "certificate", "localhost", "the host as the certificate has it")
	wantOpenFails(t, at("127.0.0.1", "sslmode", "verify-full", "sslrootcert", authority+".gone"), "memory.url cannot be used", "authority.pem.gone")
}

// A write waits for a new primary also if the standbys let in who encrypts alone, and
// sslmode does not demand it.
func TestWaitingForAPrimaryThatWantsTLS(t *testing.T) {
	t.Parallel()
	open(t)
	addr, _ := encrypted(t)
	u := mustParse(t, with("default_transaction_read_only", "on"))
	u.Host = addr
	cfg, err := parse(u.String())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := pgx.ConnectConfig(t.Context(), cfg.ConnConfig); !passes(err) {
		t.Errorf("another attempt at %v is not made", err)
	}
}
