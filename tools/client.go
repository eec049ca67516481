package tools

import (
	"context"
	"strings"
	"time"
)

// unknownPatience is the longest default budget for a client that is not known to wait
// longer: many give up after 60 seconds, and some after 50.
const unknownPatience = 45 * time.Second

// patientClients are parts of the names of clients that wait for minutes.
var patientClients = []string{"claude-code", "visual studio code", "vscode", "codex", "gemini-cli", "opencode"}

type clientKey struct{}

// WithClient returns a context for the calls of the client of that name.
func WithClient(ctx context.Context, name string) context.Context {
	return context.WithValue(ctx, clientKey{}, name)
}

// defaultBudget is the budget of a call that names none: the setting, as far as the
// client waits for it. 0 is the setting.
func (d Deps) defaultBudget(ctx context.Context) time.Duration {
	name, known := ctx.Value(clientKey{}).(string)
	if !known || d.Budget <= unknownPatience {
		return 0
	}
	for _, patient := range patientClients {
		if strings.Contains(strings.ToLower(name), patient) {
			return 0
		}
	}
	return unknownPatience
}
