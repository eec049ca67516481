package main

import (
	"fmt"
	"net/url"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/research-mcp/research-mcp/internal/bridge"
	"github.com/research-mcp/research-mcp/internal/clients"
	"github.com/research-mcp/research-mcp/internal/evidence"
)

// remoteFlags say that a client uses a server over HTTP.
type remoteFlags struct {
	url, tokenFile, caFile string
	native, nativeGiven    bool
}

func (f *remoteFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.url, "url", "", "use the server at this URL instead of starting one")
	cmd.Flags().StringVar(&f.tokenFile, "token-file", "", "with --url: file that holds the bearer token")
	cmd.Flags().StringVar(&f.caFile, "ca-file", "", "with --url: certificates to trust beside the system's, in PEM format")
	cmd.Flags().BoolVar(&f.native, "native", false, "with --url: the client speaks HTTP itself, also where it needs the token in "+clients.TokenVariable+"; --native=false: never")
}

// remoteServer is a server over HTTP, in the two ways in which a client may have it.
type remoteServer struct {
	flags          *remoteFlags
	url            *url.URL
	direct, bridge clients.Server // by the client itself, and by the command connect
}

// server returns the server that the flags name, or nil if there is none.
func (f *remoteFlags) server(c *console, own clients.Server) (*remoteServer, error) {
	if f.url == "" {
		if f.tokenFile != "" || f.caFile != "" || f.nativeGiven {
			return nil, evidence.BadInput("--token-file, --ca-file and --native belong to a server over HTTP", "give its address with --url")
		}
		return nil, nil
	}
	if c.configFile != "" || c.dataDir != "" || len(c.set) > 0 {
		return nil, evidence.BadInput("--config, --data-dir and --set do not reach a server over HTTP", "set them where that server runs")
	}
	u, err := bridge.ParseURL(f.url)
	if err != nil {
		return nil, err
	}
	if f.tokenFile != "" {
		if _, err := bridge.TokenFile(f.tokenFile)(); err != nil {
			return nil, err
		}
	}
	if _, err := bridge.NewClient(f.caFile); err != nil {
		return nil, err
	}
	out := &remoteServer{flags: f, url: u, direct: clients.Server{URL: u.String()}, bridge: own}
	out.bridge.Args = []string{"connect", u.String()}
	for _, file := range []struct {
		flag, name string
		direct     *string
	}{{"--token-file", f.tokenFile, &out.direct.TokenFile}, {"--ca-file", f.caFile, nil}} {
		if file.name == "" {
			continue
		}
		full, err := filepath.Abs(file.name) // clients start it in other folders
		if err != nil {
			return nil, err
		}
		out.bridge.Args = append(out.bridge.Args, file.flag+"="+full)
		if file.direct != nil {
			*file.direct = full
		}
	}
	return out, nil
}

// of returns the server as a client shall have it: by itself if that needs no token;
// otherwise by the command connect, which reads the token from its file for each request,
// needs no variable to be set, and fails alone: opencode does not start at all if a file
// that its configuration names is missing.
func (r *remoteServer) of(client clients.Client) (clients.Server, error) {
	why, try := r.hindrance(client)
	switch {
	case r.flags.nativeGiven && !r.flags.native:
		return r.bridge, nil
	case r.flags.native && why != "":
		return clients.Server{}, evidence.BadInput(why, try)
	case r.flags.native, why == "" && r.direct.TokenFile == "":
		return r.direct, nil
	}
	return r.bridge, nil
}

// hindrance says why a client cannot reach the server by itself, and what to do; "": it can.
func (r *remoteServer) hindrance(client clients.Client) (why, try string) {
	const leave = "leave --native out: the client then starts `research-mcp connect`, which "
	switch {
	case !client.SpeaksHTTP():
		return client.Title + " does not reach servers over HTTP by its configuration", leave + "does it"
	case r.flags.caFile != "":
		return "a client's configuration names no certificates: --ca-file is for `research-mcp connect`", leave + "trusts them; or add them to those of the system, and leave --ca-file out"
	case r.direct.TokenFile != "" && client.Holds(r.direct.TokenFile) == clients.InPlain:
		return client.Title + " would have the token in plain in its configuration", leave + "reads it from its file"
	}
	return "", ""
}

// notes are what a user has to know of a server that a client reaches by itself.
func (r *remoteServer) notes(client clients.Client, server clients.Server) []string {
	var out []string
	if r.direct.TokenFile != "" && inClear(r.url) {
		out = append(out, clearToken(r.url))
	}
	if server.TokenFile == "" {
		return out
	}
	switch client.Holds(server.TokenFile) {
	case clients.ByVariable:
		out = append(out, fmt.Sprintf("set %s to the token in %s where %s starts: its configuration names the variable", clients.TokenVariable, server.TokenFile, client.Title))
	case clients.ByFile:
		out = append(out, fmt.Sprintf("keep %s: %s reads it, and does not start without it", server.TokenFile, client.Title))
	}
	return out
}
