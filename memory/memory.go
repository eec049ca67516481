// Package memory keeps what was read and finds it again. It names the contract
// that every backend fulfils, and opens one.
package memory

import (
	"context"
	"fmt"
	"sort"
	"strings"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/contract"
)

// The contract, under the names that callers use.
type (
	Config        = contract.Config
	Retention     = contract.Retention
	Memory        = contract.Memory
	Store         = contract.Store
	Sessions      = contract.Sessions
	Keeper        = contract.Keeper
	Mover         = contract.Mover
	EmbedFunc     = contract.EmbedFunc
	Selector      = contract.Selector
	Stats         = contract.Stats
	ModelStats    = contract.ModelStats
	Progress      = contract.Progress
	CheckReport   = contract.CheckReport
	GoneReport    = contract.GoneReport
	BackupReport  = contract.BackupReport
	ExportOptions = contract.ExportOptions
	Moved         = contract.Moved
)

// Keys of evidence.Document.Meta that the memory understands; see contract.
const (
	MetaSession = contract.MetaSession
	MetaKind    = contract.MetaKind
	MetaSeq     = contract.MetaSeq
	MetaPinned  = contract.MetaPinned
	KindTurn    = contract.KindTurn
)

// Limits of every memory; see contract.
const (
	DefaultMaxText = contract.DefaultMaxText
	DefaultK       = contract.DefaultK
	MaxK           = contract.MaxK
	ConfirmAbove   = contract.ConfirmAbove
)

// Open opens the memory that cfg names. The caller closes it.
func Open(ctx context.Context, cfg Config) (Memory, error) {
	if cfg.Backend == "" {
		cfg.Backend = "local"
	}
	for _, b := range backends() {
		if b.name == cfg.Backend {
			return b.open(ctx, cfg)
		}
	}
	return nil, evidence.BadInput(fmt.Sprintf("there is no memory backend %q", cfg.Backend),
		"use one of: "+strings.Join(Backends(), ", "))
}

// Backends are the names that Config.Backend may have, sorted.
func Backends() []string {
	names := []string{}
	for _, b := range backends() {
		names = append(names, b.name)
	}
	sort.Strings(names)
	return names
}
