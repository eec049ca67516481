package app

import (
	"context"
	_ "embed"
	"errors"
	"io"
	"os"
	"runtime/debug"
	"sync"
	"syscall"

	"github.com/research-mcp/research-mcp/internal/config"
	"github.com/research-mcp/research-mcp/internal/sources"
	"github.com/research-mcp/research-mcp/server"
	"github.com/research-mcp/research-mcp/server/stdio"
	"github.com/research-mcp/research-mcp/tools"
)

// instructions tell the model when to use which tool.
//
//go:embed instructions.md
var instructions string

// Where people find more about the server.
const (
	website = "https://github.com/research-mcp/research-mcp"
	icon    = "https://raw.githubusercontent.com/research-mcp/research-mcp/main/docs/icon.svg"
)

// gcPercent keeps a server small beside the vectors that it holds: what it
// throws away between two collections is little beside them. GOGC goes over it.
const gcPercent = 30

// startGCPercent lets a server answer initialize without a collection: most of what is
// allocated until then stays.
const startGCPercent = 400

// StartServing prepares the process for Serve. Call it before Open.
func StartServing() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(startGCPercent)
	}
}

// firstWrite is a writer that calls then after the first write.
type firstWrite struct {
	io.Writer
	then func()
	once sync.Once
}

func (w *firstWrite) Write(p []byte) (int, error) {
	n, err := w.Writer.Write(p)
	w.once.Do(w.then)
	return n, err
}

// SyscallConn implements syscall.Conn, by which it is seen whether anybody reads.
func (w *firstWrite) SyscallConn() (syscall.RawConn, error) {
	if file, ok := w.Writer.(syscall.Conn); ok {
		return file.SyscallConn()
	}
	return nil, errors.ErrUnsupported
}

// Serve speaks MCP on in and out until in ends or ctx does.
func (a *App) Serve(ctx context.Context, in io.Reader, out io.Writer) error {
	if os.Getenv("GOGC") == "" {
		out = &firstWrite{Writer: out, then: func() { debug.SetGCPercent(gcPercent) }}
	}
	out = cleanOutput{out, a.secrets}
	deps := a.toolDeps()
	all := tools.All(deps)
	w := a.startWatching(ctx, all, false)
	defer w.Close()
	defer a.maintain(ctx)()
	return stdio.Serve(ctx, a.handler(deps, all, w.watcher(), nil), in, out, a.log)
}

// toolDeps are what the tools work with.
func (a *App) toolDeps() tools.Deps {
	return tools.Deps{Engine: a.engine, Library: writers{a.library, a.cfg.Server.HTTP.WriteScope}, Reader: a.library, Sources: a.sourceNames(), AllSources: allSources(a.cfg), Budget: a.cfg.Research.Budget,
		Now: a.now, Structured: a.cfg.Server.Structured}
}

// handler publishes the tools. changed may be nil; see server.Options.
func (a *App) handler(deps tools.Deps, all []tools.Definition, w server.Watcher, changed func() <-chan struct{}) *server.Handler {
	return server.NewHandler(server.Options{
		Name: "research-mcp", Title: "Research", Version: ProgramVersion, Instructions: instructions, Logger: a.log,
		Description: "Cited answers from many sources at once, and a memory of what was read.",
		Website:     website, Icon: icon,
		Tools: all, Resources: tools.Resources(deps), Prompts: tools.Prompts(deps), Watcher: w, Changed: changed,
	})
}

// maintain looks after the memory in the background until stop is called.
func (a *App) maintain(ctx context.Context) (stop func()) {
	maintaining, end := context.WithCancel(ctx)
	var maintenance sync.WaitGroup
	maintenance.Go(func() { a.library.Maintain(maintaining) })
	return func() {
		end()
		maintenance.Wait()
	}
}

// allSources describes each source that there is, for clients.
func allSources(cfg *config.Config) []tools.SourceInfo {
	off := SourcesOff(cfg)
	var out []tools.SourceInfo
	for _, spec := range sources.Registry() {
		out = append(out, tools.SourceInfo{Name: spec.Name, About: spec.About, Kinds: spec.Kinds, Off: off[spec.Name]})
	}
	return out
}
