package postgres

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/contract"
)

const (
	oldestServer = 150000 // PostgreSQL 15
	oldestVector = "0.8"  // pgvector: filtered searches go on until they have enough
	connectWait  = 5 * time.Second
	mostConns    = 10 // of one process; the URL may say another number
	fewestConns  = 3  // one has the locks of jobs, one works, and one is for what must not wait
	usualPort    = 5432
	// pingWithin is how long a connection that was idle may take to show that it still is one.
	pingWithin = 3 * time.Second
	// idleFor is how long a process may do nothing in the midst of a transaction until the
	// server ends it: one that froze would keep its locks. idleJobFor is the same for one that
	// has a job, which computes meanwhile.
	idleFor    = "60s"
	idleJobFor = "15min"
)

const urlForm = "set memory.url to postgres://USER@HOST1,HOST2/DATABASE?target_session_attrs=read-write; the password may stand in ~/.pgpass or PGPASSWORD; in the address, its @ is %40, its / is %2F and its % is %25"

// server is what is known of the database before anything is asked of it.
type server struct {
	name     string // for messages: without the password
	database string
	user     string
	port     uint16 // of the first host
	unknown  bool   // no password is given
	version  int    // of PostgreSQL, such as 18; 0: it was not asked yet
	schema   string // of our tables
	path     string // search_path: the schema, and those of the extensions
	tls      bool   // memory.url demands it
	bm25     bool   // the words are indexed by pg_textsearch
	feed     string // identifies the change feed
	oldWords bool   // some documents of the tenant have words of an older program
}

// parse reads the URL, which messages must not repeat: it may have a password.
func parse(text string) (*pgxpool.Config, error) {
	if text == "" {
		return nil, contract.Unsupported(`the memory backend "postgres" has no server: memory.url is not set`, urlForm)
	}
	if !strings.HasPrefix(text, "postgres://") && !strings.HasPrefix(text, "postgresql://") {
		return nil, evidence.BadInput("memory.url is not the address of a PostgreSQL database", urlForm)
	}
	cfg, err := pgxpool.ParseConfig(text)
	if err != nil {
		reason, try := parseReason(err), urlForm
		if strings.Contains(reason, "configure TLS") {
			try = "correct sslmode, sslrootcert, sslcert or sslkey in memory.url: they are as those of psql"
		}
		if before, number, ok := strings.Cut(reason, " (strconv."); ok {
			_, number, _ = strings.Cut(number, "parsing ")
			number, _, _ = strings.Cut(number, ": ")
			reason, try = before+": "+number+" is no number", "give a whole number, or leave it out"
		}
		return nil, evidence.BadInput("memory.url cannot be used: "+reason, try)
	}
	conn := cfg.ConnConfig
	if strings.Contains(hostsOf(conn), "@") { // messages name the hosts
		return nil, evidence.BadInput("memory.url cannot be used: there is an @ too many before its hosts", urlForm)
	}
	given := func(setting string) bool { // with a value, if one is named
		name, value, valued := strings.Cut(setting, "=")
		u, err := url.Parse(text)
		if err != nil {
			return strings.Contains(text, name+"="+value)
		}
		return u.Query().Has(name) && (!valued || u.Query().Get(name) == value)
	}
	if conn.ConnectTimeout == 0 {
		conn.ConnectTimeout = connectWait
	}
	// A standby would refuse every write, and show old rows: "any" takes one that is named
	// first, once it is no longer the primary.
	if attrs := "target_session_attrs"; !given(attrs) || given(attrs+"=any") || given(attrs+"=prefer-standby") {
		conn.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	}
	for _, attrs := range []string{"target_session_attrs=standby", "target_session_attrs=read-only"} {
		if given(attrs) {
			return nil, evidence.BadInput("memory.url cannot be used: "+attrs+" wants a server that accepts no writes",
				"set target_session_attrs=read-write, or leave it out: while there is no primary, standbys among the hosts are read all the same")
		}
	}
	if !given("pool_max_conns") {
		cfg.MaxConns = mostConns
	}
	if cfg.MaxConns < fewestConns {
		return nil, evidence.BadInput(fmt.Sprintf("memory.url cannot be used: pool_max_conns=%d is too few", cfg.MaxConns),
			fmt.Sprintf("set it to %d or more, or leave it out: %d are used then, at most", fewestConns, mostConns))
	}
	if noCache(conn) {
		return nil, evidence.BadInput("memory.url cannot be used: it has a cache of no statements, and a default_query_exec_mode that needs one",
			"take statement_cache_capacity and description_cache_capacity out of memory.url")
	}
	if !given("pool_ping_timeout") {
		cfg.PingTimeout = pingWithin
	}
	for name, value := range map[string]string{
		"application_name":     "research-mcp",
		"timezone":             "UTC",
		"plan_cache_mode":      "force_custom_plan", // a filter decides which plan is good
		"jit":                  "off",
		"hnsw.ef_search":       strconv.Itoa(nearDepth),
		"hnsw.iterative_scan":  "relaxed_order",
		"hnsw.max_scan_tuples": "200000",
		// The server shall notice a machine of ours that is gone, too.
		"idle_in_transaction_session_timeout": idleFor,
		"tcp_keepalives_idle":                 "10",
		"tcp_keepalives_interval":             "5",
		"tcp_keepalives_count":                "3",
		"tcp_user_timeout":                    "60s",
	} {
		if _, set := conn.RuntimeParams[name]; !set {
			conn.RuntimeParams[name] = value
		}
	}
	return cfg, nil
}

// noCache reports whether statements are to be kept where there is no room for any.
func noCache(cfg *pgx.ConnConfig) bool {
	switch cfg.DefaultQueryExecMode {
	case pgx.QueryExecModeCacheStatement:
		return cfg.StatementCacheCapacity == 0
	case pgx.QueryExecModeCacheDescribe:
		return cfg.DescriptionCacheCapacity == 0
	default:
		return false
	}
}

// parseReason is what is wrong with a URL, without the URL, of which a part may be quoted.
func parseReason(err error) string {
	_, reason, ok := strings.Cut(err.Error(), "`: ")
	if !ok {
		return "it is malformed"
	}
	if before, _, quoted := strings.Cut(reason, `: "`); quoted && strings.HasPrefix(reason, "failed to parse as URL") {
		return before + ")"
	}
	return reason
}

// prepare looks at the database as a tenant sees it, and makes or updates the layout.
func prepare(ctx context.Context, cfg *pgx.ConnConfig, tenant string, log *slog.Logger) (server, error) {
	l := newLines(log)
	defer l.close()
	cfg = cfg.Copy()
	cfg.DialFunc = l.dial
	cfg.RuntimeParams[tenantSetting] = tenant
	setLater(cfg)
	database := cmp.Or(cfg.Database, cfg.User) // as libpq has it
	s := server{name: hostsOf(cfg) + "/" + database, database: database, user: cfg.User, port: cfg.Port, unknown: cfg.Password == "", tls: demandsTLS(cfg)}
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		if ctx.Err() != nil {
			return s, ctx.Err()
		}
		return s, s.explain(err)
	}
	defer conn.Close(context.WithoutCancel(ctx)) //nolint:errcheck // nothing is lost by it
	if err := s.look(ctx, conn); err != nil {
		return s, s.explain(err)
	}
	if err := s.migrate(ctx, conn, log); err != nil {
		return s, s.explain(err)
	}
	return s, nil
}

// demandsTLS reports whether no connection without TLS is tried.
func demandsTLS(cfg *pgx.ConnConfig) bool {
	return cfg.TLSConfig != nil && !slices.ContainsFunc(cfg.Fallbacks, func(f *pgconn.FallbackConfig) bool { return f.TLSConfig == nil })
}

// hostsOf names the servers.
func hostsOf(cfg *pgx.ConnConfig) string {
	hosts := []string{fmt.Sprintf("%s:%d", cfg.Host, cfg.Port)}
	for _, f := range cfg.Fallbacks {
		h := fmt.Sprintf("%s:%d", f.Host, f.Port)
		if h != hosts[len(hosts)-1] { // the same host with and without TLS is listed twice
			hosts = append(hosts, h)
		}
	}
	return strings.Join(hosts, ",")
}

// look checks for what no migration can repair.
func (s *server) look(ctx context.Context, conn *pgx.Conn) error {
	var version int
	var encoding string
	var schema *string
	var standby bool
	var path string
	err := conn.QueryRow(ctx, `select current_setting('server_version_num')::int, pg_encoding_to_char(encoding), current_schema(), pg_is_in_recovery(), current_setting('search_path')
		from pg_database where datname = current_database()`).Scan(&version, &encoding, &schema, &standby, &path)
	if err != nil {
		return err
	}
	s.version = version / 10000
	switch {
	case standby:
		return isStandby(*s, nil)
	case version < oldestServer:
		return tooOld(*s, version)
	case encoding != "UTF8":
		return &evidence.Problem{What: fmt.Sprintf("the database %s has the encoding %s, which cannot hold every text", s.name, encoding),
			Try: fmt.Sprintf("make another one: CREATE DATABASE %s ENCODING 'UTF8' TEMPLATE template0", pgx.Identifier{s.database + "_utf8"}.Sanitize())}
	case schema == nil:
		first, _, _ := strings.Cut(path, ",")
		return &evidence.Problem{What: fmt.Sprintf("the database %s has no schema of search_path (%s) that the user %s may use", s.name, path, s.user),
			Try: fmt.Sprintf("make it (%s), give the user rights to it (GRANT ALL ON SCHEMA), or take search_path out of memory.url", s.psql("CREATE SCHEMA "+strings.TrimSpace(first)+" AUTHORIZATION "+pgx.Identifier{s.user}.Sanitize()))}
	}
	s.schema = *schema
	return nil
}

// psql is a command line for the machine of the server.
func (s server) psql(sql string) string { return s.client("psql", "-d", s.database, "-c", sql) }

// client is one for a program of PostgreSQL.
func (s server) client(program string, args ...string) string {
	out := program
	if s.port != 0 && s.port != usualPort {
		out += fmt.Sprintf(" -p %d", s.port)
	}
	special := func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("-_.", r)
	}
	for _, a := range args {
		if strings.ContainsFunc(a, special) {
			a = "'" + strings.ReplaceAll(a, "'", `'\''`) + "'"
		}
		out += " " + a
	}
	return out
}

func tooOld(s server, version int) *evidence.Problem {
	return &evidence.Problem{What: fmt.Sprintf("the server of %s is PostgreSQL %d; %d or newer is needed", s.name, version/10000, oldestServer/10000),
		Try: "update the server, or set memory.url to a newer one"}
}

// configure makes every connection find our tables and the extensions.
func (s *server) configure(cfg *pgxpool.Config) {
	cfg.ConnConfig.RuntimeParams["search_path"] = s.path
	cfg.ConnConfig.RuntimeParams[tenantSetting] = nobody
	setLater(cfg.ConnConfig)
}
