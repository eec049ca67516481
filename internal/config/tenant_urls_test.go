package config

import (
	"slices"
	"strings"
	"testing"
)

func TestMemoryURL(t *testing.T) {
	t.Parallel()
	const rest, sales, build = "postgres://all/db", "postgres://a,b:5433/db?x=y", "postgres://c/db"
	c, err := Load(Inputs{Sources: someSources(), Flags: map[string]string{"memory.backend": "postgres", "memory.url": rest,
		"memory.tenant_urls": "sales=" + sales + " build-*=" + build + " build-x=" + rest}})
	if err != nil {
		t.Fatal(err)
	}
	for tenant, want := range map[string]string{"": rest, "sales": sales, "sales2": rest, "build-7": build, "build-x": build, "other": rest} {
		own := c.ForTenant(tenant, "/d")
		if c.MemoryURL(tenant) != want || own.Memory.URL != want || own.Memory.Tenant != tenant || own.DataDir != "/d" {
			t.Errorf("the memory of %q = %q, %+v, want %q", tenant, c.MemoryURL(tenant), own.Memory, want)
		}
	}
	if got := c.MemoryURLs(); !slices.Equal(got, []string{rest, sales, build}) {
		t.Errorf("MemoryURLs = %q", got)
	}
	if local := c.WithLocalMemory("/l"); local.ForTenant("sales", "/s").Memory.URL != "" || local.ForTenant("sales", "/s").DataDir != "/s" {
		t.Error("a local memory of a tenant is not its folder")
	}
}

func TestTenantURLsThatCannotBe(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ backend, value, want string }{
		{"local", "a=postgres://x/y", "memory.backend"},
		{"postgres", "postgres://u:hunter2@x/y", "TENANT=URL"},
		{"postgres", "a", "TENANT=URL"},
		{"postgres", "a*b=postgres://u:hunter2@x/y", "TENANT=URL"},
		{"postgres", "=postgres://u:hunter2@x/y", "TENANT=URL"},
		{"postgres", "SALES=postgres://u:hunter2@x/y", "cannot be named \"SALES\""},
		{"postgres", "a=mysql://u:hunter2@x/y", "PostgreSQL"},
	} {
		_, err := Load(Inputs{Sources: someSources(), Flags: map[string]string{"memory.backend": c.backend, "memory.tenant_urls": c.value}})
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("memory.tenant_urls=%s = %v, want an error with %q and no password", c.value, err, c.want)
		}
	}
}

// The name of a role is none of the secrets: it is in every message. A comma may be in a password.
func TestDatabaseURLs(t *testing.T) {
	t.Parallel()
	for value, want := range map[string][]string{
		"postgres://research@h1,h2/research": {"postgres://research@h1,h2/research", "cmVzZWFyY2g6"},
		"postgres://u:hunter2,x@h1,h2/d":     {"postgres://u:hunter2,x@h1,h2/d", "hunter2,x", "dTpodW50ZXIyLHg="},
	} {
		c, err := Load(Inputs{Sources: someSources(), Flags: map[string]string{"memory.backend": "postgres", "memory.url": value}})
		if err != nil {
			t.Fatal(err)
		}
		if got := c.Secrets(); !slices.Equal(got, want) {
			t.Errorf("the secrets of %s are %q, want %q", value, got, want)
		}
		if shown, _ := from(c, "memory.url"); strings.Contains(shown, "hunter2") || strings.Contains(shown, ",x") {
			t.Errorf("%s is shown as %s", value, shown)
		}
	}
}

// The password of a tenant's database is kept out of logs, as that of memory.url is.
func TestTenantURLsAreSecret(t *testing.T) {
	t.Parallel()
	c, err := Load(Inputs{Sources: someSources(), Flags: map[string]string{"memory.backend": "postgres",
		"memory.tenant_urls": "a=postgres://u:hunter2@x/y b=postgres://u:correcthorse@x,y:5433/z?sslpassword=batterystaple"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"hunter2", "correcthorse", "batterystaple"} {
		if !slices.Contains(c.Secrets(), secret) {
			t.Errorf("%q is not among the secrets of the settings", secret)
		}
	}
}
