package main

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/research-mcp/research-mcp/internal/app"
	"github.com/research-mcp/research-mcp/internal/config"
)

// canaries are secrets that the program is given, each with the setting that has it.
type canaries struct {
	mu     sync.Mutex
	values map[string]string // canary to setting
}

// plant returns a new canary.
func (c *canaries) plant(setting string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.values == nil {
		c.values = map[string]string{}
	}
	v := fmt.Sprintf("cAnary%03dZq7xK", len(c.values))
	c.values[v] = setting
	return v
}

// found names the settings whose canaries are in b, as they are, percent-encoded or in
// basic authentication.
func (c *canaries) found(b []byte) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []string
	for v, setting := range c.values {
		basic := base64.StdEncoding.EncodeToString([]byte("user:" + v))
		if bytes.Contains(b, []byte(v)) || bytes.Contains(b, []byte(basic)) {
			out = append(out, setting)
		}
	}
	return out
}

// check fails the test if a canary is in b, and counts what was searched.
func (c *canaries) check(t *testing.T, where string, b []byte) {
	t.Helper()
	if found := c.found(b); len(found) > 0 {
		t.Errorf("%s holds the secret of %s:\n%.1500s", where, strings.Join(found, ", "), b)
	}
}

// invoke runs a command of the program, and checks what it prints.
func (c *canaries) invoke(t *testing.T, environ []string, in io.Reader, args ...string) (stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	run(t.Context(), args, &console{in: in, out: &out, err: &errs, environ: environ, zone: time.UTC})
	c.check(t, "stdout of "+args[0], out.Bytes())
	c.check(t, "stderr of "+args[0], errs.Bytes())
	return out.String(), errs.String()
}

// every setting of the program, with its default.
func everySetting(t *testing.T) []config.Setting {
	t.Helper()
	cfg, err := config.Load(config.Inputs{Sources: app.SourceDefaults()})
	if err != nil {
		t.Fatal(err)
	}
	if len(cfg.Settings()) < 40 {
		t.Fatalf("there are %d settings", len(cfg.Settings()))
	}
	return cfg.Settings()
}

// TestNoSettingShowsACanary puts an address with a password and tokens into every
// setting, a new one included, from the command line, the environment and the file,
// and a bare key into those that are secret.
func TestNoSettingShowsACanary(t *testing.T) {
	t.Parallel()
	var c canaries
	dir := t.TempDir()
	secret := 0
	for i, s := range everySetting(t) {
		password, token, fragment := c.plant(s.Key), c.plant(s.Key), c.plant(s.Key)
		inPath := "x"
		if s.Key != "data_dir" { // a folder, whose name is shown
			inPath = c.plant(s.Key) + "Wq3zT9"
		}
		value := fmt.Sprintf("https://user:%s@127.0.0.1:9/"+inPath+"/x?access_token=%s#key=%s", password, token, fragment)
		file := filepath.Join(dir, fmt.Sprintf("%d.yaml", i))
		if err := os.WriteFile(file, []byte(s.Key+": "+value+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		c.invoke(t, nil, nil, "config", "--set", s.Key+"="+value)
		c.invoke(t, []string{s.Env + "=" + value}, nil, "config", "--json")
		c.invoke(t, nil, nil, "config", "--config", file)
		key := c.plant(s.Key)
		if cfg, err := config.Load(config.Inputs{Sources: app.SourceDefaults(), Flags: map[string]string{s.Key: key}}); err == nil && len(cfg.Secrets()) > 0 {
			secret++
			c.invoke(t, nil, nil, "config", "--set", s.Key+"="+key)
		}
	}
	if secret < 6 {
		t.Errorf("%d settings are secret, want at least 6", secret)
	}
	c.invoke(t, []string{"OLLAMA_HOST=http://user:" + c.plant("OLLAMA_HOST") + "@127.0.0.1:9"}, nil, "config")
	c.invoke(t, nil, nil, "config", "--set", "models.key:"+c.plant("a mistyped --set"))
	broken := filepath.Join(dir, "broken.yaml")
	if err := os.WriteFile(broken, []byte("models.key "+c.plant("a file that is not YAML")), 0o600); err != nil {
		t.Fatal(err)
	}
	c.invoke(t, nil, nil, "config", "--config", broken)
}

// echo is a service that repeats all that it is sent: in error bodies and headers, in
// redirects, or in answers that are what its clients expect.
type echo struct {
	mode atomic.Value // "error", "redirect" or "answer"
	seen canaries     // which arrived; see TestCanariesReachNothing
	sent sync.Map     // canary to true
}

func (e *echo) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	said := r.URL.String()
	for name, values := range r.Header {
		said += " | " + name + ": " + strings.Join(values, ", ")
	}
	for v := range e.seen.values {
		if strings.Contains(said, v) || strings.Contains(said, base64.StdEncoding.EncodeToString([]byte("user:"+v))) {
			e.sent.Store(v, true)
		}
	}
	w.Header().Set("X-Echo", said)
	w.Header().Set("ETag", `"`+strings.ReplaceAll(r.URL.RawQuery, `"`, "")+`"`)
	switch e.mode.Load() {
	case "redirect":
		http.Redirect(w, r, "/elsewhere?was="+url.QueryEscape(said)+"&"+r.URL.RawQuery, http.StatusFound)
	case "error":
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusUnauthorized)
		_ = json.NewEncoder(w).Encode(map[string]any{"error": map[string]any{"message": said, "code": said}, "error_message": said, "error_name": said, "message": said, "ERROR": said})
	default:
		e.answer(w, r, said, string(body))
	}
}

// answer is a good response of whatever the path is of.
func (e *echo) answer(w http.ResponseWriter, r *http.Request, said, body string) {
	word, _ := json.Marshal("Quokkas live on Rottnest Island. " + said)
	switch path := r.URL.Path; {
	case strings.HasSuffix(path, "/models"):
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"object":"list","data":[{"id":"chatty","object":"model"},{"id":%s,"object":"model"}]}`, word)
	case strings.HasSuffix(path, "/chat/completions"):
		if !strings.Contains(body, `"stream":true`) {
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprintf(w, `{"choices":[{"message":{"role":"assistant","content":%s},"finish_reason":"stop"}]}`, word)
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprintf(w, "data: {\"choices\":[{\"delta\":{\"content\":%s}}]}\n\ndata: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n", word)
	case strings.HasSuffix(path, "feed.xml"):
		w.Header().Set("Content-Type", "application/rss+xml")
		var safe bytes.Buffer
		enc := json.NewEncoder(&safe) // escapes what XML reserves
		_ = enc.Encode(said)
		fmt.Fprintf(w, `<rss version="2.0"><channel><title>Quokka news</title><item><title>Quokkas of Rottnest</title><author>%[1]s</author><link>http://%[2]s/item?%[3]s</link>`+
			`<description>Quokkas live on Rottnest Island, says %[1]s</description></item></channel></rss>`, safe.String(), r.Host, strings.ReplaceAll(r.URL.RawQuery, "&", "&amp;"))
	case strings.HasPrefix(path, "/page"), strings.HasPrefix(path, "/item"), path == "/robots.txt":
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, "<title>Quokkas</title><p>Quokkas live on Rottnest Island. This page was asked with %s, it says.</p>", strings.NewReplacer("<", "", "&", "&amp;").Replace(said))
	default:
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"echo":%[1]s,"items":[{"title":%[1]s,"link":%[1]s}],"results":[{"title":%[1]s,"display_name":%[1]s,"id":%[1]s}],"hits":[{"objectID":"1","title":%[1]s,"comment_text":%[1]s}]}`, word)
	}
}

// settingsWithSecrets turns on every source and gives each setting that may have a
// secret one, all at the echo.
func settingsWithSecrets(t *testing.T, c *canaries, base string) []string {
	t.Helper()
	environ := []string{"HOME=" + t.TempDir(), config.EnvName("data_dir") + "=" + t.TempDir(), config.EnvName("log_level") + "=debug",
		config.EnvName("fetch.allow") + "=" + strings.TrimPrefix(base, "http://"), config.EnvName("models.url") + "=" + base + "/v1",
		config.EnvName("models.chat_model") + "=chatty", config.EnvName("ollama.host") + "=" + base}
	proxy := func(setting string) string {
		return strings.Replace(base, "http://", "http://user:"+c.plant(setting)+"@", 1)
	}
	for name, d := range app.SourceDefaults() {
		set := func(option, value string) {
			environ = append(environ, config.EnvName("sources."+name+"."+option)+"="+value)
		}
		if d.URL != "" || name == "kiwix" || name == "searxng" || name == "mediawiki" {
			set("enabled", "true")
			set("url", base+"/"+name)
		}
		for _, o := range d.Options {
			switch {
			case o.Secret:
				set(o.Name, c.plant("sources."+name+"."+o.Name))
			case o.Name == "urls":
				plant := func() string { return c.plant("sources." + name + "." + o.Name) }
				last := plant() // a fragment is not sent: it has what is sent, too
				set(o.Name, strings.Join([]string{
					base + "/feed.xml?access_token=" + plant(), base + "/podcast/" + plant() + "/feed.xml", base + "/feed.xml?format=atom&u=me&h=" + plant(),
					base + "/feed.xml;jsessionid=" + plant(), base + "/feed.xml?" + plant(), base + "/a/feed.xml?k=" + last + "#" + last,
				}, ","))
			}
		}
	}
	for _, s := range everySetting(t) {
		switch {
		case s.Key == "models.key":
			environ = append(environ, s.Env+"="+c.plant(s.Key))
		case strings.HasSuffix(s.Key, ".proxy"):
			environ = append(environ, s.Env+"="+proxy(s.Key))
		}
	}
	return environ
}

// TestCanariesReachNothing asks services that repeat the keys that they are given, and
// searches all that the program prints and writes.
func TestCanariesReachNothing(t *testing.T) {
	t.Parallel()
	e := &echo{}
	srv := httptest.NewServer(e)
	defer srv.Close()
	environ := settingsWithSecrets(t, &e.seen, srv.URL)
	c := &e.seen
	records := t.TempDir()
	for _, mode := range []string{"error", "redirect", "answer"} {
		e.mode.Store(mode)
		har := filepath.Join(records, mode+".har")
		for _, args := range [][]string{
			{"config"}, {"sources"}, {"doctor", "--json"},
			{"ask", "--json", "Where do quokkas live?", "--sources", "feeds,openalex,pubmed,stackexchange,hackernews"},
			{"ask", "Where do quokkas live?", "--record", har, "--sources", "feeds,openalex,pubmed,stackexchange"},
			{"fetch", "quokkas", "--sources", "feeds,stackexchange"},
			{"remember", srv.URL + "/page?access_token=" + mode},
			{"memory", "export"}, {"memory", "list"}, {"runs"}, {"recall", "quokkas"}, {"sources", "--json"},
		} {
			c.invoke(t, environ, strings.NewReader(""), args...)
		}
		if raw, err := os.ReadFile(har); err != nil {
			t.Errorf("mode %s: no recording: %v", mode, err)
		} else {
			c.check(t, "the recording", raw)
		}
		converse(t, c, environ)
	}
	c.checkFolder(t, environ)
	for v, setting := range c.values {
		if _, sent := e.sent.Load(v); !sent {
			t.Errorf("the secret of %s was not sent to its service: nothing was tried with it", setting)
		}
	}
}

// checkFolder searches every file of the data folder.
func (c *canaries) checkFolder(t *testing.T, environ []string) {
	t.Helper()
	prefix := config.EnvName("data_dir") + "="
	for _, kv := range environ {
		dir, ok := strings.CutPrefix(kv, prefix)
		if !ok {
			continue
		}
		files := 0
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			raw, err := os.ReadFile(path)
			if err == nil {
				files++
				c.check(t, filepath.Base(path), raw)
			}
			return err
		})
		if err != nil || files < 2 {
			t.Errorf("%d files in the data folder were searched: %v", files, err)
		}
		t.Logf("%d secrets, 0 found in %d files and all output unless reported", len(c.values), files)
	}
}

// converse holds a conversation over MCP, with progress.
func converse(t *testing.T, c *canaries, environ []string) {
	t.Helper()
	in, send := io.Pipe()
	receive, out := io.Pipe()
	var errs bytes.Buffer
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		run(t.Context(), []string{"serve"}, &console{in: in, out: out, err: &errs, environ: environ, zone: time.UTC})
		_ = out.Close()
	}()
	lines := bufio.NewReader(receive)
	id := 0
	call := func(method string, params any) {
		id++
		raw, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": id, "method": method, "params": params})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := send.Write(append(raw, '\n')); err != nil {
			t.Errorf("%s: %v", method, err)
			return
		}
		for answered := false; !answered; {
			line, err := lines.ReadBytes('\n')
			if err != nil {
				t.Errorf("%s: %v", method, err)
				return
			}
			c.check(t, "MCP, "+method, line)
			answered = bytes.Contains(line, fmt.Appendf(nil, `"id":%d,`, id)) || bytes.Contains(line, fmt.Appendf(nil, `"id":%d}`, id))
		}
	}
	tool := func(name string, args map[string]any) {
		call("tools/call", map[string]any{"name": name, "arguments": args, "_meta": map[string]any{"progressToken": name}})
	}
	call("initialize", map[string]any{"protocolVersion": "2025-06-18", "capabilities": map[string]any{}, "clientInfo": map[string]any{"name": "canary", "version": "1"}})
	call("tools/list", map[string]any{})
	tool("research", map[string]any{"question": "Where do quokkas live?", "sources": []string{"feeds", "openalex", "pubmed", "stackexchange"}})
	tool("fetch-sources", map[string]any{"query": "quokkas", "sources": []string{"feeds", "pubmed"}})
	tool("recall", map[string]any{"query": "quokkas"})
	_ = send.Close()
	_, _ = io.Copy(io.Discard, lines)
	<-ended
	c.check(t, "the log of serve", errs.Bytes())
}
