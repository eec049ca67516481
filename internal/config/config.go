// Package config is every setting in one struct: its default, where its value
// came from, and whether it makes sense. Flags go over the environment, that
// over the file, that over the defaults.
package config

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/adrg/xdg"
)

// EnvPrefix begins the environment variable of every setting.
const EnvPrefix = "RESEARCH_MCP_"

// Config is the settings' values, valid after Load.
type Config struct {
	DataDir   string            `koanf:"data_dir"`
	LogLevel  string            `koanf:"log_level"`
	LogFormat string            `koanf:"log_format"`
	Contact   string            `koanf:"contact"`
	Language  string            `koanf:"language"`
	Research  Research          `koanf:"research"`
	Session   Session           `koanf:"session"`
	Analysis  Analysis          `koanf:"analysis"`
	Ollama    Ollama            `koanf:"ollama"`
	Memory    Memory            `koanf:"memory"`
	Models    Models            `koanf:"models"`
	Cache     Cache             `koanf:"cache"`
	Fetch     Fetch             `koanf:"fetch"`
	Server    Server            `koanf:"server"`
	Watch     Watch             `koanf:"watch"`
	Sources   map[string]Source `koanf:"sources"`

	settings []loaded // sorted by name
	secrets  []string // values; see Secrets

	tenants map[string]tenantEntry // of server.http.tenants
}

// Research bounds a question.
type Research struct {
	Budget     time.Duration `koanf:"budget"`
	SoftBudget time.Duration `koanf:"soft_budget"`
	RecallK    int           `koanf:"recall_k"`
	Passages   int           `koanf:"passage_tokens"`
	RunFor     time.Duration `koanf:"run_for"`
}

// Server says how the MCP server answers.
type Server struct {
	Structured bool `koanf:"structured"`
	HTTP       HTTP `koanf:"http"`
}

// HTTP says where a server for a team listens, and to whom. Lists are separated by commas
// or spaces.
type HTTP struct {
	Address        string `koanf:"address"` // empty: standard input and output
	Hosts          string `koanf:"hosts"`
	Origins        string `koanf:"origins"`
	MaxConnections int    `koanf:"max_connections"` // of one address
	MaxRequests    int    `koanf:"max_requests"`    // of one caller

	TokensFile  string `koanf:"tokens_file"` // see Config.TokensFile
	URL         string `koanf:"url"`         // of the endpoint, as clients know it
	Issuer      string `koanf:"issuer"`      // of JSON Web Tokens; empty: none
	Audience    string `koanf:"audience"`
	KeysURL     string `koanf:"jwks_url"`
	TenantClaim string `koanf:"tenant_claim"`
	Scopes      string `koanf:"scopes"`
	MaxTenants  int    `koanf:"max_tenants"` // that are open at once

	// Of each tenant; 0 is no limit.
	TenantDocuments         int `koanf:"tenant_documents"`
	TenantMB                int `koanf:"tenant_mb"` // MiB of text
	TenantRequestsPerMinute int `koanf:"tenant_requests_per_minute"`

	Tenants    string `koanf:"tenants"`     // of single ones; see Config.Tenant
	WriteScope string `koanf:"write_scope"` // of who may remember and forget; empty: all

	TLSCert string `koanf:"tls_cert"`
	TLSKey  string `koanf:"tls_key"`
}

// Watch says what an operator can see.
type Watch struct {
	Address        string `koanf:"address"`   // host:port; empty: none
	AuditLog       string `koanf:"audit_log"` // a path; empty: none
	AuditRequired  bool   `koanf:"audit_required"`
	AuditMaxMB     int    `koanf:"audit_max_mb"`
	AuditKeep      int    `koanf:"audit_keep"`
	TenantLabels   bool   `koanf:"tenant_labels"`
	TraceQuestions bool   `koanf:"trace_questions"`
}

// Session says when turns are folded into the summary.
type Session struct {
	FoldAfter int `koanf:"fold_after"`
	FoldKeep  int `koanf:"fold_keep"`
}

// Analysis bounds the isolated process.
type Analysis struct {
	Timeout  time.Duration `koanf:"timeout"`
	MemoryMB int           `koanf:"memory_mb"`
}

// Models says which models are used beside Ollama's.
type Models struct {
	BuiltIn  string `koanf:"builtin"`  // on or off
	Reranker string `koanf:"reranker"` // a safetensors file; empty: none

	// Of a server with OpenAI's API.
	URL        string `koanf:"url"` // empty: none
	Key        string `koanf:"key"`
	KeyFile    string `koanf:"key_file"`
	ChatModel  string `koanf:"chat_model"`
	EmbedModel string `koanf:"embed_model"`
	Context    int    `koanf:"context"` // tokens
	Proxy      string `koanf:"proxy"`
}

// Ollama says where the local model is and which one to use.
type Ollama struct {
	Enabled    bool          `koanf:"enabled"`
	Host       string        `koanf:"host"`
	ChatModel  string        `koanf:"chat_model"`
	EmbedModel string        `koanf:"embed_model"`
	Silence    time.Duration `koanf:"silence"`
	KeepAlive  time.Duration `koanf:"keep_alive"`
	Proxy      string        `koanf:"proxy"`

	// HostInherited says that Host comes from OLLAMA_HOST, which is meant for
	// another program: it need not be usable here.
	HostInherited bool `koanf:"-"`
}

// Memory names the backend, and says what a server forgets by itself; 0 keeps
// everything.
type Memory struct {
	Backend    string `koanf:"backend"`
	URL        string `koanf:"url"`
	MaxAgeDays int    `koanf:"max_age_days"`
	MaxTextMB  int    `koanf:"max_text_mb"`

	BackupRecipients string `koanf:"backup_recipients"`
	TenantURLs       string `koanf:"tenant_urls"` // see Config.MemoryURL

	Tenant string `koanf:"-"` // whose memory it is, where the backend has those of several
}

// Cache bounds the cache of responses; 0 turns it off.
type Cache struct {
	MaxMB int `koanf:"max_mb"`
}

// Fetch says what is read of pages and files.
type Fetch struct {
	PDF bool `koanf:"pdf"`

	Documents bool   `koanf:"documents"`
	Allow     string `koanf:"allow"`
}

// Allowed are the addresses inside of a private net from which pages may be read.
func (f Fetch) Allowed() ([]netip.AddrPort, error) {
	var out []netip.AddrPort
	for _, one := range strings.FieldsFunc(f.Allow, func(r rune) bool { return r == ',' || r == ' ' }) {
		a, err := netip.ParseAddrPort(one)
		if err != nil {
			return nil, bad("fetch.allow", one, "addresses with ports and commas between them, such as 10.0.0.5:8080,192.168.1.7:80")
		}
		out = append(out, a)
	}
	return out, nil
}

// Source is one source's settings.
type Source struct {
	Enabled bool          `koanf:"enabled"`
	URL     string        `koanf:"url"`
	Timeout time.Duration `koanf:"timeout"`

	Options map[string]any `koanf:",remain"` // the source's own settings; see Text
}

// Text is the source's own setting of this name. A list is its items with
// commas between them.
func (s Source) Text(name string) string { return asText(s.Options[name]) }

func asText(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case []any:
		var items []string
		for _, item := range v {
			items = append(items, fmt.Sprint(item))
		}
		return strings.Join(items, ",")
	}
	return fmt.Sprint(v)
}

// Setting is one setting as `config` shows it.
type Setting struct {
	Key   string `json:"key"`
	Value string `json:"value"`
	From  string `json:"from"` // default, the file's path, the environment variable, or the flag
	Env   string `json:"env"`
	About string `json:"about"`
}

// localBackend is the memory backend that needs nothing but a folder.
const localBackend = "local"

// WithLocalMemory returns a copy whose memory is in the folder dir, whatever
// backend c names: for work that must not touch the user's memory.
func (c *Config) WithLocalMemory(dir string) *Config {
	out := *c
	out.DataDir, out.Memory.Backend, out.Memory.URL = dir, localBackend, ""
	out.Memory.TenantURLs, out.Memory.Tenant = "", ""
	return &out
}

// TokensFile is the path of the file of bearer tokens, which need not exist.
func (c *Config) TokensFile() string {
	if c.Server.HTTP.TokensFile != "" {
		return c.Server.HTTP.TokensFile
	}
	return filepath.Join(c.DataDir, "tokens.json")
}

// key declares a setting: its default as text, and what it is for.
type key struct {
	name, value, about string
	secret             bool // the value is not shown
	private            bool // of addresses in it, only names are shown; see redact.PrivateSetting
}

// keys of the settings that every installation has; those of the sources are
// declared by the sources.
var keys = []key{
	{name: "analysis.memory_mb", value: "512", about: "memory that the isolated process may take, in MiB"},
	{name: "analysis.timeout", value: "15s", about: "the isolated process is killed after this time; a page has at most 3s"},
	{name: "cache.max_mb", value: "256", about: "size of the cache of responses, in MiB; 0 turns it off"},
	{name: "contact", value: "", about: "your e-mail address or web page: sources see it in the User-Agent and allow more"},
	{name: "data_dir", value: "", about: "folder of the memory; the platform's user data folder when empty"},
	{name: "fetch.allow", value: "", about: "private addresses that pages may be read from, such as 10.0.0.5:8080,192.168.1.7:80; a model may name them too"},
	{name: "fetch.documents", value: "false", about: "read Office files, EPUB books, web archives and zipped pages of the net; your own files are always read"},
	{name: "fetch.pdf", value: "false", about: "read PDF files of the net; your own files are always read"},
	{name: "language", value: "en", about: "language of the sources and answers, such as en or pt-BR"},
	{name: "log_format", value: "text", about: "text or json"},
	{name: "log_level", value: "warn", about: "debug, info, warn or error; the log is written to stderr"},
	{name: "memory.backend", value: localBackend, about: "where the memory is stored: local is a file in data_dir, postgres a database at memory.url that several servers share"},
	{name: "memory.backup_recipients", value: "", about: "automatic backups are encrypted to these: age1… or SSH public keys, or files of them, with commas between them; without, they are not encrypted"},
	{name: "memory.max_age_days", value: "0", about: "a server forgets what was read longer ago than this; 0 keeps it. Pinned documents are kept"},
	{name: "memory.max_text_mb", value: "0", about: "a server forgets the oldest texts beyond this size in MiB; 0 keeps them. Pinned documents are kept"},
	{name: "memory.tenant_urls", value: "", about: "databases of single tenants, where they are not in that of memory.url: " + tenantURLsForm, secret: true},
	{name: "memory.url", value: "", about: "address of the memory backend's server, such as postgres://user@host1,host2/research; local has none", secret: true},
	{name: "models.builtin", value: "on", about: "on: rank passages with the encoder in this program, if the processor is fast enough; off: without it"},
	{name: "models.chat_model", value: "", about: "model at models.url that writes; may be empty if the server has one only"},
	{name: "models.context", value: "8192", about: "tokens that the model at models.url can read and write together"},
	{name: "models.embed_model", value: "", about: "model at models.url that embeds what is read; none when empty"},
	{name: "models.key", value: "", secret: true, about: "key for models.url; better in models.key_file or the environment than in the settings file"},
	{name: "models.key_file", value: "", about: "file that holds the key for models.url"},
	{name: "models.proxy", value: "", secret: true, about: "URL of a proxy for the requests to models.url; HTTP_PROXY and similar variables are ignored"},
	{name: "models.reranker", value: "", about: "a safetensors file of a BERT cross-encoder, with vocab.txt and config.json beside it, that ranks passages"},
	{name: "models.url", value: "", about: "a server with OpenAI's API that writes and embeds, such as http://127.0.0.1:1234/v1; it goes over Ollama"},
	{name: "ollama.chat_model", value: "", about: "model that writes; the first installed one when empty"},
	{name: "ollama.embed_model", value: "", about: "model that embeds; the first installed one when empty"},
	{name: "ollama.enabled", value: "true", about: "use Ollama when it runs"},
	{name: "ollama.host", value: "", about: "where Ollama listens; http://127.0.0.1:11434 when empty. OLLAMA_HOST is read too"},
	{name: "ollama.keep_alive", value: "10m", about: "how long Ollama keeps a model loaded after a question"},
	{name: "ollama.proxy", value: "", secret: true, about: "URL of a proxy for the requests to Ollama; HTTP_PROXY and similar variables are ignored"},
	{name: "ollama.silence", value: "60s", about: "a call to a model that sends nothing for this long is cancelled"},
	{name: "research.budget", value: "45s", about: "a question is answered within this time"},
	{name: "research.passage_tokens", value: "2400", about: "most evidence that the writing model reads, in estimated tokens"},
	{name: "research.recall_k", value: "12", about: "most passages from the memory that are considered for an answer"},
	{name: "research.run_for", value: "3m", about: "how long a question is worked on after the client that asked it gave up waiting"},
	{name: "research.soft_budget", value: "2.5s", about: "how long slow sources are waited for after the first good answer"},
	{name: "server.http.address", value: "", about: "address to serve MCP at over HTTP, such as 127.0.0.1:8931; standard input and output when empty. serve --http goes over it"},
	{name: "server.http.audience", value: "", about: "audience that JSON Web Tokens must be for; server.http.url when empty"},
	{name: "server.http.hosts", value: "", about: "names by which clients may call the server, beside localhost and its own address; separated by commas"},
	{name: "server.http.issuer", value: "", about: "URL of an OAuth or OpenID Connect issuer whose JSON Web Tokens are accepted, exactly as in their iss"},
	{name: "server.http.jwks_url", value: "", about: "address of the issuer's public keys; when empty, as its metadata say"},
	{name: "server.http.max_connections", value: "512", about: "most connections of one address"},
	{name: "server.http.max_requests", value: "256", about: "most requests of one caller at once"},
	{name: "server.http.max_tenants", value: "32", about: "most tenants whose memories are open at once; one that is not used for a while is closed"},
	{name: "server.http.origins", value: "", about: "origins of web pages that may call the server, such as https://app.example, beside pages on this machine; separated by commas"},
	{name: "server.http.scopes", value: "", about: "scopes that every token must have, separated by spaces; a token of the file that was made without scopes has all"},
	{name: "server.http.tenant_claim", value: "", about: "claim of a JSON Web Token that names its tenant, and without which it is refused; when empty, all of them use the memory of the data folder"},
	{name: "server.http.tenant_documents", value: "100000", about: "most documents that the memory of one tenant keeps; 0: no limit"},
	{name: "server.http.tenant_mb", value: "1024", about: "most text that the memory of one tenant keeps, in MiB; 0: no limit"},
	{name: "server.http.tenant_requests_per_minute", value: "600", about: "most requests of one tenant in a minute, as many of them at once; 0: no limit"},
	{name: "server.http.tenants", value: "", about: "what single tenants have instead, and whose memories their recall also reads: " + tenantsForm},
	{name: "server.http.tls_cert", value: "", about: "PEM file of the server's certificate with those between it and the authority; read again when it changes"},
	{name: "server.http.tls_key", value: "", about: "PEM file of the certificate's private key"},
	{name: "server.http.tokens_file", value: "", about: "file of the bearer tokens that `research-mcp token` makes; when empty, tokens.json in data_dir, if there is one"},
	{name: "server.http.url", value: "", about: "public URL of the endpoint, such as https://research.example/mcp, where a proxy is in front of it"},
	{name: "server.http.write_scope", value: "", about: "scope without which a token may not remember and forget; when empty, every token may. A token of the file that was made without scopes has it"},
	{name: "server.structured", value: "false", about: "tools have output schemas, and results are JSON beside their text; for programs. Clients that get both often show the model only one"},
	{name: "session.fold_after", value: "6", about: "messages in a session before the older ones are folded into a summary"},
	{name: "session.fold_keep", value: "3", about: "messages that are not folded"},
	{name: "watch.address", value: "", about: "address such as 127.0.0.1:9464 at which a server shows /metrics, /healthz and /readyz; when empty, a server over HTTP shows them at its own address, and one on stdio nowhere"},
	{name: "watch.audit_keep", value: "8", about: "how many rotated audit logs are kept"},
	{name: "watch.audit_log", value: "", about: "file that says who remembered and forgot which documents, and when; without their contents. An absolute path; none when empty"},
	{name: "watch.audit_max_mb", value: "16", about: "size from which the audit log is rotated, in MiB"},
	{name: "watch.audit_required", value: "true", about: "true: nothing is remembered or forgotten if the audit log cannot be written; false: the log warns"},
	{name: "watch.tenant_labels", value: "false", about: "metrics have the tenant as a label, and say how many questions and documents each has; only at watch.address, since other callers can read those at the server's own"},
	{name: "watch.trace_questions", value: "false", about: "traces have the texts of questions and of what is searched for"},
}

// DefaultSource is what a source's settings start from.
type DefaultSource struct {
	Enabled bool
	URL     string
	Timeout time.Duration
	About   string
	Options []DefaultOption
}

// DefaultOption is a setting that only one source knows.
type DefaultOption struct {
	Name, Value, About string
	Secret, Private    bool
}

// declared are all keys, those of the sources included, by name.
func declared(sources map[string]DefaultSource) map[string]key {
	out := map[string]key{}
	for _, k := range keys {
		out[k.name] = k
	}
	for name, s := range sources {
		own := []key{
			{name: "enabled", value: fmt.Sprint(s.Enabled), about: "ask " + name + ": " + s.About},
			{name: "url", value: s.URL, about: "base URL of " + name},
			{name: "timeout", value: s.Timeout.String(), about: "the longest that one search of " + name + " may take, without waiting for its rate limit"},
		}
		for _, o := range s.Options {
			own = append(own, key{name: o.Name, value: o.Value, about: o.About, secret: o.Secret, private: o.Private})
		}
		for _, k := range own {
			k.name = "sources." + name + "." + k.name
			out[k.name] = k
		}
	}
	return out
}

// EnvName is the environment variable of a setting.
func EnvName(key string) string { return EnvPrefix + strings.ToUpper(underscored.Replace(key)) }

var underscored = strings.NewReplacer(".", "_", "-", "_")

// DefaultFile is where the settings file is looked for, or "" where the
// platform has no such folder.
func DefaultFile() string {
	dir, err := os.UserConfigDir()
	if err != nil {
		return ""
	}
	return filepath.Join(dir, "research-mcp", "config.yaml")
}

// dataDir is the folder that is meant: the platform's where none is named, and
// with a leading ~ as a shell reads it, because an assistant starts us without
// one.
func dataDir(named string) (string, error) {
	if named == "" {
		return filepath.Join(xdg.DataHome, "research-mcp"), nil
	}
	if rest, ok := strings.CutPrefix(filepath.ToSlash(named), "~/"); ok || named == "~" {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", bad("data_dir", named, "a path without ~: this process has no home folder")
		}
		named = filepath.Join(home, rest)
	}
	abs, err := filepath.Abs(named)
	if err != nil {
		return "", bad("data_dir", named, "an absolute path")
	}
	return abs, nil
}
