package config

import (
	"fmt"
	"maps"
	"net"
	"net/url"
	"path/filepath"
	"slices"
	"time"

	"github.com/research-mcp/research-mcp/internal/limit"
	"github.com/research-mcp/research-mcp/internal/text"
)

// validate refuses values that no part of the program could work with.
func (c *Config) validate() error {
	if !slices.Contains([]string{"debug", "info", "warn", "error"}, c.LogLevel) {
		return bad("log_level", c.LogLevel, "one of debug, info, warn, error")
	}
	if c.LogFormat != "text" && c.LogFormat != "json" {
		return bad("log_format", c.LogFormat, "text or json")
	}
	if c.Watch.AuditLog != "" && !filepath.IsAbs(c.Watch.AuditLog) {
		return bad("watch.audit_log", c.Watch.AuditLog, "an absolute path, such as /var/log/research-mcp/audit.log")
	}
	if _, _, err := net.SplitHostPort(c.Watch.Address); c.Watch.Address != "" && err != nil {
		return bad("watch.address", c.Watch.Address, "a host and a port, such as 127.0.0.1:9464")
	}
	for name, d := range map[string]time.Duration{
		"analysis.timeout": c.Analysis.Timeout, "ollama.silence": c.Ollama.Silence, "research.soft_budget": c.Research.SoftBudget,
		"research.run_for": c.Research.RunFor,
	} {
		if d < 10*time.Millisecond || d > time.Hour {
			return bad(name, d.String(), "a time from 10ms to 1h, such as 2.5s")
		}
	}
	if c.Research.Budget < limit.MinBudget || c.Research.Budget > limit.MaxBudget {
		return bad("research.budget", c.Research.Budget.String(), fmt.Sprintf("a time from %s to %s, such as 45s", limit.MinBudget, limit.MaxBudget))
	}
	for name, b := range map[string][3]int{
		"analysis.memory_mb": {c.Analysis.MemoryMB, 64, 65536}, "research.recall_k": {c.Research.RecallK, 0, 100},
		"cache.max_mb": {c.Cache.MaxMB, 0, 1 << 20}, "memory.max_age_days": {c.Memory.MaxAgeDays, 0, 36500}, "memory.max_text_mb": {c.Memory.MaxTextMB, 0, 1 << 20},
		"models.context":          {c.Models.Context, 1024, 10_000_000},
		"research.passage_tokens": {c.Research.Passages, 200, 100_000},
		"session.fold_after":      {c.Session.FoldAfter, 1, 1000}, "session.fold_keep": {c.Session.FoldKeep, 0, 1000},
		"server.http.tenant_documents": {c.Server.HTTP.TenantDocuments, 0, 1_000_000_000}, "server.http.tenant_mb": {c.Server.HTTP.TenantMB, 0, 1 << 20},
		"server.http.tenant_requests_per_minute": {c.Server.HTTP.TenantRequestsPerMinute, 0, 1_000_000},
		"watch.audit_max_mb":                     {c.Watch.AuditMaxMB, 1, 1 << 10}, "watch.audit_keep": {c.Watch.AuditKeep, 0, 1000},
	} {
		if b[0] < b[1] || b[0] > b[2] {
			return bad(name, fmt.Sprint(b[0]), fmt.Sprintf("a number from %d to %d", b[1], b[2]))
		}
	}
	if _, err := c.tenantURLs(); err != nil {
		return err
	}
	var err error
	if c.tenants, err = readTenants(c.Server.HTTP.Tenants); err != nil {
		return err
	}
	if c.Session.FoldKeep >= c.Session.FoldAfter {
		return bad("session.fold_keep", fmt.Sprint(c.Session.FoldKeep), fmt.Sprintf("less than session.fold_after, which is %d", c.Session.FoldAfter))
	}
	if text.PrimaryLanguage(c.Language) == "" {
		return bad("language", c.Language, "a language tag such as en or pt-BR")
	}
	if c.Models.BuiltIn != "on" && c.Models.BuiltIn != "off" {
		return bad("models.builtin", c.Models.BuiltIn, "on or off")
	}
	if !isContact(c.Contact) {
		return bad("contact", c.Contact, "an e-mail address or the URL of a page, such as you@example.org or https://example.org/bot; or leave it empty")
	}
	if _, err := c.Fetch.Allowed(); err != nil {
		return err
	}
	return c.validateSources()
}

func (c *Config) validateSources() error {
	for _, name := range slices.Sorted(maps.Keys(c.Sources)) {
		s := c.Sources[name]
		prefix := "sources." + name + "."
		if s.Timeout < 10*time.Millisecond || s.Timeout > 10*time.Minute {
			return bad(prefix+"timeout", s.Timeout.String(), "a time from 10ms to 10m, such as 8s")
		}
		if s.URL == "" {
			continue
		}
		u, err := url.Parse(s.URL)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return bad(prefix+"url", s.URL, "a URL with its scheme, such as https://wiki.example.org")
		}
		if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
			return bad(prefix+"url", s.URL, "a URL without user, query and fragment")
		}
	}
	return nil
}
