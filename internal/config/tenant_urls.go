package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/research-mcp/research-mcp/internal/access"
	"github.com/research-mcp/research-mcp/internal/evidence"
)

const tenantURLsForm = "TENANT=URL with spaces between them; * at the end of TENANT stands for any letters, and the first that fits holds"

// tenantURL is one entry of memory.tenant_urls.
type tenantURL struct{ pattern, url string }

func (t tenantURL) fits(tenant string) bool {
	if start, any := strings.CutSuffix(t.pattern, "*"); any {
		return strings.HasPrefix(tenant, start)
	}
	return t.pattern == tenant
}

// tenantURLs reads memory.tenant_urls. Its error does not repeat a URL: it may have a
// password.
func (c *Config) tenantURLs() ([]tenantURL, error) {
	entries := strings.Fields(c.Memory.TenantURLs)
	if len(entries) > 0 && c.Memory.Backend == localBackend {
		return nil, &Error{What: "memory.tenant_urls is set, and the memory backend \"local\" has no server", Try: "set memory.backend to postgres, or leave memory.tenant_urls empty"}
	}
	var out []tenantURL
	for _, entry := range entries {
		pattern, url, ok := strings.Cut(entry, "=")
		if !ok || pattern == "" || strings.Contains(strings.TrimSuffix(pattern, "*"), "*") || !strings.Contains(url, "://") {
			name, _, _ := strings.Cut(pattern, ":") // what stands before a URL
			return nil, bad("memory.tenant_urls", name+"…", tenantURLsForm)
		}
		if name := strings.TrimSuffix(pattern, "*"); name != "" && !access.ValidTenant(name) {
			return nil, &Error{What: fmt.Sprintf("memory.tenant_urls: a tenant cannot be named %q", pattern), Try: "use " + access.TenantNames}
		}
		if !strings.HasPrefix(url, "postgres://") && !strings.HasPrefix(url, "postgresql://") {
			return nil, &Error{What: fmt.Sprintf("memory.tenant_urls: what is given for %s is not the address of a PostgreSQL database", pattern), Try: "write " + pattern + "=postgres://USER@HOST/DATABASE"}
		}
		out = append(out, tenantURL{pattern, url})
	}
	return out, nil
}

// MemoryURL is the database of a tenant's memory: that of memory.tenant_urls, else
// memory.url.
func (c *Config) MemoryURL(tenant string) string {
	all, _ := c.tenantURLs() // Load has read them
	for _, t := range all {
		if tenant != "" && t.fits(tenant) {
			return t.url
		}
	}
	return c.Memory.URL
}

// NameSetting lets a Problem of the database name the setting that its address is from.
func (c *Config) NameSetting(err error) error {
	var p *evidence.Problem
	all, _ := c.tenantURLs() // Load has read them
	if !errors.As(err, &p) || !slices.ContainsFunc(all, func(t tenantURL) bool { return t.url == c.Memory.URL }) {
		return err
	}
	named := *p
	named.What, named.Try = strings.ReplaceAll(p.What, "memory.url", "memory.tenant_urls"), strings.ReplaceAll(p.Try, "memory.url", "memory.tenant_urls")
	return &named
}

// MemoryURLs are all databases in which tenants may be, each once.
func (c *Config) MemoryURLs() []string {
	out := []string{c.Memory.URL}
	all, _ := c.tenantURLs() // Load has read them
	for _, t := range all {
		if !slices.Contains(out, t.url) {
			out = append(out, t.url)
		}
	}
	return out
}

// ForTenant returns a copy for the parts of a tenant. What is not in the memory, as the
// cache of responses, is in the folder dir, and so is a local memory.
func (c *Config) ForTenant(tenant, dir string) *Config {
	if c.Memory.Backend == localBackend {
		return c.WithLocalMemory(dir)
	}
	out := *c
	out.DataDir, out.Memory.URL, out.Memory.Tenant = dir, c.MemoryURL(tenant), tenant
	return &out
}
