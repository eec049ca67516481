package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/contract"
)

// Codes of errors, as PostgreSQL's manual lists them.
const (
	protocolViolation     = "08P01"
	featureNotSupported   = "0A000"
	readOnlyTransaction   = "25006"
	idleInTransaction     = "25P03"
	transactionTimeout    = "25P04"
	noStatement           = "26000"
	wrongAuthorization    = "28000"
	wrongPassword         = "28P01"
	noDatabase            = "3D000"
	serializationFailure  = "40001"
	deadlock              = "40P01"
	insufficientPrivilege = "42501"
	undefinedColumn       = "42703"
	undefinedObject       = "42704"
	duplicateObject       = "42710"
	duplicateFunction     = "42723"
	undefinedTable        = "42P01"
	duplicateTable        = "42P07"
	duplicateStatement    = "42P05"
	diskFull              = "53100"
	tooManyConnections    = "53300"
	limitExceeded         = "53400"
	notInState            = "55000"
	objectInUse           = "55006"
	lockNotAvailable      = "55P03"
	queryCanceled         = "57014"
	adminShutdown         = "57P01"
	crashShutdown         = "57P02"
	cannotConnectNow      = "57P03"
	undefinedFile         = "58P01"
	dataCorrupted         = "XX001"
	indexCorrupted        = "XX002"
)

func codeOf(err error) string {
	var pg *pgconn.PgError
	if errors.As(cause(err), &pg) {
		return pg.Code
	}
	return ""
}

// cause is an error without those of attempts without TLS, to hosts that let nobody in so:
// they come after whatever has failed with TLS, and would be taken for the cause of it.
func cause(err error) error {
	var connect *pgconn.ConnectError
	if !errors.As(err, &connect) {
		return err
	}
	all, ok := connect.Unwrap().(interface{ Unwrap() []error })
	if !ok {
		return err
	}
	failed := map[string]bool{} // with TLS, by host
	var kept []error
	for _, e := range all.Unwrap() {
		host, _, _ := strings.Cut(e.Error(), "): ")
		var pg *pgconn.PgError
		plain := errors.As(e, &pg) && pg.Code == wrongAuthorization && strings.Contains(pg.Message, "no encryption")
		if plain && failed[host] {
			continue
		}
		failed[host] = failed[host] || !strings.Contains(e.Error(), "refused TLS")
		kept = append(kept, e)
	}
	return errors.Join(kept...)
}

// isLost reports whether the connection was lost, so that it is not known whether the
// server has done what it was asked.
func isLost(err error) bool {
	if err == nil {
		return false
	}
	switch codeOf(err) {
	case adminShutdown, crashShutdown:
		return true
	case "":
	default:
		return false
	}
	var n net.Error
	return isSilent(err) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &n) || errors.Is(err, net.ErrClosed) ||
		strings.Contains(err.Error(), "conn closed") || strings.Contains(err.Error(), "unexpected EOF")
}

// isSilent reports whether a server was given up because it said nothing.
func isSilent(err error) bool {
	var s errSilent
	return errors.As(err, &s)
}

// passes reports whether another attempt may succeed: the server was lost, restarts, or
// another one takes its place, or two transactions got in each other's way.
func passes(err error) bool {
	var known *evidence.Problem
	if errors.As(err, &known) {
		return false
	}
	switch codeOf(err) {
	case serializationFailure, deadlock, lockNotAvailable, readOnlyTransaction, idleInTransaction, adminShutdown, crashShutdown, cannotConnectNow, tooManyConnections:
		return true
	case "":
	default:
		return false
	}
	var connect *pgconn.ConnectError
	return isLost(err) || errors.As(err, &connect) && !isRefused(err)
}

// isRefused reports whether a connection failed for a reason that does not pass.
func isRefused(err error) bool {
	switch codeOf(err) {
	case wrongAuthorization, wrongPassword, noDatabase, insufficientPrivilege, notInState:
		return true
	}
	s := err.Error()
	return strings.Contains(s, "x509:") || strings.Contains(s, "tls:")
}

// explain turns an error of the database into a Problem that says what to do. A Problem,
// and an error that no user can fix, is returned unchanged.
func (s server) explain(err error) error {
	var known *evidence.Problem
	if err == nil || errors.As(err, &known) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) && !isConnect(err) {
		return err
	}
	if isConnect(err) {
		return s.explainConnect(err)
	}
	problem := func(what, try string, causes ...error) error {
		return &evidence.Problem{What: what, Try: try, Cause: errors.Join(append(causes, err)...)}
	}
	switch codeOf(err) {
	case diskFull:
		return problem(fmt.Sprintf("the disk of the server of %s is full; nothing was written, and the stored data are intact", s.name),
			"give the server more room, which a removal needs too; then what failed or is forgotten makes room by "+s.psql("VACUUM"), contract.ErrFull)
	case readOnlyTransaction:
		return isStandby(s, err)
	case insufficientPrivilege:
		schema, user := pgx.Identifier{s.schema}.Sanitize(), pgx.Identifier{s.user}.Sanitize()
		grant := fmt.Sprintf("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA %s TO %s", schema, user)
		if strings.Contains(messageOf(err), "for schema ") {
			grant = fmt.Sprintf("GRANT ALL ON SCHEMA %s TO %s", schema, user)
		}
		return problem(fmt.Sprintf("the user %s has no right to do this in the database %s: %s", s.user, s.name, messageOf(err)), "let the owner run: "+s.psql(grant))
	case queryCanceled, transactionTimeout:
		return problem(fmt.Sprintf("the server of %s has stopped what was asked of it: %s", s.name, messageOf(err)),
			fmt.Sprintf("if a time limit has: ALTER ROLE %s SET statement_timeout = 0, or the same of transaction_timeout; each may stand in memory.url, too", pgx.Identifier{s.user}.Sanitize()))
	case noStatement, duplicateStatement: // those that this program prepares are of its connection
		return keepsNone("what is prepared on it", err)
	case undefinedTable, undefinedColumn:
		return problem(fmt.Sprintf("the layout of the memory in %s is not complete: %s", s.name, messageOf(err)),
			"restore it from a backup of the server, or make another database and import an export")
	case dataCorrupted, indexCorrupted:
		return problem(fmt.Sprintf("the server of %s reports damaged data: %s", s.name, messageOf(err)),
			"see https://wiki.postgresql.org/wiki/Corruption before anything else is done to it", contract.ErrDamaged)
	}
	if passes(err) {
		return problem(fmt.Sprintf("the server of %s does not answer: %s", s.name, reasonOf(err)), "try again; `research-mcp doctor` says whether it can be reached")
	}
	return err
}

func messageOf(err error) string {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Message
	}
	return err.Error()
}

func isConnect(err error) bool {
	var connect *pgconn.ConnectError
	return errors.As(err, &connect)
}

func isStandby(s server, cause error) *evidence.Problem {
	return &evidence.Problem{
		What:  fmt.Sprintf("none of the servers of %s accepts writes: a standby is read-only, and so is a primary with default_transaction_read_only=on", s.name),
		Try:   "add the primary to memory.url (postgres://USER@HOST1,HOST2/DATABASE?target_session_attrs=read-write), or promote the standby: SELECT pg_promote(), or set default_transaction_read_only=off",
		Cause: errors.Join(contract.ErrReadOnly, cause),
	}
}

// explainConnect explains why no connection was made.
func (s server) explainConnect(all error) error {
	var what, try string
	err := cause(all)
	text := err.Error()
	switch code := codeOf(err); {
	case code == wrongPassword && s.unknown:
		what, try = fmt.Sprintf("the server of %s wants a password of %s, and none is given", s.name, s.user),
			"write it into memory.url after the user, with a colon between, or into ~/.pgpass or PGPASSWORD"
	case code == wrongPassword:
		what, try = fmt.Sprintf("the server of %s does not accept the password of %s", s.name, s.user),
			"correct it in memory.url, or set another: "+s.client("psql", "-c", `\password `+s.user)
	case code == wrongAuthorization && strings.Contains(text, "no encryption"):
		what, try = fmt.Sprintf("the server of %s accepts only encrypted connections", s.name), "add sslmode=require to memory.url (better: sslmode=verify-full and sslrootcert)"
	case code == wrongAuthorization:
		what, try = fmt.Sprintf("the server of %s does not let %s in: %s", s.name, s.user, messageOf(err)),
			fmt.Sprintf("add a line for it to pg_hba.conf, such as `hostssl %s %s ADDRESS/32 scram-sha-256`, then %s", s.database, s.user, s.client("psql", "-c", "SELECT pg_reload_conf()"))
	case code == noDatabase:
		what, try = fmt.Sprintf("the server of %s has no such database", s.name), "make it: "+s.client("createdb", "-O", s.user, "-E", "UTF8", "-T", "template0", s.database)
	case code == insufficientPrivilege:
		what, try = fmt.Sprintf("the user %s may not connect to %s", s.user, s.name), "let a superuser run: "+s.client("psql", "-c", fmt.Sprintf("GRANT CONNECT ON DATABASE %s TO %s", pgx.Identifier{s.database}.Sanitize(), pgx.Identifier{s.user}.Sanitize()))
	case code == notInState: // as its owner has set it
		what, try = fmt.Sprintf("the database %s lets nobody in: %s", s.name, messageOf(err)),
			"let its owner run: "+s.client("psql", "-d", "postgres", "-c", fmt.Sprintf("ALTER DATABASE %s ALLOW_CONNECTIONS true", pgx.Identifier{s.database}.Sanitize()))
	case code == protocolViolation && strings.Contains(text, "unsupported startup parameter"):
		what, try = fmt.Sprintf("the pooler of %s refuses a setting of memory.url: %s", s.name, messageOf(err)), "take it out of memory.url, or name it in the pooler's ignore_startup_parameters"
	case code == undefinedObject || strings.HasPrefix(code, "22"):
		what, try = fmt.Sprintf("the server of %s does not accept a setting of memory.url: %s", s.name, messageOf(err)), "correct it, or take it out"
	case code == tooManyConnections:
		what, try = fmt.Sprintf("the server of %s has no connection left", s.name), "raise max_connections, or lower pool_max_conns in memory.url"
	case strings.Contains(text, "read only connection"), strings.Contains(text, "server is in hot standby mode"):
		return isStandby(s, all)
	case s.tls && strings.Contains(text, "refused TLS"):
		what, try = fmt.Sprintf("the server of %s does not encrypt connections, and memory.url demands it", s.name), "set ssl=on on the server, or sslmode=disable in memory.url where the network is trusted"
	case strings.Contains(text, "x509:"), strings.Contains(text, "tls:"):
		what, try = fmt.Sprintf("the certificate of the server of %s is not accepted: %s", s.name, reasonOf(err)), "name the authority that signed it with sslrootcert=FILE in memory.url, and the host as the certificate has it"
	default:
		what, try = fmt.Sprintf("the server of %s cannot be reached: %s", s.name, reasonOf(err)), "check that it runs, and the hosts, ports and firewall; `pg_isready -h HOST -p PORT` asks it"
	}
	return &evidence.Problem{What: what, Try: try, Cause: all}
}

// reasonOf is the last cause of an error: what is before it repeats the address, and the
// last attempt is the one without TLS, or at the last host.
func reasonOf(err error) string {
	for {
		var next error
		switch e := err.(type) { //nolint:errorlint // each step of the chain is looked at
		case interface{ Unwrap() error }:
			next = e.Unwrap()
		case interface{ Unwrap() []error }:
			if all := e.Unwrap(); len(all) > 0 {
				next = all[len(all)-1]
			}
		}
		if next == nil {
			return err.Error()
		}
		err = next
	}
}
