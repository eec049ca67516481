package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/fetch"
	"github.com/research-mcp/research-mcp/internal/library"
	"github.com/research-mcp/research-mcp/internal/redact"
	"github.com/research-mcp/research-mcp/internal/research"
	"github.com/research-mcp/research-mcp/internal/sources"
)

// CacheFile is in the data folder, beside the memory, and may be deleted at any
// time.
const CacheFile = "cache.db"

// network is the outbound network and its response cache.
type network struct {
	*fetch.Network
	log   *slog.Logger
	path  string                       // of the cache's file
	cache func() (*fetch.Cache, error) // opened at the first call, whatever the settings say

	mu     sync.Mutex
	opened *fetch.Cache
}

// newNetwork dials nothing and opens nothing: a server answers initialize first.
func newNetwork(ctx context.Context, a *App, o Options) *network {
	n := &network{log: a.log, path: filepath.Join(a.cfg.DataDir, CacheFile)}
	n.cache = sync.OnceValues(func() (*fetch.Cache, error) { return n.open(context.WithoutCancel(ctx), a) })
	cfg := fetch.Config{Version: ProgramVersion, Contact: a.cfg.Contact, Logger: a.log, Now: a.now, Secrets: a.secrets}
	if a.parent != nil {
		cfg.Limits = a.parent.fetch.Network
	}
	if o.Hooks != nil {
		cfg.Cassette = o.Hooks.Cassette()
	}
	if a.cfg.Cache.MaxMB > 0 && o.Hooks == nil { // a recording holds what was truly said
		var told sync.Once // every request asks for the cache
		cfg.OpenCache = func() *fetch.Cache {
			c, err := n.cache()
			if err != nil {
				told.Do(func() {
					a.log.Warn("responses are not cached: every question makes its requests again", "err", err)
				})
			}
			return c
		}
	}
	allowed, _ := a.cfg.Fetch.Allowed() // the settings were checked when they were read
	for _, at := range allowed {
		cfg.AllowedAddrs, cfg.PublicPorts = append(cfg.AllowedAddrs, at), append(cfg.PublicPorts, at.Port())
	}
	n.Network = fetch.New(cfg)
	return n
}

func (n *network) open(ctx context.Context, a *App) (*fetch.Cache, error) {
	if err := os.MkdirAll(filepath.Dir(n.path), 0o700); err != nil { // the memory may be elsewhere
		return nil, err
	}
	c, err := fetch.OpenCache(ctx, n.path, fetch.CacheConfig{MaxBytes: int64(a.cfg.Cache.MaxMB) << 20, Now: a.now, Logger: a.log})
	if err != nil {
		return nil, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.opened = c
	return c, nil
}

// Clear implements library.Cache. It also removes answers that were cached under
// earlier settings.
func (n *network) Clear(ctx context.Context) error {
	if _, err := os.Lstat(n.path); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	c, err := n.cache()
	if err == nil {
		err = c.Clear(ctx)
	}
	if err != nil {
		return fmt.Errorf("clearing %s: %w", n.path, err)
	}
	return nil
}

// markFile has the mark at which the cache was cleared, beside it.
const markFile = "cache.mark"

// ClearAt implements library.Cache.
func (n *network) ClearAt(ctx context.Context, mark string) error {
	path := filepath.Join(filepath.Dir(n.path), markFile)
	if was, err := os.ReadFile(path); err == nil && string(was) == mark {
		return nil
	}
	if err := n.Clear(ctx); err != nil {
		return err
	}
	// A mark that is torn or missing clears the cache once more. Without a folder there is no
	// cache; that of a tenant that was removed must not come back.
	if err := os.WriteFile(path, []byte(mark), 0o600); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// leastGain is the size from which emptying the cache makes room for anything.
const leastGain = 64 << 10

// GiveUp implements library.Cache.
func (n *network) GiveUp(ctx context.Context) bool {
	var size int64
	for _, end := range []string{"", "-wal"} {
		if info, err := os.Lstat(n.path + end); err == nil {
			size += info.Size()
		}
	}
	if size < leastGain {
		return false
	}
	if c, err := n.cache(); err != nil {
		fetch.RemoveCache(n.path)
	} else if err := c.GiveUp(ctx); err != nil {
		n.log.Debug("the cache was not emptied", "err", err)
	}
	n.log.Warn("the disk is full: the cache of sources' answers was emptied to make room for the memory", "path", n.path)
	return true
}

// Close ends what is under way, then closes the cache.
func (n *network) Close() error {
	err := n.Network.Close()
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.opened != nil {
		err = errors.Join(err, n.opened.Close())
	}
	return err
}

// TracedSource is a source that reports where its answers come from. What it finds, and
// its errors, are without the secrets of the settings.
type TracedSource struct {
	sources.Source
	secrets *redact.Redactor
}

// Search implements research.Source.
func (t TracedSource) Search(ctx context.Context, q evidence.Query) ([]evidence.Document, error) {
	docs, err := t.Source.Search(ctx, q)
	return cleanDocuments(t.secrets, docs), cleaned(t.secrets, err)
}

// Local is the source's; see research.Local.
func (t TracedSource) Local() bool {
	l, ok := t.Source.(research.Local)
	return ok && l.Local()
}

// Indexed is how many files the source has indexed; ok is false for one without an index.
func (t TracedSource) Indexed() (files int, ok bool) {
	i, ok := t.Source.(interface{ Indexed() int })
	if !ok {
		return 0, false
	}
	return i.Indexed(), true
}

// SearchTraced is Search, whether the answer was cached, and what may be missing from it.
func (t TracedSource) SearchTraced(ctx context.Context, q evidence.Query) ([]evidence.Document, evidence.Origin, error) {
	ctx, trace := fetch.WithTrace(ctx)
	docs, warnings, err := t.warned(ctx, q)
	var failed *fetch.Error
	if errors.As(err, &failed) && failed.InBand() {
		trace.Invalidate() // or the outage would be cached as a response
	}
	origin := library.OriginOf(trace)
	origin.Warning = t.secrets.Text(strings.Join(warnings, "; "))
	return cleanDocuments(t.secrets, docs), origin, cleaned(t.secrets, err)
}

// warned is the search, with the source's warnings if it gives any.
func (t TracedSource) warned(ctx context.Context, q evidence.Query) ([]evidence.Document, []string, error) {
	if w, ok := t.Source.(sources.Warner); ok {
		return w.SearchWarned(ctx, q)
	}
	docs, err := t.Source.Search(ctx, q)
	return docs, nil, err
}
