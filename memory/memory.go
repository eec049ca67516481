// Package memory stores what was read and finds it again. It opens a backend by
// name, and gives the types of package contract, which every backend implements,
// the names that callers use.
package memory

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/research-mcp/research-mcp/memory/contract"
)

// The required ring of the contract.
type (
	Config     = contract.Config
	Shared     = contract.Shared
	Retention  = contract.Retention
	Memory     = contract.Memory
	Store      = contract.Store
	Sessions   = contract.Sessions
	ChangeFeed = contract.ChangeFeed
	Selector   = contract.Selector
	Stats      = contract.Stats
	Position   = contract.Position
	Changes    = contract.Changes
	Change     = contract.Change
)

// The optional ring, to be asked for with Require.
type (
	Backuper      = contract.Backuper
	Checker       = contract.Checker
	Exporter      = contract.Exporter
	Placed        = contract.Placed
	Sealing       = contract.Sealing
	Seal          = contract.Seal
	Lister        = contract.Lister
	ErasureProver = contract.ErasureProver
	Reindexer     = contract.Reindexer
	Retainer      = contract.Retainer
	RunClaimer    = contract.RunClaimer
	VectorFiller  = contract.VectorFiller
	Tenanted      = contract.Tenanted
	Bus           = contract.Bus
	Box           = contract.Box

	EmbedFunc     = contract.EmbedFunc
	ModelStats    = contract.ModelStats
	Progress      = contract.Progress
	CheckReport   = contract.CheckReport
	CellsReport   = contract.CellsReport
	ErasureReport = contract.ErasureReport
	BackupReport  = contract.BackupReport
	RepairReport  = contract.RepairReport
	ExportOptions = contract.ExportOptions
	ImportOptions = contract.ImportOptions

	DocumentFilter = contract.DocumentFilter
	RunInfo        = contract.RunInfo
	ClaimedRun     = contract.ClaimedRun
	Moved          = contract.Moved
)

// Limits of every memory; see package contract.
const (
	DefaultMaxText = contract.DefaultMaxText
	DefaultK       = contract.DefaultK
	MaxK           = contract.MaxK
	ConfirmAbove   = contract.ConfirmAbove
	ConfirmTurns   = contract.ConfirmTurns
)

// Open opens the memory that cfg describes. The caller closes it. A backend name
// that is not registered, and a setting that the backend does not support, is an
// *evidence.Problem.
func Open(ctx context.Context, cfg Config) (Memory, error) {
	for _, b := range backends() {
		if b.name != cfg.Backend {
			continue
		}
		m, err := b.open(ctx, cfg)
		if err != nil {
			return nil, err
		}
		return checked(m, cfg)
	}
	return nil, contract.Unsupported(fmt.Sprintf("there is no memory backend %q", cfg.Backend),
		"set memory.backend to one of: "+strings.Join(Backends(), ", "))
}

// HasBus reports whether a backend joins processes that share no folder.
func HasBus(name string) bool {
	return slices.ContainsFunc(joiners(), func(j joiner) bool { return j.name == name })
}

// OpenBus opens what joins the processes of the memories at cfg.URL. The caller closes it.
func OpenBus(ctx context.Context, cfg Config) (Bus, error) {
	for _, j := range joiners() {
		if j.name == cfg.Backend {
			return j.open(ctx, cfg)
		}
	}
	return nil, contract.Unsupported(fmt.Sprintf("the memory backend %q does not join processes", cfg.Backend), "let servers share a data folder")
}

// Rescue exports what can be read of a memory that Open refuses because it is
// damaged, and changes nothing.
func Rescue(ctx context.Context, cfg Config, w io.Writer, opts ExportOptions) (Moved, error) {
	for _, b := range rescuers() {
		if b.name == cfg.Backend {
			return b.rescue(ctx, cfg, w, opts)
		}
	}
	return Moved{}, contract.Unsupported(fmt.Sprintf("the memory backend %q cannot be read when it is damaged", cfg.Backend), "restore one of its backups")
}

// Repair replaces a damaged memory by one of everything that can be read of it,
// and keeps the damaged one.
func Repair(ctx context.Context, cfg Config) (RepairReport, error) {
	for _, b := range rescuers() {
		if b.name == cfg.Backend {
			return b.repair(ctx, cfg)
		}
	}
	return RepairReport{}, contract.Unsupported(fmt.Sprintf("the memory backend %q cannot be repaired", cfg.Backend), "restore one of its backups")
}

// checked closes and refuses a memory that would ignore its tenant or its retention.
func checked(m Memory, cfg Config) (Memory, error) {
	if _, ok := m.(Tenanted); cfg.Tenant != "" && !ok {
		_ = m.Close() // nothing was written
		return nil, contract.Unsupported(fmt.Sprintf("the memory backend %q has no tenants, and %q is one", cfg.Backend, cfg.Tenant), "give each tenant a folder of its own")
	}
	if cfg.Keep.IsZero() {
		return m, nil
	}
	if _, err := Require[Retainer](m); err != nil {
		_ = m.Close() // nothing was written
		return nil, contract.Unsupported(fmt.Sprintf("the memory backend %q cannot remove old documents", cfg.Backend),
			"set memory.max_age_days and memory.max_text_mb to 0, or memory.backend to one that can")
	}
	return m, nil
}

// ErrUnsupported is the cause of a Problem that lies in the choice of the backend;
// see contract.
var ErrUnsupported = contract.ErrUnsupported

// ErrCutShort is the cause of a Problem about an export of which something is missing.
var ErrCutShort = contract.ErrCutShort

// ErrDamaged is the cause of a Problem about stored data that are damaged.
var ErrDamaged = contract.ErrDamaged

// Require returns m as an optional interface, or an *evidence.Problem if its
// backend does not declare it.
func Require[T any](m Memory) (T, error) { return contract.Require[T](m) }

// Backends returns the registered names, sorted.
func Backends() []string {
	names := []string{}
	for _, b := range backends() {
		names = append(names, b.name)
	}
	return names
}
