package tools

import (
	"context"
	"slices"
	"strings"
	"time"
)

// unknownPatience is the longest default budget for a client that is not known to wait
// longer: many give up after 60 seconds, and some after 50.
const unknownPatience = 45 * time.Second

// patientClients are the names of clients that wait for minutes. Some add words to them:
// codex-mcp-client, Visual Studio Code - Insiders.
var patientClients = []string{"claude-code", "visual studio code", "vscode", "codex", "gemini-cli", "opencode"}

type clientKey struct{}

// WithClient returns a context for the calls of the client of that name.
func WithClient(ctx context.Context, name string) context.Context {
	return context.WithValue(ctx, clientKey{}, name)
}

// ClientOf returns the name of the client whose call ctx is of, as it names itself; empty:
// there is none.
func ClientOf(ctx context.Context) string {
	name, _ := ctx.Value(clientKey{}).(string)
	return name
}

// defaultBudget is the budget of a call that names none: the setting, as far as the
// client waits for it. 0 is the setting.
func (d Deps) defaultBudget(ctx context.Context) time.Duration {
	name, known := ctx.Value(clientKey{}).(string)
	if !known || d.Budget <= unknownPatience {
		return 0
	}
	if isPatient(name) {
		return 0
	}
	return unknownPatience
}

// isPatient reports whether a client has one of the names, as the whole of its own or as its
// first words.
func isPatient(name string) bool {
	name = strings.ToLower(strings.TrimSpace(name))
	return slices.ContainsFunc(patientClients, func(patient string) bool {
		rest, ok := strings.CutPrefix(name, patient)
		return ok && (rest == "" || strings.ContainsRune(" -_/", rune(rest[0])))
	})
}
