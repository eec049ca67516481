package app

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/research-mcp/research-mcp/internal/access"
	"github.com/research-mcp/research-mcp/internal/testkit/world"
)

// member is a client with a token.
type member struct {
	client
	token string
}

// post sends one message, and returns the status and what came back.
func (m member) post(method, params string, header ...string) (int, string) {
	m.t.Helper()
	return m.do(http.MethodPost, "/mcp", `{"jsonrpc":"2.0","id":1,"method":"`+method+`","params":`+params+`}`,
		append(header, "Authorization", "Bearer "+m.token, "Content-Type", "application/json", "Accept", "application/json, text/event-stream", "Mcp-Protocol-Version", "2025-11-25")...)
}

func (m member) tool(name, arguments string) string {
	m.t.Helper()
	_, said := m.post("tools/call", `{"name":"`+name+`","arguments":`+arguments+`}`)
	return said
}

// team starts a server with a token for each of blue, red and nobody's tenant.
func team(t *testing.T) (blue, red, plain member, dir string) {
	t.Helper()
	return teamWith(t, nil)
}

// teamWith is team with further settings.
func teamWith(t *testing.T, more map[string]string) (blue, red, plain member, dir string) {
	t.Helper()
	dir = t.TempDir()
	file := access.NewFile(filepath.Join(dir, "tokens.json"), time.Now)
	settings := map[string]string{"server.http.address": "127.0.0.1:0", "watch.tenant_labels": "true", "watch.audit_log": filepath.Join(dir, "audit.log")}
	maps.Copy(settings, more)
	a := startWith(t, startWorld(t, world.Options{}), dir, settings, Options{})
	members := make([]member, 3)
	for i, tenant := range []string{"blue", "red", ""} {
		secret, err := file.Add(t.Context(), access.Token{Name: fmt.Sprintf("member%d", i), Tenant: tenant})
		if err != nil {
			t.Fatal(err)
		}
		members[i].token = secret
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	l, err := a.ListenHTTP(ctx)
	if err != nil {
		stop()
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- a.ServeHTTP(ctx, l) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	for i := range members {
		members[i].client = client{t, "http://" + l.Addr().String()}
	}
	return members[0], members[1], members[2], dir
}

// first is the first match of a pattern.
func first(t *testing.T, pattern, text string) string {
	t.Helper()
	found := regexp.MustCompile(pattern).FindString(text)
	if found == "" {
		t.Fatalf("no %s in %s", pattern, text)
	}
	return found
}

// secretWords are in what blue stores and asks, and nowhere else.
const secretWords = "zanzibarine"

// doors are messages by which another tenant may look for what blue has: the ids, the
// session and the run are blue's, or, for comparison, nobody's.
func doors(doc, run, session string) map[string][2]string {
	q := func(s string) string { return fmt.Sprintf("%q", s) }
	out := map[string][2]string{}
	tool := func(name, tool, args string) {
		out[name] = [2]string{"tools/call", `{"name":"` + tool + `","arguments":` + args + `}`}
	}
	tool("recall", "recall", `{"query":"zanzibarine ledger"}`)
	tool("recall of many", "recall", `{"query":"ledger","k":50}`)
	tool("recall by source", "recall", `{"query":"ledger","source":"note"}`)
	tool("recall by tag", "recall", `{"query":"ledger","tags":["blueprint"]}`)
	tool("recall by session", "recall", `{"query":"ledger","session":`+q(session)+`}`)
	tool("recall since", "recall", `{"query":"ledger","since":"2000-01-01"}`)
	tool("recall until", "recall", `{"query":"ledger","until":"2100-01-01"}`)
	tool("recall of nothing", "recall", `{"query":"*"}`)
	tool("recall of SQL", "recall", `{"query":"\" OR 1=1 --"}`)
	tool("forget by id", "forget", `{"ids":[`+q(doc)+`]}`)
	tool("forget by id, dry", "forget", `{"ids":[`+q(doc)+`],"dry_run":true}`)
	tool("forget by session", "forget", `{"session":`+q(session)+`,"dry_run":true}`)
	tool("forget by source", "forget", `{"source":"note","confirm":true}`)
	tool("forget by time", "forget", `{"before":"2100-01-01","dry_run":true}`)
	tool("forget by address", "forget", `{"url":"memory://documents/`+doc+`","confirm":true}`)
	tool("the run", "research", `{"question":"?","run_id":`+q(run)+`}`)
	tool("the session", "research", `{"question":"When was that?","session":`+q(session)+`}`)
	tool("remember by its address", "remember", `{"url":"memory://documents/`+doc+`"}`)
	tool("fetch by its address", "fetch-sources", `{"urls":["memory://documents/`+doc+`"]}`)
	tool("fetch of the run", "fetch-sources", `{"urls":["research://runs/`+run+`"]}`)
	tool("fetch of a file", "fetch-sources", `{"urls":["file:///tenants/blue/memory.db"]}`)
	for _, uri := range []string{"memory://documents/" + doc, "research://runs/" + run, "research://runs/" + run + "/json", "memory://documents/../blue/" + doc,
		"memory://documents/..%2fblue%2f" + doc, "memory://tenants/blue/documents/" + doc, "research://runs/*", "memory://documents/", "research://runs/" + strings.ToUpper(run)} {
		out["read "+uri] = [2]string{"resources/read", `{"uri":` + q(uri) + `}`}
	}
	out["list"] = [2]string{"resources/list", `{}`}
	out["templates"] = [2]string{"resources/templates/list", `{}`}
	for _, uri := range []string{"memory://documents/{id}", "research://runs/{id}", "research://runs/{id}/json"} {
		for _, typed := range []string{"", "d_", "r_", doc[:4], run[:4]} {
			out["complete "+uri+" "+typed] = [2]string{"completion/complete", `{"ref":{"type":"ref/resource","uri":` + q(uri) + `},"argument":{"name":"id","value":` + q(typed) + `}}`}
		}
	}
	for _, prompt := range []string{"research", "recall", "report"} {
		out["prompt "+prompt] = [2]string{"prompts/get", `{"name":` + q(prompt) + `,"arguments":{"question":"zanz","topic":"zanz","session":` + q(session) + `}}`}
	}
	out["cancel"] = [2]string{"notifications/cancelled", `{"requestId":1}`}
	out["prompts"], out["tools"] = [2]string{"prompts/list", `{}`}, [2]string{"tools/list", `{}`}
	return out
}

// TestTenantsSeeNothingOfEachOther tries each door with another tenant's token and with
// one without a tenant: nothing of blue's is in an answer, and what exists at blue is
// answered as what does not exist anywhere.
func TestTenantsSeeNothingOfEachOther(t *testing.T) {
	t.Parallel()
	blue, red, plain, dir := team(t)
	said := blue.tool("remember", `{"text":"The zanzibarine ledger was signed in 1923.","title":"zanzibarine","tags":["blueprint"]}`)
	doc := first(t, `d_[a-z0-9]+`, said)
	said = blue.tool("research", `{"question":"When was the zanzibarine ledger signed?"}`)
	run, session := first(t, `r_[a-z0-9]+`, said), first(t, `s_[a-z0-9]+`, said)
	const noDoc, noRun, noSession = "d_aaaaaaaaaaaaaaaa", "r_aaaaaaaaaaaaaaaa", "s_aaaaaaaaaaaaaaaa"
	tried := 0
	none := doors(noDoc, noRun, noSession)
	for name, door := range doors(doc, run, session) {
		for who, m := range map[string]member{"red": red, "nobody": plain} {
			tried++
			code, said := m.post(door[0], door[1])
			clean := strings.NewReplacer("zanzibarine ledger", "", "?", "").Replace(said) // the words of the door itself
			if strings.Contains(clean, secretWords) || strings.Contains(clean, "1923") || strings.Contains(strings.ReplaceAll(clean, door[1], ""), "blueprint") || who == "red" && strings.Contains(clean, dir) {
				t.Errorf("%s, as %s: %s", name, who, said)
			}
			if strings.HasPrefix(name, "complete ") && (strings.Contains(said, doc) || strings.Contains(said, run)) {
				t.Errorf("%s, as %s: %s", name, who, said)
			}
			same, ok := none[name]
			if !ok || name == "the run" || name == "the session" { // they have times and ids
				continue
			}
			wantCode, want := m.post(same[0], same[1])
			ids := strings.NewReplacer(doc, "ID", run, "ID", session, "ID", noDoc, "ID", noRun, "ID", noSession, "ID")
			if code != wantCode || fenceless(ids.Replace(said)) != fenceless(ids.Replace(want)) {
				t.Errorf("%s, as %s: %d %s\nand for what does not exist: %d %s", name, who, code, said, wantCode, want)
			}
		}
	}
	for name, m := range map[string]member{"red": red, "nobody": plain} {
		tried++
		if _, said := m.do(http.MethodGet, "/metrics", ""); strings.Contains(said, secretWords) || strings.Contains(said, doc) || strings.Contains(said, "member0") {
			t.Errorf("metrics, as %s: %s", name, said)
		}
	}
	if said := blue.tool("recall", `{"query":"zanzibarine ledger"}`); !strings.Contains(said, "1923") {
		t.Errorf("blue does not find its own document any more: %s", said)
	}
	if _, err := os.Stat(filepath.Join(dir, tenantsFolder, "blue")); err != nil {
		t.Error(err)
	}
	raw, err := os.ReadFile(filepath.Join(dir, "audit.log"))
	if err != nil || !strings.Contains(string(raw), `"token:member0"`) || !strings.Contains(string(raw), `"blue"`) || strings.Contains(string(raw), secretWords) {
		t.Errorf("the audit log = %s, %v", raw, err)
	}
	if tried < 80 {
		t.Errorf("%d doors were tried", tried)
	}
	t.Logf("%d tried", tried)
}

// fenceless replaces the random words of fences, and numbers of calls.
func fenceless(s string) string {
	return regexp.MustCompile(`[0-9a-f]{12}|error [0-9]+`).ReplaceAllString(s, "N")
}

// The id of another tenant's session of the transport opens nothing.
func TestTransportSessionsBelongToTheirTenant(t *testing.T) {
	t.Parallel()
	blue, red, _, _ := team(t)
	hello := `{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"t","version":"1"}}`
	body, _ := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": json.RawMessage(hello)})
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, blue.base+"/mcp", strings.NewReader(string(body)))
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range map[string]string{"Authorization": "Bearer " + blue.token, "Content-Type": "application/json", "Accept": "application/json, text/event-stream"} {
		req.Header.Set(k, v)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	id := resp.Header.Get("Mcp-Session-Id")
	if id == "" {
		t.Fatalf("no session: %s", resp.Status)
	}
	if said := blue.tool("remember", `{"text":"The zanzibarine ledger was signed in 1923."}`); !strings.Contains(said, "d_") {
		t.Fatal(said)
	}
	_, said := red.post("tools/call", `{"name":"recall","arguments":{"query":"ledger"}}`, "Mcp-Session-Id", id)
	if strings.Contains(said, "1923") {
		t.Errorf("with blue's session red sees %s", said)
	}
	red.do(http.MethodDelete, "/mcp", "", "Authorization", "Bearer "+red.token, "Mcp-Session-Id", id)
	if code, said := blue.post("tools/list", `{}`, "Mcp-Session-Id", id); code != http.StatusOK {
		t.Errorf("after red deleted it, blue's session is %d %s", code, said)
	}
}
