package config

import (
	"slices"
	"strconv"
	"strings"
)

// Tenant is what one tenant may; a number of 0 is no limit.
type Tenant struct {
	Documents         int
	MB                int // MiB of text
	RequestsPerMinute int
	Shared            []string // tenants whose memories its recall also reads
}

// everyTenant is the name of an entry of server.http.tenants that is for all others.
const everyTenant = "*"

const tenantsForm = "entries such as `blue documents=5000 mb=100 requests_per_minute=60 shared=handbook`, separated by semicolons; * is for all others"

// Tenant returns what a tenant may: its entry in server.http.tenants, that of *, and the
// settings for all, in this order.
func (c *Config) Tenant(name string) Tenant {
	own, ok := c.tenants[name]
	if !ok {
		own = c.tenants[everyTenant]
	}
	t := Tenant{Documents: c.Server.HTTP.TenantDocuments, MB: c.Server.HTTP.TenantMB, RequestsPerMinute: c.Server.HTTP.TenantRequestsPerMinute}
	own.fill(&t)
	t.Shared = slices.DeleteFunc(slices.Clone(t.Shared), func(other string) bool { return other == name })
	return t
}

// NamedTenants returns the tenants that server.http.tenants names, also as shared ones, sorted.
func (c *Config) NamedTenants() []string {
	var out []string
	for name, t := range c.tenants {
		if name != everyTenant {
			out = append(out, name)
		}
		out = append(out, t.shared...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// tenantEntry has what an entry sets; nil is what it does not.
type tenantEntry struct {
	documents, mb, perMinute *int
	shared                   []string
}

func (e tenantEntry) fill(t *Tenant) {
	for to, from := range map[*int]*int{&t.Documents: e.documents, &t.MB: e.mb, &t.RequestsPerMinute: e.perMinute} {
		if from != nil {
			*to = *from
		}
	}
	t.Shared = e.shared
}

// readTenants reads server.http.tenants.
func readTenants(value string) (map[string]tenantEntry, error) {
	out := map[string]tenantEntry{}
	for entry := range strings.FieldsFuncSeq(value, func(r rune) bool { return r == ';' || r == '\n' }) {
		words := strings.Fields(entry)
		if len(words) == 0 {
			continue
		}
		name := words[0]
		if _, twice := out[name]; twice {
			return nil, bad("server.http.tenants", name, "one entry for each tenant")
		}
		if strings.Contains(name, "=") {
			return nil, bad("server.http.tenants", strings.TrimSpace(entry), tenantsForm)
		}
		var e tenantEntry
		for _, word := range words[1:] {
			if !e.set(word) {
				return nil, bad("server.http.tenants", word, tenantsForm)
			}
		}
		out[name] = e
	}
	return out, nil
}

// set reads key=value, and reports whether it could.
func (e *tenantEntry) set(word string) bool {
	key, value, ok := strings.Cut(word, "=")
	if !ok {
		return false
	}
	if key == "shared" {
		e.shared = strings.FieldsFunc(value, func(r rune) bool { return r == ',' })
		return true
	}
	n, err := strconv.Atoi(value)
	if err != nil || n < 0 || n > 1_000_000_000 {
		return false
	}
	switch key {
	case "documents":
		e.documents = &n
	case "mb":
		e.mb = &n
	case "requests_per_minute":
		e.perMinute = &n
	default:
		return false
	}
	return true
}
