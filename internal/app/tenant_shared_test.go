package app

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/research-mcp/research-mcp/internal/access"
)

// A tenant's recall also finds what the memory that is shared with it has, and nothing else
// of it; the others see nothing of it, and it can be written by its own callers only.
func TestASharedMemoryIsReadOnly(t *testing.T) {
	t.Parallel()
	blue, red, plain, dir := teamWith(t, map[string]string{"server.http.tenants": "blue shared=handbook"})
	secret, err := access.NewFile(filepath.Join(dir, "tokens.json"), time.Now).Add(t.Context(), access.Token{Name: "author", Tenant: "handbook"})
	if err != nil {
		t.Fatal(err)
	}
	author := member{blue.client, secret}
	said := author.tool("remember", `{"text":"The quokkarine procedure begins with a bell at nine.","title":"quokkarine","tags":["blueprint"]}`)
	doc := first(t, `d_[a-z0-9]+`, said)
	said = author.tool("research", `{"question":"How does the quokkarine procedure begin?"}`)
	run, session := first(t, `r_[a-z0-9]+`, said), first(t, `s_[a-z0-9]+`, said)
	blue.tool("remember", `{"text":"The quokkarine procedure of blue is at ten."}`)
	author.tool("remember", `{"text":"Blue may not see a word of the session, only documents."}`)

	found := blue.tool("recall", `{"query":"quokkarine procedure bell"}`)
	for _, want := range []string{"bell at nine", "shared:handbook", doc, "blue is at ten"} {
		if !strings.Contains(found, want) {
			t.Errorf("blue's recall has no %q: %s", want, found)
		}
	}
	if one := blue.tool("recall", `{"query":"quokkarine procedure bell","k":1}`); strings.Count(one, "; read ") != 1 {
		t.Errorf("one hit of both: %s", one)
	}
	if _, said := blue.post("resources/read", `{"uri":"memory://documents/`+doc+`"}`); !strings.Contains(said, "bell at nine") {
		t.Errorf("blue reads the shared document: %s", said)
	}

	lie := first(t, `d_[a-z0-9]+`, blue.tool("remember", `{"text":"The ploverine rule of blue.","tags":["shared:handbook","Shared:handbook","ledger"]}`))
	_, read := blue.post("resources/read", `{"uri":"memory://documents/`+lie+`"}`)
	for _, said := range []string{blue.tool("recall", `{"query":"ploverine rule","k":1}`), read} {
		if !strings.Contains(said, "ledger") || strings.Contains(strings.ToLower(said), "shared:") {
			t.Errorf("a document of blue's own that it tagged as the handbook's: %s", said)
		}
	}
	blue.tool("forget", `{"ids":["`+lie+`"]}`)

	// Every other door of blue's, and all of the others', show nothing.
	for name, door := range doors(doc, run, session) {
		for who, m := range map[string]member{"blue": blue, "red": red, "nobody": plain} {
			_, said := m.post(door[0], door[1])
			if who == "blue" && (strings.HasPrefix(name, "recall") || name == "read memory://documents/"+doc) {
				continue
			}
			clean := strings.NewReplacer("zanzibarine", "", doc, "").Replace(said)
			if strings.Contains(clean, "bell at nine") || strings.HasPrefix(name, "complete") && (strings.Contains(said, doc) || strings.Contains(said, run)) ||
				strings.Contains(clean, "quokkarine") && who != "blue" {
				t.Errorf("%s, as %s: %s", name, who, said)
			}
		}
	}
	if said := blue.tool("recall", `{"query":"bell","session":"`+session+`"}`); strings.Contains(said, "bell at nine") {
		t.Errorf("blue in the session of another tenant: %s", said)
	}
	for _, args := range []string{`{"ids":["` + doc + `"],"confirm":true}`, `{"source":"note","confirm":true}`, `{"before":"2100-01-01","confirm":true}`} {
		blue.tool("forget", args)
	}
	if found := author.tool("recall", `{"query":"quokkarine bell"}`); !strings.Contains(found, "bell at nine") {
		t.Errorf("after blue forgot all of its own, the handbook has %s", found)
	}
}

// What a tenant's settings say holds for it alone.
func TestLimitsOfOneTenant(t *testing.T) {
	t.Parallel()
	blue, red, _, _ := teamWith(t, map[string]string{"server.http.tenants": "blue documents=1; red requests_per_minute=2"})
	note := func(who member, text string) string { return who.tool("remember", `{"text":"`+text+`"}`) }
	note(blue, "The first ledger is green.")
	if said := note(blue, "The second ledger is grey."); !strings.Contains(said, "1 of at most 1 document") {
		t.Errorf("blue's second document: %s", said)
	}
	note(red, "The first ledger is green.")
	if said := note(red, "The second ledger is grey."); !strings.Contains(said, "d_") {
		t.Errorf("red's second document: %s", said)
	}
	if status, said := red.post("ping", `{}`); status != 429 || !strings.Contains(said, "2 requests") {
		t.Errorf("red's third request: %d %s", status, said)
	}
}

// A token without the write scope reads, and changes nothing.
func TestAWriteScope(t *testing.T) {
	t.Parallel()
	blue, _, plain, dir := teamWith(t, map[string]string{"server.http.write_scope": "research:write"})
	tokens := access.NewFile(filepath.Join(dir, "tokens.json"), time.Now)
	with := func(name, tenant string, scopes ...string) member {
		secret, err := tokens.Add(t.Context(), access.Token{Name: name, Tenant: tenant, Scopes: scopes})
		if err != nil {
			t.Fatal(err)
		}
		return member{blue.client, secret}
	}
	for tenant, all := range map[string]member{"blue": blue, "": plain} { // their tokens have all scopes
		reader, writer := with("reader"+tenant, tenant, "research:read"), with("writer"+tenant, tenant, "research:read", "research:write")
		for name, m := range map[string]member{"with all": all, "with write": writer} {
			if said := m.tool("remember", `{"text":"A ledger of `+name+`."}`); !strings.Contains(said, "d_") {
				t.Errorf("%s: %s", name, said)
			}
		}
		if said := reader.tool("recall", `{"query":"ledger"}`); !strings.Contains(said, "A ledger of with all.") {
			t.Errorf("a reader's recall: %s", said)
		}
		if said := reader.tool("forget", `{"source":"note","dry_run":true}`); strings.Contains(said, `"isError":true`) {
			t.Errorf("a reader's dry run: %s", said)
		}
		for _, call := range [][2]string{{"remember", `{"text":"No."}`}, {"forget", `{"source":"note","confirm":true}`}} {
			if said := reader.tool(call[0], call[1]); !strings.Contains(said, "research:write") || !strings.Contains(said, `"isError":true`) {
				t.Errorf("a reader's %s: %s", call[0], said)
			}
		}
		if said := all.tool("recall", `{"query":"ledger"}`); !strings.Contains(said, "A ledger of with write.") {
			t.Errorf("after a reader's forget: %s", said)
		}
	}
}

// A token that a caller puts in a wrong place is not repeated.
func TestTokensInWrongPlacesAreNotRepeated(t *testing.T) {
	t.Parallel()
	blue, _, _, _ := team(t)
	const jwt = "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhbGljZSIsImlzcyI6Imh0dHBzOi8vaWQuZXhhbXBsZSJ9.c2lnbmF0dXJlLXRoYXQtaXMtbG9uZw"
	tried := 0
	for _, token := range []string{blue.token, jwt} {
		for _, message := range [][2]string{
			{token, `{}`}, {"tools/" + token, `{}`}, {"tools/call", `{"name":"` + token + `"}`}, {"tools/call", `{"name":"recall","arguments":{"` + token + `":1}}`},
			{"tools/call", `{"name":"recall","arguments":{"query":"x","k":"` + token + `"}}`}, {"tools/call", `{"name":"recall","arguments":{"query":"x","source":"` + token + `"}}`},
			{"tools/call", `{"name":"recall","arguments":{"query":"x","since":"` + token + `"}}`}, {"tools/call", `{"name":"research","arguments":{"run_id":"` + token + `"}}`},
			{"tools/call", `{"name":"research","arguments":{"question":"x","session":"` + token + `"}}`}, {"tools/call", `{"name":"research","arguments":{"question":"x","sources":["` + token + `"]}}`},
			{"tools/call", `{"name":"research","arguments":{"question":"x","depth":"` + token + `"}}`}, {"tools/call", `{"name":"remember","arguments":{"url":"` + token + `"}}`},
			{"tools/call", `{"name":"forget","arguments":{"before":"` + token + `"}}`}, {"tools/call", `{"name":"forget","arguments":{"ids":["` + token + `"],"session":"` + token + `","source":"` + token + `"}}`},
			{"resources/read", `{"uri":"` + token + `"}`}, {"resources/read", `{"uri":"memory://documents/` + token + `"}`},
			{"prompts/get", `{"name":"` + token + `"}`}, {"completion/complete", `{"ref":{"type":"ref/prompt","name":"compare"},"argument":{"name":"` + token + `","value":""}}`},
			{"completion/complete", `{"ref":{"type":"` + token + `"},"argument":{"name":"x","value":""}}`}, {"logging/setLevel", `{"level":"` + token + `"}`},
			{"initialize", `{"protocolVersion":"` + token + `","capabilities":{},"clientInfo":{"name":"t","version":"1"}}`},
		} {
			tried++
			if code, said := blue.post(message[0], message[1]); strings.Contains(said, token) || strings.Contains(said, token[len(token)-20:]) || strings.Contains(said, token[:30]) {
				t.Errorf("%s %s: %d %s", message[0], message[1], code, said)
			}
		}
		if code, said := blue.post("ping", `{}`, "Mcp-Session-Id", token+" x"); strings.Contains(said, token) {
			t.Errorf("as a session: %d %s", code, said)
		}
	}
	t.Logf("%d tried", tried)
}
