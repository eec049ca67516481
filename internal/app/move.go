package app

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/research-mcp/research-mcp/internal/config"
	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/text"
	"github.com/research-mcp/research-mcp/memory"
)

// MoveReport is the result of a Move.
type MoveReport struct {
	To       string       `json:"to"`
	Moved    memory.Moved `json:"moved"`
	Verified int          `json:"verified"` // records that are in both, byte for byte but for vectors
	Missing  int          `json:"missing"`  // records that are not in the target as they are in the source
	Examples []string     `json:"examples"` // of those, five at most
}

// Target is the configuration of a memory that --to names: a PostgreSQL database, or the
// data folder of a local memory.
func (a *App) Target(to string) (*config.Config, error) {
	cfg := *a.cfg
	cfg.Memory.Tenant, cfg.Memory.TenantURLs = "", ""
	switch {
	case strings.HasPrefix(to, "postgres://"), strings.HasPrefix(to, "postgresql://"):
		cfg.Memory.Backend, cfg.Memory.URL = "postgres", to
	case to == "" || strings.Contains(to, "://"):
		return nil, evidence.BadInput("the place to move to is neither a PostgreSQL database nor a folder", "give --to postgres://USER@HOST/DATABASE, or the data folder of a local memory")
	default:
		dir, err := filepath.Abs(to)
		if err != nil {
			return nil, err
		}
		cfg = *a.cfg.WithLocalMemory(dir)
	}
	same := cfg.Memory.Backend == a.cfg.Memory.Backend && cfg.Memory.URL == a.cfg.Memory.URL
	if from, err := filepath.Abs(a.cfg.DataDir); err == nil && same && (cfg.Memory.Backend != "local" || from == cfg.DataDir) {
		return nil, thereAlready()
	}
	return &cfg, nil
}

func thereAlready() *evidence.Problem {
	return evidence.BadInput("the memory is there already", "name another place with --to")
}

// isSame reports whether two memories are one, under whatever addresses they were opened.
// Where that cannot be told, nothing is lost: what is there is not changed.
func isSame(ctx context.Context, a, b memory.Memory) bool {
	from, ok := a.(memory.Placed)
	into, also := b.(memory.Placed)
	if !ok || !also || a.Backend() != b.Backend() {
		return false
	}
	x, err := from.Place(ctx)
	if err != nil {
		return false
	}
	y, err := into.Place(ctx)
	return err == nil && x == y
}

// ofTarget is the error of a memory that --to names, and no setting.
func ofTarget(err error) error {
	p := *evidence.AsProblem(err)
	name := strings.NewReplacer("memory.url", "--to", "--data-dir", "--to")
	p.What, p.Try = name.Replace(p.What), name.Replace(p.Try)
	return &p
}

// leftBehind names the tenants, of which each has a memory of its own.
func (a *App) leftBehind(ctx context.Context) []string {
	names, err := a.TenantNames(ctx)
	switch {
	case err != nil:
		return []string{"it is not known which tenants there are, whose memories are not copied: " + evidence.AsProblem(err).What}
	case len(names) == 0:
		return nil
	}
	shown := names[:min(5, len(names))]
	what := strings.Join(shown, ", ")
	if len(names) > len(shown) {
		what += ", …"
	}
	return []string{fmt.Sprintf("the memories of %s are not copied: %s; each moves by `research-mcp tenant export NAME FILE` here and `research-mcp tenant import NAME FILE` there", text.Count(len(names), "tenant"), what)}
}

// Move copies everything to the memory at to, with vectors, and compares. What is there
// already is not changed, so that a Move that was interrupted is continued by another. The
// source stays as it is. progress gets how many of the source's documents were read.
func (a *App) Move(ctx context.Context, to string, progress func(done, total int)) (r MoveReport, err error) {
	r.Examples = []string{}
	cfg, err := a.Target(to)
	if err != nil {
		return r, err
	}
	from, err := memory.Require[memory.Exporter](a.memory)
	if err != nil {
		return r, err
	}
	target, err := openMemory(ctx, a.models.BuiltIn().Ranks().Model(), cfg, a.options)
	if err != nil {
		return r, ofTarget(err)
	}
	defer func() { err = errors.Join(err, target.Close()) }()
	if isSame(ctx, a.memory, target) {
		return r, thereAlready()
	}
	into, err := memory.Require[memory.Exporter](target)
	if err != nil {
		return r, err
	}
	stats, err := a.memory.Stats(ctx)
	if err != nil {
		return r, err
	}
	if there, err := target.Stats(ctx); err == nil {
		r.To = there.Path
	}
	records := &recordSet{all: map[[sha256.Size]byte]string{}, keep: true, progress: func(n int) { progress(min(n, stats.Documents), stats.Documents) }}
	if r.Moved, err = pipe(ctx, from, into, records); err != nil {
		return r, err
	}
	there := &recordSet{all: records.all}
	if _, err := into.Export(ctx, there, memory.ExportOptions{}); err != nil {
		return r, err
	}
	r.Moved.Warnings = append(r.Moved.Warnings, a.leftBehind(ctx)...)
	r.Verified, r.Missing = there.found, len(records.all)
	for _, name := range records.all {
		if len(r.Examples) < 5 {
			r.Examples = append(r.Examples, name)
		}
	}
	return r, errors.Join(records.err, there.err)
}

// pipe exports into an import.
func pipe(ctx context.Context, from, into memory.Exporter, records io.Writer) (moved memory.Moved, err error) {
	r, w := io.Pipe()
	g, both := errgroup.WithContext(ctx)
	g.Go(func() error {
		buffered := bufio.NewWriterSize(w, 1<<16)
		exported, err := from.Export(both, io.MultiWriter(buffered, records), memory.ExportOptions{Vectors: true})
		if err == nil {
			err = buffered.Flush()
		}
		if err == nil && exported.Failed > 0 {
			err = &evidence.Problem{What: fmt.Sprintf("%s of the memory cannot be read: %s", text.Count(exported.Failed, "record"), strings.Join(exported.Warnings, "; ")),
				Try: "`research-mcp memory check` says what is damaged; `memory export` and `memory import` move the rest"}
		}
		return errors.Join(err, w.CloseWithError(err))
	})
	g.Go(func() error {
		var err error
		moved, err = into.Import(both, r, memory.ImportOptions{Strict: true})
		return errors.Join(err, r.CloseWithError(err))
	})
	if err := g.Wait(); err != nil {
		return moved, errors.Join(ctx.Err(), err)
	}
	return moved, ctx.Err()
}

// recordSet reads the lines of an export. It keeps a hash of each document and session,
// without vectors, or takes those out that it finds.
type recordSet struct {
	all      map[[sha256.Size]byte]string // to what the record is
	keep     bool
	progress func(documents int)

	line      []byte
	documents int
	found     int
	err       error
}

func (s *recordSet) Write(b []byte) (int, error) {
	for rest := b; len(rest) > 0; {
		end := bytes.IndexByte(rest, '\n')
		if end < 0 {
			s.line = append(s.line, rest...)
			break
		}
		s.line = append(s.line, rest[:end]...)
		if err := s.take(s.line); err != nil && s.err == nil {
			s.err = err
		}
		s.line, rest = s.line[:0], rest[end+1:]
	}
	return len(b), s.err
}

func (s *recordSet) take(line []byte) error {
	var record map[string]map[string]json.RawMessage
	if err := json.Unmarshal(line, &record); err != nil {
		return fmt.Errorf("reading a line of the export: %w", err)
	}
	name := ""
	for _, kind := range []string{"document", "session"} {
		if fields := record[kind]; fields != nil {
			delete(fields, "vectors") // each backend has a precision of its own
			name = kind + " " + strings.Trim(string(fields["id"]), `"`)
		}
	}
	if name == "" {
		return nil
	}
	plain, err := json.Marshal(record)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(plain)
	if s.keep {
		s.all[sum] = name
	} else if _, ok := s.all[sum]; ok {
		delete(s.all, sum)
		s.found++
	}
	if record["document"] != nil && s.progress != nil {
		s.documents++
		s.progress(s.documents)
	}
	return nil
}
