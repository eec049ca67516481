package diagnosis

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/research-mcp/research-mcp/internal/clients"
	"github.com/research-mcp/research-mcp/internal/evidence"
)

// clientChecks starts the server as each client's configuration says, and looks whether it
// answers. Clients without a configuration are left out.
func clientChecks(ctx context.Context, s clients.System) []Check {
	all := clients.All()
	found := make([]*Check, len(all))
	var group errgroup.Group
	for i, c := range all {
		server, ours, exists, err := clients.Configured(c, s)
		switch {
		case err != nil:
			p := evidence.AsProblem(err)
			found[i] = &Check{Name: c.Name, Status: checkWarn, What: p.What, Try: p.Try}
		case exists && !ours:
			found[i] = &Check{Name: c.Name, Status: checkOff, What: fmt.Sprintf("%s, %s, does not have the server", c.Title, c.File(s)),
				Try: fmt.Sprintf("`research-mcp install %s` adds it", c.Name)}
		case ours:
			group.Go(func() error {
				found[i] = clientCheck(ctx, c, s, server)
				return nil // a server that does not start is a check's result
			})
		}
	}
	_ = group.Wait()
	var out []Check
	for _, check := range found {
		if check != nil {
			out = append(out, *check)
		}
	}
	if len(out) == 0 {
		out = append(out, Check{Name: "clients", Status: checkOff, What: "no AI client has a configuration here",
			Try: "`research-mcp install CLIENT` adds the server to one; `research-mcp install --help` lists them"})
	}
	return out
}

func clientCheck(ctx context.Context, c clients.Client, s clients.System, server clients.Server) *Check {
	name, err := clients.Handshake(ctx, server)
	if err != nil {
		return &Check{Name: c.Name, Status: checkFail, What: fmt.Sprintf("%s cannot start the server: %s in %s: %v", c.Title, server.Command, c.File(s), err),
			Try: fmt.Sprintf("`research-mcp install %s` corrects the command", c.Name)}
	}
	return &Check{Name: c.Name, Status: checkOK, What: fmt.Sprintf("%s starts %s: %s in %s", c.Title, name, server.Command, c.File(s))}
}
