package app

import (
	"net/http"
	"strings"
	"testing"
)

// A tenant over its quota is refused what it wants remembered, with what to do, and is
// still answered, with a warning; what it forgets makes room. The others notice nothing.
func TestATenantOverItsQuotaIsStillAnswered(t *testing.T) {
	t.Parallel()
	blue, red, plain, _ := teamWith(t, map[string]string{"server.http.tenant_documents": "2"})
	note := func(who member, text string) string {
		return who.tool("remember", `{"text":"`+text+`"}`)
	}
	id := first(t, `d_[a-z0-9]+`, note(blue, "The first ledger is green."))
	note(blue, "The second ledger is grey.")
	refused := note(blue, "The third ledger is white.")
	for _, want := range []string{`"isError":true`, "2 of at most 2 documents", "forget", "operator"} {
		if !strings.Contains(refused, want) {
			t.Errorf("the refusal has no %q: %s", want, refused)
		}
	}
	answer := blue.tool("research", `{"question":"`+attentionQuestion+`"}`)
	if !strings.Contains(answer, "read but not kept") || !strings.Contains(answer, "2 of at most 2 documents") || strings.Contains(answer, `"isError":true`) || !strings.Contains(answer, "[1]") {
		t.Errorf("a question over quota: %s", answer)
	}
	for name, who := range map[string]member{"red": red, "nobody's": plain} {
		if said := note(who, "A ledger of "+name+"."); strings.Contains(said, `"isError":true`) {
			t.Errorf("%s: %s", name, said)
		}
	}
	for _, text := range []string{"A ledger.", "Another ledger.", "One more."} {
		if said := note(plain, text); strings.Contains(said, `"isError":true`) {
			t.Errorf("without a tenant: %s", said)
		}
	}
	blue.tool("forget", `{"ids":["`+id+`"]}`)
	if said := note(blue, "The third ledger is white."); strings.Contains(said, `"isError":true`) {
		t.Errorf("after a document was forgotten: %s", said)
	}
}

// A tenant that asks too often is told when to ask again; all its callers count together.
func TestATenantThatAsksTooOften(t *testing.T) {
	t.Parallel()
	blue, red, plain, _ := teamWith(t, map[string]string{"server.http.tenant_requests_per_minute": "1"})
	if status, said := blue.post("ping", `{}`); status != http.StatusOK {
		t.Fatalf("the first: %d %s", status, said)
	}
	if status, said := blue.post("ping", `{}`); status != http.StatusTooManyRequests || !strings.Contains(said, `"error"`) {
		t.Errorf("the second: %d %s", status, said)
	}
	if status, said := red.post("ping", `{}`); status != http.StatusOK {
		t.Errorf("another tenant: %d %s", status, said)
	}
	for range 3 {
		if status, said := plain.post("ping", `{}`); status != http.StatusOK {
			t.Errorf("without a tenant: %d %s", status, said)
		}
	}
}
