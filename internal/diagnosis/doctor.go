// Package diagnosis reports what works on this machine and what does not, with
// what to do about it: the checks of the command doctor, and the state of each
// source.
package diagnosis

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/research-mcp/research-mcp/internal/app"
	"github.com/research-mcp/research-mcp/internal/clients"
	"github.com/research-mcp/research-mcp/internal/config"
	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/fetch"
	"github.com/research-mcp/research-mcp/internal/isolate"
	"github.com/research-mcp/research-mcp/internal/research"
	"github.com/research-mcp/research-mcp/internal/text"
	"github.com/research-mcp/research-mcp/memory/contract"
)

// Statuses of a check.
const (
	checkOK   = "ok"
	checkWarn = "warn" // works, and could work better
	checkFail = "fail" // something that was asked for does not work
	checkOff  = "off"
)

// Check is one thing that the doctor looked at.
type Check struct {
	Name   string `json:"name"`
	Status string `json:"status"` // ok, warn, fail or off
	What   string `json:"what"`
	Try    string `json:"try"`
}

// Report is what the doctor found. OK is false when a check failed.
type Report struct {
	OK     bool    `json:"ok"`
	Checks []Check `json:"checks"`
}

// DoctorOptions say how far the doctor goes.
type DoctorOptions struct {
	Offline bool            // ask no source, and no server of a client on another machine
	Clients *clients.System // where AI clients keep their configurations; nil: do not look for them
	Log     *slog.Logger
}

// sourcePatience is how long the doctor waits for a source.
const sourcePatience = 6 * time.Second

// Doctor looks at everything that a question needs.
func Doctor(ctx context.Context, cfg *config.Config, o DoctorOptions) Report {
	r := Report{OK: true, Checks: []Check{{Name: "program", Status: checkOK, What: fmt.Sprintf("research-mcp %s at %s", app.ProgramVersion, app.Executable())}}}
	r.add(contactCheck(cfg))
	a, err := app.New(ctx, cfg, app.Options{Log: o.Log})
	if err != nil {
		p := evidence.AsProblem(err)
		r.add(Check{Name: "start", Status: checkFail, What: p.What, Try: p.Try})
		return r
	}
	r.add(memoryCheck(ctx, a))
	r.add(isolationCheck(ctx, a))
	r.add(modelChecks(ctx, a)...)
	r.add(sourceChecks(ctx, a, o.Offline)...)
	if o.Clients != nil {
		r.add(clientChecks(ctx, *o.Clients, o.Offline)...)
	}
	if err := a.Close(); err != nil {
		r.add(Check{Name: "shutdown", Status: checkFail, What: err.Error()})
	}
	return r
}

func (r *Report) add(checks ...Check) {
	for _, c := range checks {
		r.OK = r.OK && c.Status != checkFail
		r.Checks = append(r.Checks, c)
	}
}

func contactCheck(cfg *config.Config) Check {
	if cfg.Contact != "" {
		return Check{Name: "contact", Status: checkOK, What: "sources see " + cfg.Contact}
	}
	return Check{Name: "contact", Status: checkWarn, What: "no contact is set: sources such as Wikipedia allow unidentified clients little",
		Try: fmt.Sprintf("write `contact: you@example.org` into %s, or set %s", config.DefaultFile(), config.EnvName("contact"))}
}

func memoryCheck(ctx context.Context, a *app.App) Check {
	s, err := a.Library().Stats(ctx)
	if err != nil {
		p := evidence.AsProblem(err)
		return Check{Name: "memory", Status: checkFail, What: p.What, Try: p.Try}
	}
	what := fmt.Sprintf("%s, %s, %s in %s", text.Count(s.Documents, "document"), text.Count(s.Chunks, "chunk"), text.Count(s.Bytes, "byte"), memoryPlace(a, s))
	if q := s.Queue; q != nil && q.Chunks > 0 {
		what += fmt.Sprintf("; vectors of %s are still to be written for %s, by `serve` or `memory reindex`", q.Model, text.Count(q.Chunks, "chunk"))
	}
	return Check{Name: "memory", Status: checkOK, What: what}
}

// memoryPlace says where the memory is: in the data folder, or in a database.
func memoryPlace(a *app.App, s contract.Stats) string {
	if a.Config().Memory.Backend == "local" {
		return a.Config().DataDir
	}
	out := "the database " + s.Path
	if s.Words != "" {
		out += ", words by " + s.Words
	}
	return out
}

func isolationCheck(ctx context.Context, a *app.App) Check {
	begun := time.Now()
	got := a.Analyst().Analyse(ctx, evidence.AnalysisInput{Question: "test", Documents: []evidence.Document{{Source: "doctor", Text: "test"}}})
	if got.Status != checkOK || got.Documents != 1 {
		return Check{Name: "isolation", Status: checkFail, What: "work in an isolated process does not work: " + got.Err,
			Try: "look whether this program may start processes; answers come without statistics until then"}
	}
	took := time.Since(begun).Milliseconds()
	sandbox, err := a.Sandbox(ctx)
	if err != nil || len(sandbox) == 0 {
		sandbox = []string{"none"}
	}
	what := fmt.Sprintf("an isolated process answers in %d ms; its sandbox: %s", took, strings.Join(sandbox, ", "))
	if missing := isolate.Shortfall(sandbox); missing != "" {
		what += "; " + missing
	}
	return Check{Name: "isolation", Status: checkOK, What: what}
}

func modelChecks(ctx context.Context, a *app.App) []Check {
	var out []Check
	for _, s := range a.Models().Status(ctx) {
		out = append(out, Check{Name: s.Name, Status: s.State, What: s.What, Try: s.Try})
	}
	return out
}

// sourceChecks asks every source that is on, at the same time.
func sourceChecks(ctx context.Context, a *app.App, offline bool) []Check {
	infos, how := Sources(a.Config()), app.SourcesOff(a.Config())
	out := make([]Check, len(infos))
	byName := map[string]research.Source{}
	for _, s := range a.Sources() {
		byName[s.Name()] = s
	}
	var group errgroup.Group
	for i, info := range infos {
		switch {
		case !info.On:
			out[i] = Check{Name: info.Name, Status: checkOff, What: info.About, Try: how[info.Name]}
		case offline && !local(byName[info.Name]):
			out[i] = Check{Name: info.Name, Status: checkOK, What: "on, not asked: " + info.location()}
		default:
			group.Go(func() error {
				out[i] = sourceCheck(ctx, info, byName[info.Name])
				return nil // a failing source is a check's result
			})
		}
	}
	_ = group.Wait()
	reached := slices.ContainsFunc(out, func(c Check) bool { return c.Status == checkOK })
	if !reached && !offline {
		out = append(out, Check{Name: "sources", Status: checkFail, What: "no source can be reached: questions are answered from memory alone",
			Try: "look at the network of this machine, or set sources.NAME.url to a mirror that it reaches"})
	}
	return out
}

func sourceCheck(ctx context.Context, info SourceInfo, s research.Source) Check {
	ctx, cancel := context.WithTimeout(fetch.NoCache(ctx), sourcePatience) // a cached response says nothing about the source
	defer cancel()
	begun := time.Now()
	docs, warning, err := searchOnce(ctx, s, evidence.Query{Text: "computer", Question: "computer", Limit: 1, Language: "en"})
	took := time.Since(begun).Milliseconds()
	if err != nil {
		if p := evidence.AsProblem(err); local(s) {
			return Check{Name: info.Name, Status: checkWarn, What: p.What, Try: cmp.Or(p.Try, "try again: what was read is kept")}
		}
		what, _, _ := strings.Cut(err.Error(), "\n")
		return Check{Name: info.Name, Status: checkWarn, What: fmt.Sprintf("%s: %s", info.location(), what),
			Try: fmt.Sprintf("look whether %s can be reached from here; questions go on without it", info.location())}
	}
	got := text.Count(len(docs), "document")
	if i, ok := s.(interface{ Indexed() (int, bool) }); ok {
		if files, ok := i.Indexed(); ok && files == 1 {
			got = "1 file is indexed"
		} else if ok {
			got = text.Count(files, "file") + " are indexed"
		}
	}
	check := Check{Name: info.Name, Status: checkOK, What: fmt.Sprintf("%s answered in %d ms, %s", info.location(), took, got)}
	if warning != "" {
		check.Status, check.What = checkWarn, check.What+"; "+warning
	}
	return check
}

// local reports whether a search of the source needs no network.
func local(s research.Source) bool {
	l, ok := s.(research.Local)
	return ok && l.Local()
}

// searchOnce is the source's search, with the warning that it gives, if any.
func searchOnce(ctx context.Context, s research.Source, q evidence.Query) ([]evidence.Document, string, error) {
	if t, ok := s.(research.Tracer); ok {
		docs, origin, err := t.SearchTraced(ctx, q)
		return docs, origin.Warning, err
	}
	docs, err := s.Search(ctx, q)
	return docs, "", err
}
