package clients

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// TokenVariable is the environment variable from which clients take the token of a server
// over HTTP, if they take it from one.
const TokenVariable = "RESEARCH_MCP_TOKEN"

// maxToken is how much of a file is read that a header names.
const maxToken = 16 << 10

// remote is how a client reaches a server over HTTP; the zero value: not at all.
type remote struct {
	kind     string         // the value of "type"; empty: it has none
	address  string         // the key of the URL
	bearer   string         // the header with the token: %s is a variable, or a file
	variable *regexp.Regexp // a variable in a header, as the client understands it
	file     *regexp.Regexp // a file in a header
}

// How clients write variables and files in headers.
var (
	dollar       = regexp.MustCompile(`\$(?:(\w+)|\{(\w+)\})`)
	dollarBraces = regexp.MustCompile(`\$\{(\w+)\}`)
	dollarEnv    = regexp.MustCompile(`\$\{env:(\w+)\}`)
	dollarInput  = regexp.MustCompile(`\$\{((?:input|env):[^}]+)\}`) // what VS Code asks for, or does not resolve everywhere
	bracesEnv    = regexp.MustCompile(`\{env:(\w+)\}`)
	bracesFile   = regexp.MustCompile(`\{file:([^}]+)\}`)
)

// Keys of an entry that belong to one of the two ways to a server. Codex refuses all of its
// configuration if they are mixed.
var (
	commandKeys = []string{"command", "args", "env", "environment", "env_vars", "cwd", "envFile"}
	addressKeys = []string{"url", "httpUrl", "serverUrl"}
	headerKeys  = []string{"headers", "headersHelper", "oauth", "auth", "bearer_token", "http_headers", "env_http_headers",
		"http_headers_helper", "oauth_resource"}
)

const codexVariable = "bearer_token_env_var"

// Holding is how a client holds the token of a server over HTTP.
type Holding int

const (
	InPlain    Holding = iota // only in its configuration, readable
	ByVariable                // TokenVariable
	ByFile                    // its configuration names the file
)

// SpeaksHTTP reports whether the client reaches servers over HTTP by itself.
func (c Client) SpeaksHTTP() bool { return c.remote.address != "" }

// Holds returns how the client holds a token that is in a file.
func (c Client) Holds(tokenFile string) Holding {
	switch {
	case c.remote.file != nil && fitsBraces(tokenFile):
		return ByFile
	case c.format == tomlFile, c.remote.bearer != "" && c.remote.file == nil:
		return ByVariable
	}
	return InPlain
}

// fitsBraces reports whether a path can stand in {file:…}, which is replaced in the text of
// the configuration: what JSON writes in another way would be read wrongly.
func fitsBraces(file string) bool {
	return !strings.ContainsFunc(filepath.ToSlash(file), func(r rune) bool {
		return r < ' ' || strings.ContainsRune("{}\"\\<>&\u2028\u2029", r)
	})
}

// remoteEntry is a server over HTTP in the form that the client wants. Headers of the
// user's own stay.
func (c Client) remoteEntry(s Server, have map[string]any) []member {
	var out []member
	if c.remote.kind != "" {
		out = append(out, member{"type", c.remote.kind})
	}
	out = append(out, member{c.remote.address, s.URL})
	if c.format == opencodeJS {
		out = append(out, member{"enabled", true})
	}
	holding := c.Holds(s.TokenFile)
	switch {
	case c.format == tomlFile && s.TokenFile != "":
		return append(out, member{codexVariable, TokenVariable})
	case c.format == tomlFile:
		return out
	}
	headers := map[string]any{}
	old, _ := have["headers"].(map[string]any)
	for name, value := range old {
		if !strings.EqualFold(name, "Authorization") {
			headers[name] = value
		}
	}
	switch {
	case s.TokenFile != "" && holding == ByVariable:
		headers["Authorization"] = fmt.Sprintf(c.remote.bearer, TokenVariable)
	case s.TokenFile != "" && holding == ByFile:
		headers["Authorization"] = fmt.Sprintf(c.remote.bearer, filepath.ToSlash(s.TokenFile))
	}
	if len(headers) > 0 {
		out = append(out, member{"headers", headers})
	}
	return out
}

// unfit are the keys of what is there that do not fit to the new entry: those of the other
// way to a server, another address, and the token that it had.
func unfit(entry []member, have map[string]any) []string {
	kept := map[string]bool{}
	for _, m := range entry {
		kept[m.key] = true
	}
	local := kept["command"]
	keys := slices.Concat(addressKeys, []string{codexVariable})
	if local {
		keys = slices.Concat(keys, headerKeys)
	} else {
		keys = slices.Concat(keys, commandKeys, []string{"headers"}) // entry has those that stay
	}
	if kind, _ := have["type"].(string); kind != "" && local != (kind == "stdio" || kind == "local") {
		keys = append(keys, "type")
	}
	return slices.DeleteFunc(keys, func(key string) bool { return kept[key] })
}

// addressIn is the address of a server in an entry, or "".
func addressIn(entry map[string]any) string {
	for _, key := range addressKeys {
		if at, ok := entry[key].(string); ok && at != "" {
			return at
		}
	}
	return ""
}

// readRemote reads a server over HTTP, with the headers that the client would send if it
// were started here.
func (c Client) readRemote(s System, at string, entry map[string]any) Server {
	out := Server{URL: at, Headers: map[string]string{}}
	variable := func(name string) string {
		value := s.Getenv(name)
		if value == "" {
			out.Unknown = append(out.Unknown, name)
		}
		return value
	}
	if c.format == tomlFile {
		if name, ok := entry[codexVariable].(string); ok {
			out.Headers["Authorization"] = "Bearer " + variable(name)
		}
		for name, from := range table(entry, "env_http_headers") {
			out.Headers[name] = variable(from)
		}
		for name, value := range table(entry, "http_headers") {
			out.Headers[name] = value
		}
		return out
	}
	for name, value := range table(entry, "headers") {
		if c.remote.variable != nil {
			value = replaceNames(c.remote.variable, value, variable)
		}
		if c.remote.file != nil {
			value = replaceNames(c.remote.file, value, func(file string) string {
				content, err := readToken(s, filepath.Dir(c.File(s)), file)
				if err != nil {
					out.Absent = append(out.Absent, file)
				}
				return content
			})
		}
		out.Headers[name] = value
	}
	slices.Sort(out.Unknown)
	slices.Sort(out.Absent)
	return out
}

// table is an object of texts in an entry.
func table(entry map[string]any, key string) map[string]string {
	out := map[string]string{}
	all, _ := entry[key].(map[string]any)
	for name, value := range all {
		out[name] = fmt.Sprint(value)
	}
	return out
}

// replaceNames replaces what a pattern matches by the value of the name in it.
func replaceNames(pattern *regexp.Regexp, in string, value func(name string) string) string {
	return pattern.ReplaceAllStringFunc(in, func(match string) string {
		return value(strings.Join(pattern.FindStringSubmatch(match)[1:], ""))
	})
}

// readToken reads a file that a header names, relative to the configuration.
func readToken(s System, folder, file string) (string, error) {
	if rest, ok := strings.CutPrefix(file, "~/"); ok {
		file = s.join(s.Home, rest)
	} else if !filepath.IsAbs(file) {
		file = filepath.Join(folder, file)
	}
	info, err := os.Stat(file)
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() || info.Size() > maxToken {
		return "", fmt.Errorf("%s does not hold a token", file)
	}
	raw, err := os.ReadFile(file)
	return strings.TrimSpace(string(raw)), err
}
