package diagnosis

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/research-mcp/research-mcp/internal/bridge"
	"github.com/research-mcp/research-mcp/internal/clients"
	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/text"
	mcphttp "github.com/research-mcp/research-mcp/server/http"
)

// clientChecks starts the server, or reaches it, as each client's configuration says, and
// looks whether it answers. Clients without a configuration are left out. If offline, no
// server on another machine is reached.
func clientChecks(ctx context.Context, s clients.System, offline bool) []Check {
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
				found[i] = clientCheck(ctx, c, s, server, offline)
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

// addressOf is where a client reaches the server over HTTP, by itself or by connect; "" if it
// starts one here.
func addressOf(server clients.Server) string {
	if server.URL == "" && len(server.Args) > 1 && server.Args[0] == "connect" {
		return server.Args[1]
	}
	return server.URL
}

// isElsewhere reports whether the server is reached by a network.
func isElsewhere(server clients.Server) bool {
	u, err := url.Parse(addressOf(server))
	return err == nil && u.Host != "" && !mcphttp.IsLoopback(u.Host)
}

func clientCheck(ctx context.Context, c clients.Client, s clients.System, server clients.Server, offline bool) *Check {
	if server.URL != "" {
		return addressCheck(ctx, c, s, server, offline)
	}
	if offline && isElsewhere(server) {
		return notGreeted(c, s, server)
	}
	name, err := clients.Handshake(ctx, server)
	if at := addressOf(server); err != nil && at != "" {
		return &Check{Name: c.Name, Status: checkFail, What: fmt.Sprintf("%s does not reach the server by %s in %s: %v", c.Title, server.Command, c.File(s), err),
			Try: fmt.Sprintf("`research-mcp doctor --url %s` looks closer; `research-mcp install %s --url URL` corrects the entry", bareAddress(at), c.Name)}
	}
	if err != nil {
		return &Check{Name: c.Name, Status: checkFail, What: fmt.Sprintf("%s cannot start the server: %s in %s: %v", c.Title, server.Command, c.File(s), err),
			Try: fmt.Sprintf("`research-mcp install %s` corrects the command", c.Name)}
	}
	return &Check{Name: c.Name, Status: checkOK, What: fmt.Sprintf("%s starts %s: %s in %s", c.Title, name, server.Command, c.File(s))}
}

// notGreeted is the check of a server on another machine if offline.
func notGreeted(c clients.Client, s clients.System, server clients.Server) *Check {
	return &Check{Name: c.Name, Status: checkOK, What: fmt.Sprintf("on, not greeted: %s in %s", bareAddress(addressOf(server)), c.File(s))}
}

// addressCheck greets the server over HTTP as the client would, after what can be seen
// without a network.
func addressCheck(ctx context.Context, c clients.Client, s clients.System, server clients.Server, offline bool) *Check {
	check := func(status, what, try string) *Check {
		return &Check{Name: c.Name, Status: status, What: what, Try: try}
	}
	again := fmt.Sprintf("`research-mcp install %s --url URL` corrects it", c.Name)
	u, err := url.Parse(server.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return check(checkFail, fmt.Sprintf("%s has an address that is not the URL of a server, in %s", c.Title, c.File(s)), again)
	}
	at := bareAddress(server.URL)
	there := fmt.Sprintf("%s in %s", at, c.File(s))
	if !c.SpeaksHTTP() {
		return check(checkFail, fmt.Sprintf("%s does not reach servers over HTTP by its configuration: %s", c.Title, there), again)
	}
	if len(server.Absent) > 0 {
		return check(checkFail, fmt.Sprintf("%s does not start: it cannot read %s, which %s names", c.Title, strings.Join(server.Absent, ", "), c.File(s)),
			fmt.Sprintf("put the token there, or take the server out with `research-mcp uninstall %s`", c.Name))
	}
	if len(server.Unknown) > 0 {
		return check(checkWarn, fmt.Sprintf("%s was not tried as %s does: the value of %s is not known here", there, c.Title, strings.Join(server.Unknown, ", ")),
			fmt.Sprintf("set it where %s starts, and here for this check", c.Title))
	}
	if offline && isElsewhere(server) {
		return notGreeted(c, s, server)
	}
	client, err := bridge.NewClient("")
	if err != nil {
		return check(checkFail, evidence.AsProblem(err).What, "")
	}
	defer client.CloseIdleConnections()
	r := &remote{url: u, client: client}
	got, err := r.do(ctx, u, olderHello, server.Headers)
	var who struct {
		Server struct{ Name, Version string } `json:"serverInfo"`
	}
	closer := fmt.Sprintf("`research-mcp doctor --url %s` looks closer", at)
	switch {
	case err != nil:
		return check(checkFail, fmt.Sprintf("%s does not reach the server: %s: %v", c.Title, there, bareError(err)), "see whether the server runs; "+closer)
	case got.status == http.StatusUnauthorized && len(server.Headers) == 0:
		return check(checkFail, fmt.Sprintf("%s asks for a token, which %s does not send", there, c.Title),
			fmt.Sprintf("`research-mcp install %s --url URL --token-file FILE` gives it one, unless the client signs in itself", c.Name))
	case got.status == http.StatusUnauthorized:
		return check(checkFail, fmt.Sprintf("%s does not take the token that %s sends", there, c.Title), "`research-mcp token list` where it runs says whether it was revoked or has expired")
	}
	if why := resultOf(got, nil, &who); why != "" {
		return check(checkFail, fmt.Sprintf("%s does not reach the server: %s: %s", c.Title, there, why), closer)
	}
	return check(checkOK, text.Squash(fmt.Sprintf("%s reaches %s %s: %s", c.Title, who.Server.Name, who.Server.Version, there)), "")
}

// bareAddress is a URL without what may be secret in it.
func bareAddress(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "URL"
	}
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	return u.String()
}
