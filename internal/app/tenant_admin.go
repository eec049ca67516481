package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/research-mcp/research-mcp/internal/access"
	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory"
	"github.com/research-mcp/research-mcp/memory/local"
)

// TenantInfo is what `tenant list` shows of one. Problem says why nothing is known of it.
type TenantInfo struct {
	Name      string            `json:"name"`
	Documents int               `json:"documents"`
	TextBytes int64             `json:"text_bytes"`
	Sessions  int               `json:"sessions"`
	Newest    time.Time         `json:"newest,omitzero"`
	Problem   *evidence.Problem `json:"problem,omitempty"`
}

// TenantNames are those that have a memory, or a folder for the rest, sorted.
func (a *App) TenantNames(ctx context.Context) ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(a.cfg.DataDir, tenantsFolder))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() && access.ValidTenant(e.Name()) {
			names = append(names, e.Name())
		}
	}
	err = a.eachDatabase(ctx, func(url string, m memory.Tenanted) error {
		there, err := m.Tenants(ctx)
		for _, name := range there {
			if a.cfg.MemoryURL(name) == url { // else it has moved to another database
				names = append(names, name)
			}
		}
		return err
	})
	slices.Sort(names)
	return slices.Compact(names), err
}

// eachDatabase calls f with each database that has tenants; a local memory has none. One
// that fails does not keep f from the others.
func (a *App) eachDatabase(ctx context.Context, f func(url string, m memory.Tenanted) error) error {
	if _, ok := a.memory.(memory.Tenanted); !ok {
		return nil
	}
	var failed []error
	for _, url := range a.cfg.MemoryURLs() {
		if err := a.atDatabase(ctx, url, func(m memory.Tenanted) error { return f(url, m) }); err != nil {
			failed = append(failed, err)
		}
	}
	return problems(failed)
}

// problems are several as one, with what to do about the first.
func problems(all []error) error {
	if len(all) < 2 {
		return errors.Join(all...)
	}
	var what []string
	for _, err := range all {
		what = append(what, evidence.AsProblem(err).What)
	}
	return &evidence.Problem{What: strings.Join(what, "; "), Try: evidence.AsProblem(all[0]).Try, Cause: errors.Join(all...)}
}

// hasMemory reports whether there is the memory of a tenant. A local one is its folder; others
// are in the one database that is asked.
func (a *App) hasMemory(ctx context.Context, name string) (there bool, err error) {
	if _, ok := a.memory.(memory.Tenanted); !ok {
		return a.hasFolder(name), nil
	}
	err = a.atDatabase(ctx, a.cfg.MemoryURL(name), func(m memory.Tenanted) error {
		names, err := m.Tenants(ctx)
		there = slices.Contains(names, name)
		return err
	})
	return there, err
}

func (a *App) hasFolder(name string) bool {
	info, err := os.Stat(a.tenantDir(name))
	return err == nil && info.IsDir()
}

// atDatabase calls f with the memory of nobody in particular in a database.
func (a *App) atDatabase(ctx context.Context, url string, f func(m memory.Tenanted) error) (err error) {
	m := a.memory
	if url != a.cfg.Memory.URL {
		cfg := *a.cfg
		cfg.Memory.URL = url
		if m, err = openMemory(ctx, a.models.BuiltIn().Ranks().Model(), &cfg, a.options); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, m.Close()) }()
	}
	t, err := memory.Require[memory.Tenanted](m)
	if err != nil {
		return err
	}
	return f(t)
}

func checkTenant(name string) error {
	if !access.ValidTenant(name) {
		return evidence.BadInput(fmt.Sprintf("a tenant cannot be named %q", name), "use "+access.TenantNames)
	}
	return nil
}

// AddTenant makes the empty memory of a tenant, which its first call would do as well.
func (a *App) AddTenant(ctx context.Context, name string) error {
	if err := checkTenant(name); err != nil {
		return err
	}
	there, err := a.hasMemory(ctx, name)
	if err != nil {
		return err
	}
	if there {
		return evidence.BadInput(fmt.Sprintf("there is a tenant %q already", name), "`research-mcp tenant list` shows all")
	}
	own, err := a.forTenant(ctx, name)
	if err != nil {
		return err
	}
	return own.Close()
}

// Tenant opens the parts of a tenant that there is. The caller closes them before the App.
func (a *App) Tenant(ctx context.Context, name string) (*App, error) {
	if err := checkTenant(name); err != nil {
		return nil, err
	}
	there, err := a.hasMemory(ctx, name)
	switch {
	case err != nil:
		return nil, err
	case !there && a.hasFolder(name): // it was removed by another machine; opening it would make it
		return nil, evidence.BadInput(fmt.Sprintf("the tenant %q has no memory, and a folder on this machine alone", name), fmt.Sprintf("`research-mcp tenant remove %s --confirm` removes that, too", name))
	case !there:
		return nil, noTenant(name)
	}
	return a.forTenant(ctx, name)
}

func noTenant(name string) error {
	return evidence.BadInput(fmt.Sprintf("there is no tenant %q", name), "`research-mcp tenant list` shows all")
}

// Tenants describes all of them: with an error, those of the databases that could be asked.
func (a *App) Tenants(ctx context.Context) ([]TenantInfo, error) {
	names, failed := a.TenantNames(ctx)
	out := []TenantInfo{}
	for _, name := range names {
		info := TenantInfo{Name: name}
		if err := a.describe(ctx, &info); ctx.Err() != nil {
			return nil, ctx.Err()
		} else if err != nil {
			info.Problem = evidence.AsProblem(err)
		}
		out = append(out, info)
	}
	return out, failed
}

func (a *App) describe(ctx context.Context, info *TenantInfo) error {
	if there, err := a.hasMemory(ctx, info.Name); err != nil || !there {
		return err // opening it would make it
	}
	m, err := openMemory(ctx, a.models.BuiltIn().Ranks().Model(), a.cfg.ForTenant(info.Name, a.tenantDir(info.Name)), a.options)
	if err != nil {
		return err
	}
	s, err := m.Stats(ctx)
	info.Documents, info.TextBytes, info.Sessions, info.Newest = s.Documents, s.TextBytes, s.Sessions, s.Newest
	return errors.Join(err, m.Close())
}

func (a *App) tenantDir(name string) string { return filepath.Join(a.cfg.DataDir, tenantsFolder, name) }

// TenantTokens are the names of the tokens by which a tenant can still be used.
func (a *App) TenantTokens(name string) ([]string, error) {
	list, err := access.NewFile(a.cfg.TokensFile(), a.now).List()
	var out []string
	for _, t := range list {
		if t.Tenant == name && t.State(a.now()) == "active" {
			out = append(out, t.Name)
		}
	}
	return out, err
}

// RemoveTenant removes everything that is kept of a tenant: its rows in the database, and its
// folder. It is refused while a token of it is active, with which the next call would make
// it anew.
func (a *App) RemoveTenant(ctx context.Context, name string) (TenantInfo, error) {
	info := TenantInfo{Name: name}
	if err := checkTenant(name); err != nil {
		return info, err
	}
	tokens, err := a.TenantTokens(name)
	if err != nil {
		return info, err
	}
	if len(tokens) > 0 {
		return info, evidence.BadInput(fmt.Sprintf("the tenant %q still has the token %q", name, tokens[0]), fmt.Sprintf("`research-mcp token revoke %s`, then remove the tenant", tokens[0]))
	}
	names, err := a.TenantNames(ctx)
	if err != nil {
		return info, err
	}
	there := slices.Contains(names, name)
	if there {
		if err := a.describe(ctx, &info); err != nil {
			info.Problem = evidence.AsProblem(err) // it is removed all the same
		}
	}
	err = a.eachDatabase(ctx, func(_ string, m memory.Tenanted) error { // also where it was before
		_, found, err := m.RemoveTenant(ctx, name)
		there = there || found
		return err
	})
	switch {
	case err != nil:
		return info, err
	case !there:
		return info, noTenant(name)
	}
	_, err = local.Destroy(ctx, a.tenantDir(name))
	return info, err
}
