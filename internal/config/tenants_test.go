package config

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTenants(t *testing.T) {
	t.Parallel()
	load := func(tenants string) (*Config, error) {
		return Load(Inputs{Environ: []string{"RESEARCH_MCP_SERVER_HTTP_TENANTS=" + tenants, "RESEARCH_MCP_SERVER_HTTP_TENANT_DOCUMENTS=100",
			"RESEARCH_MCP_SERVER_HTTP_TENANT_MB=10", "RESEARCH_MCP_SERVER_HTTP_TENANT_REQUESTS_PER_MINUTE=60"}})
	}
	c, err := load("blue documents=5 shared=handbook,blue; red requests_per_minute=0 mb=7;\n * shared=team")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]Tenant{
		"blue":  {Documents: 5, MB: 10, RequestsPerMinute: 60, Shared: []string{"handbook"}},
		"red":   {Documents: 100, MB: 7},
		"green": {Documents: 100, MB: 10, RequestsPerMinute: 60, Shared: []string{"team"}},
		"team":  {Documents: 100, MB: 10, RequestsPerMinute: 60, Shared: []string{}},
	} {
		if name == "red" {
			want.Shared = nil
		}
		if diff := cmp.Diff(want, c.Tenant(name)); diff != "" {
			t.Errorf("Tenant(%s) (-want +got):\n%s", name, diff)
		}
	}
	if diff := cmp.Diff([]string{"blue", "handbook", "red", "team"}, c.NamedTenants()); diff != "" {
		t.Errorf("NamedTenants() (-want +got):\n%s", diff)
	}
	for value, part := range map[string]string{
		"blue 5": `"5"`, "blue documents=": "documents=", "blue documents=-1": "documents=-1", "blue pages=3": "pages=3", "blue mb=x": "mb=x",
		"documents=5": "documents=5", "blue mb=1; blue mb=2": "blue",
	} {
		if _, err := load(value); err == nil || !strings.Contains(err.Error(), "server.http.tenants") || !strings.Contains(err.Error(), part) {
			t.Errorf("server.http.tenants %q = %v, want a refusal that names %s", value, err, part)
		}
	}
}
