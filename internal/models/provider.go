package models

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/models/pace"
)

// Provider supplies models, for instance those of one server. Its methods are
// safe for concurrent use.
type Provider interface {
	// Name is the provider's name in settings, messages and the names of models.
	Name() string
	// Offer returns the models that can be used now. A provider that has to ask a
	// server waits only as long as the server is likely to need, and less when ctx
	// ends first.
	Offer(ctx context.Context) Offer
	// Status describes the provider and its models for a person.
	Status(ctx context.Context) []Status
	// Close ends background work and waits for it. Models of a closed provider fail.
	Close() error
}

// Offer is the models that a provider can supply; nil where it has none.
type Offer struct {
	Embedder    Embedder
	Reranker    Reranker
	Synthesizer Synthesizer
	Planner     Planner
	Summarizer  Summarizer
	Divider     Divider
	// Problems says what the user asked for and cannot have, or has to do to get
	// the models that are missing.
	Problems []*evidence.Problem
}

// States of a Status.
const (
	StateOK   = "ok"
	StateWarn = "warn" // it works without what is missing
	StateOff  = "off"
)

// Status is the state of a provider or of one of its models.
type Status struct {
	Name  string
	State string // StateOK, StateWarn or StateOff
	What  string
	Try   string // what to do about it; may be empty
}

// Env is what a provider is built with besides the settings.
type Env struct {
	Log    *slog.Logger // nil: nothing is logged
	Hooks  Hooks        // nil: none
	Speeds *pace.Book   // measured speeds of models; nil: they are measured anew
}

// Hooks record what passes between a provider and its server, or replay it, and
// replace what otherwise depends on the speed of this machine. A provider may
// define further hooks that it finds by a type assertion. Methods are safe for
// concurrent use.
type Hooks interface {
	// Transport returns the transport to use in place of wire.
	Transport(wire http.RoundTripper) http.RoundTripper
	// Readable returns how many tokens of a prompt are assumed to be readable in the
	// time left; the provider's own estimate is tokens.
	Readable(tokens int) int
	// Fence returns the word that delimits foreign text in a prompt.
	Fence() string
	// Planner returns the planner to use in place of p.
	Planner(p Planner) Planner
	// Divider returns the divider to use in place of d.
	Divider(d Divider) Divider
}
