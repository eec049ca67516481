package app

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/fetch"
	"github.com/research-mcp/research-mcp/internal/research"
	"github.com/research-mcp/research-mcp/internal/sources"
)

// CacheFile is in the data folder, beside the memory, and may be deleted at any
// time.
const CacheFile = "cache.db"

// network is the way out and what is kept of the answers.
type network struct {
	*fetch.Network
	path  string                       // of the cache's file
	cache func() (*fetch.Cache, error) // opened at the first call, whatever the settings say

	mu     sync.Mutex
	opened *fetch.Cache
}

// newNetwork dials nothing and opens nothing: a server answers initialize first.
func newNetwork(ctx context.Context, a *App, o Options) *network {
	n := &network{path: filepath.Join(a.cfg.DataDir, CacheFile)}
	n.cache = sync.OnceValues(func() (*fetch.Cache, error) { return n.open(context.WithoutCancel(ctx), a) })
	cfg := fetch.Config{Version: ProgramVersion, Contact: a.cfg.Contact, Logger: a.log, Now: a.now}
	if o.Hooks != nil {
		cfg.Cassette = o.Hooks.Cassette()
	}
	if a.cfg.Cache.MaxMB > 0 && o.Hooks == nil { // a recording holds what was truly said
		cfg.OpenCache = func() *fetch.Cache {
			c, err := n.cache()
			if err != nil {
				a.log.Warn("answers are not kept: every question asks anew", "err", err)
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
	c, err := fetch.OpenCache(ctx, n.path, fetch.CacheConfig{MaxBytes: int64(a.cfg.Cache.MaxMB) << 20, Now: a.now, Logger: a.log})
	if err != nil {
		return nil, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.opened = c
	return c, nil
}

// clear removes all answers that are kept, also those of a time when the
// settings kept some.
func (n *network) clear(ctx context.Context) error {
	if _, err := os.Lstat(n.path); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	c, err := n.cache()
	if err != nil {
		return err
	}
	return c.Clear(ctx)
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

// TracedSource is a source that reports where its answers come from.
type TracedSource struct{ sources.Source }

// SearchTraced is Search, and whether the answer was cached.
func (t TracedSource) SearchTraced(ctx context.Context, q evidence.Query) ([]evidence.Document, research.Origin, error) {
	ctx, trace := fetch.WithTrace(ctx)
	docs, err := t.Search(ctx, q)
	var failed *fetch.Error
	if errors.As(err, &failed) && failed.InBand() {
		trace.Invalidate() // or the outage would be kept as if it were an answer
	}
	return docs, origin(trace), err
}

// origin says how what a trace has counted was come by.
func origin(trace *fetch.Trace) research.Origin {
	c := trace.Counts()
	return research.Origin{Cached: c.Requests == 0 && c.Cached > 0, Stale: c.Stale > 0, Age: c.Oldest}
}
