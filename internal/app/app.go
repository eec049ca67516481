// Package app is the composition root: it builds the program's parts from the
// settings and gives them to the commands.
package app

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"errors"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/research-mcp/research-mcp/internal/config"
	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/extract"
	"github.com/research-mcp/research-mcp/internal/isolate"
	"github.com/research-mcp/research-mcp/internal/library"
	"github.com/research-mcp/research-mcp/internal/models"
	"github.com/research-mcp/research-mcp/internal/models/all"
	"github.com/research-mcp/research-mcp/internal/models/pace"
	"github.com/research-mcp/research-mcp/internal/redact"
	"github.com/research-mcp/research-mcp/internal/research"
	"github.com/research-mcp/research-mcp/internal/sealed"
	"github.com/research-mcp/research-mcp/internal/sources"
	"github.com/research-mcp/research-mcp/memory"
	"github.com/research-mcp/research-mcp/memory/contract"
)

// embeddingAtOnce is how many tenants embed in the background at once.
const embeddingAtOnce = 2

// Options is what the settings do not contain.
type Options struct {
	Log   *slog.Logger
	Now   func() time.Time           // nil: time.Now
	NewID func(prefix string) string // nil: random ids
	Hooks Hooks                      // of a question that is recorded or replayed; nil: neither
	// Getenv reads the variables of OpenTelemetry; nil: os.Getenv.
	Getenv func(string) string

	memories  *memory.Shared // what the memories of the tenants have in common
	embedding chan struct{}  // what their libraries have; see library.Deps
}

// App is the program, ready to work. It is safe for concurrent use. Close it.
type App struct {
	cfg     *config.Config
	options Options
	parent  *App   // of a tenant's: it owns pool, models and limits of hosts; nil: it is the process's
	tenant  string // its name
	log     *slog.Logger
	now     func() time.Time
	getenv  func(string) string
	fetch   *network
	memory  memory.Memory
	models  *all.Chooser
	library *library.Library
	engine  *research.Engine
	pool    *isolate.Pool
	pages   extract.Isolated
	sources []research.Source // that are on
	closers []io.Closer       // of these
	secrets *redact.Redactor  // of the settings
	audit   library.Journal   // nil: none
	watched watched
	// traceEnd is watch.TraceOptions.CloseWithin.
	traceEnd time.Duration
}

// New builds the parts. It makes no requests. Its error is mostly an
// *evidence.Problem about a setting or the data folder.
func New(ctx context.Context, cfg *config.Config, o Options) (*App, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Getenv == nil {
		o.Getenv = os.Getenv
	}
	if o.NewID == nil {
		o.NewID = NewID
	}
	o.memories, o.embedding = &memory.Shared{}, make(chan struct{}, embeddingAtOnce)
	secrets := redact.New(cfg.Secrets()...)
	o.Log = secrets.Log(o.Log)
	a := &App{cfg: cfg, options: o, log: o.Log, now: o.Now, getenv: o.Getenv, secrets: secrets}
	var err error
	if a.pool, err = newPool(cfg, o.Log); err != nil {
		return nil, err
	}
	audit, err := openAudit(cfg, o)
	if err != nil {
		return nil, errors.Join(err, a.pool.Close())
	}
	a.pages = extract.Isolated{Runner: a.pool, ReadPDF: cfg.Fetch.PDF, ReadDocuments: cfg.Fetch.Documents}
	if a.models, err = all.New(cfg, models.Env{Log: o.Log, Hooks: o.Hooks, Speeds: pace.Open(cfg.DataDir, o.Now)}); err != nil {
		return nil, errors.Join(err, a.pool.Close())
	}
	a.audit = audit
	if err := a.assemble(ctx); err != nil {
		return nil, errors.Join(err, a.models.Close(), a.pool.Close())
	}
	return a, nil
}

// assemble builds what each tenant has of its own: network, sources, memory, library and
// engine. After an error, nothing of them is open.
func (a *App) assemble(ctx context.Context) error {
	o := a.options
	a.fetch = newNetwork(ctx, a, o)
	var err error
	if a.sources, err = a.buildSources(o.Hooks); err != nil {
		return errors.Join(err, a.fetch.Close())
	}
	open := func() (memory.Memory, error) { return openMemory(ctx, a.models.BuiltIn().Ranks().Model(), a.cfg, o) }
	if a.memory, err = open(); errors.Is(err, contract.ErrFull) && a.fetch.GiveUp(ctx) {
		a.memory, err = open()
	}
	if err != nil {
		return errors.Join(err, a.closeSources(), a.fetch.Close())
	}
	location, remembered := a.cfg.DataDir, a.memory
	if a.parent != nil || a.cfg.Memory.Backend != "local" {
		location = "" // it is the operator's
	}
	if o.Hooks != nil {
		remembered = noRecall{a.memory}
	}
	a.library = library.New(library.Deps{Memory: remembered, Models: a.models, Pages: cleanPages{library.WebReader{Network: a.fetch.Network, Extract: a.pages}, a.secrets},
		Named: cleanPages{library.WebReader{Network: a.fetch.Network, Extract: a.pages.All()}, a.secrets}, Files: a.pages.All(), Cache: a.fetch, Journal: a.audit, Quota: a.quota(), Location: location, Now: o.Now, Log: o.Log, Embedding: o.embedding})
	a.engine = research.New(engineConfig(a.cfg), research.Deps{
		Sources: a.sources, Kinds: sourceKinds(), Off: SourcesOff(a.cfg), Library: a.library, Sessions: cleanSessions{a.library.Turns(), a.secrets}, Models: a.models, Analyst: analyst{a.pool}, Claims: a.claims(), Searched: a.watched.searched,
		Now: o.Now, NewID: o.NewID, Log: o.Log,
	})
	return nil
}

// claims are those of the memory; nil if its backend has none. A question that is recorded
// or replayed is not another process's.
func (a *App) claims() contract.RunClaimer {
	claims, ok := a.memory.(contract.RunClaimer)
	if !ok || a.options.Hooks != nil {
		return nil
	}
	return cleanClaims{claims, a.secrets}
}

// A small memory is backed up, once a day, when a command or a server ends; a
// large one while a server runs.
const (
	closingBackup      = time.Second
	closingBackupBytes = 32 << 20
)

// Close ends background work and waits for it, in the order in which the parts
// depend on each other.
func (a *App) Close() error {
	a.engine.Close()
	ctx, cancel := context.WithTimeout(context.Background(), closingBackup)
	a.library.BackupDaily(ctx, closingBackupBytes)
	cancel()
	if a.parent != nil {
		return errors.Join(a.closeSources(), a.memory.Close(), a.fetch.Close())
	}
	return errors.Join(a.closeSources(), a.pool.Close(), a.models.Close(), a.memory.Close(), a.fetch.Close())
}

// closeSources ends what sources do in the background.
func (a *App) closeSources() error {
	var errs []error
	for _, c := range a.closers {
		errs = append(errs, c.Close())
	}
	return errors.Join(errs...)
}

// Config returns the settings that the program was built from.
func (a *App) Config() *config.Config { return a.cfg }

// Engine answers questions.
func (a *App) Engine() *research.Engine { return a.engine }

// Library stores and finds documents.
func (a *App) Library() *library.Library { return a.library }

// Models chooses the models of a question.
func (a *App) Models() *all.Chooser { return a.models }

// Sources returns the sources that are on.
func (a *App) Sources() []research.Source { return a.sources }

// Analyst computes statistics in an isolated process.
func (a *App) Analyst() research.Analyst { return analyst{a.pool} }

// Sandbox names the restrictions that isolated processes run under.
func (a *App) Sandbox(ctx context.Context) ([]string, error) { return a.pool.Sandbox(ctx) }

func engineConfig(cfg *config.Config) research.Config {
	c := research.DefaultConfig()
	c.Budget, c.SoftBudget = cfg.Research.Budget, cfg.Research.SoftBudget
	c.RunFor = cfg.Research.RunFor
	c.RecallK, c.PassageTokens = cfg.Research.RecallK, cfg.Research.Passages
	c.FoldAfter, c.FoldKeep = cfg.Session.FoldAfter, cfg.Session.FoldKeep
	c.Language = cfg.Language
	return c
}

func openMemory(ctx context.Context, model evidence.Model, cfg *config.Config, o Options) (memory.Memory, error) {
	to, err := sealed.Setting(cfg.Memory.BackupRecipients)
	if err != nil {
		p := evidence.AsProblem(err)
		return nil, &evidence.Problem{What: "memory.backup_recipients: " + p.What, Try: p.Try, Usage: true, Cause: err}
	}
	m := memory.Config{Backend: cfg.Memory.Backend, URL: cfg.Memory.URL, Tenant: cfg.Memory.Tenant, Dir: cfg.DataDir, ActiveModel: model, Keep: retention(cfg), Shared: o.memories, Logger: o.Log, Now: o.Now}
	if to != nil {
		m.SealDaily = func(w io.Writer) (memory.Sealing, error) { return to.Seal(w) }
	}
	opened, err := memory.Open(ctx, m)
	return opened, cfg.NameSetting(err)
}

// retention is what the memory removes by age and size.
func retention(cfg *config.Config) memory.Retention {
	return memory.Retention{MaxAge: time.Duration(cfg.Memory.MaxAgeDays) * 24 * time.Hour, MaxBytes: int64(cfg.Memory.MaxTextMB) << 20}
}

// buildSources builds the sources that are on.
func (a *App) buildSources(hooks Hooks) ([]research.Source, error) {
	settings, build := map[string]sources.Settings{}, Version()
	for _, spec := range sources.Registry() {
		s := SourceSettings(a.cfg, spec)
		s.Pages, s.Logger, s.DataDir, s.Version = a.pages, a.log, a.cfg.DataDir, build.Version+" "+build.Revision
		s.Idle = func(ctx context.Context) error { return a.library.Idle(ctx) } // there is one before anything is searched
		if spec.OwnFiles {
			s.Pages = a.pages.All()
		}
		settings[spec.Name] = s
	}
	built, err := sources.Build(settings, a.fetch.Network)
	if err != nil {
		return nil, err
	}
	var out []research.Source
	for _, s := range built {
		if c, ok := s.(io.Closer); ok {
			a.closers = append(a.closers, c)
		}
		traced := TracedSource{s, a.secrets}
		var asked research.Source = traced
		if hooks != nil {
			asked = hooks.Source(traced)
		}
		out = append(out, asked)
	}
	return out, nil
}

// sourceNames returns the names of the sources that are on.
func (a *App) sourceNames() []string {
	out := make([]string, len(a.sources))
	for i, s := range a.sources {
		out[i] = s.Name()
	}
	return out
}

// NewID returns prefix and 80 random bits.
func NewID(prefix string) string {
	var b [10]byte
	rand.Read(b[:]) // never fails: the program would end instead
	return prefix + strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b[:]))
}

// noRecall is a memory that recalls nothing: whether a question that is recorded
// finds its own documents there would depend on the machine's speed.
type noRecall struct{ memory.Memory }

// Recall returns no hits.
func (noRecall) Recall(ctx context.Context, _ evidence.RecallQuery) (evidence.RecallResult, error) {
	return evidence.RecallResult{Hits: []evidence.Hit{}, Index: evidence.IndexReady}, ctx.Err()
}

// Executable returns the path of this program, for messages.
func Executable() string {
	if exe, err := os.Executable(); err == nil {
		return exe
	}
	return "research-mcp"
}
