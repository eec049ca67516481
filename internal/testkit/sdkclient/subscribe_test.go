package sdkclient

import (
	"context"
	"io"
	"os"
	"os/exec"
	"regexp"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// A client that subscribed is told when what it read is forgotten, by whichever process,
// and when an answer that it waits for is there.
func TestSubscriptions(t *testing.T) {
	t.Parallel()
	for _, over := range []string{"http", "stdio", "connect"} {
		for _, era := range eras[:2] {
			t.Run(over+" "+era, func(t *testing.T) {
				t.Parallel()
				s := newSource(t, released())
				data := t.TempDir()
				server := s.serve(t, data)
				updated := make(chan string, 100)
				var transport mcp.Transport
				switch over {
				case "http":
					transport = &mcp.StreamableClientTransport{Endpoint: server.url}
				case "connect":
					cmd := exec.Command(binary, "connect", server.url)
					cmd.Env = append(os.Environ(), "HOME="+t.TempDir())
					transport = &mcp.CommandTransport{Command: cmd}
				default:
					cmd := exec.Command(binary, "serve", "--data-dir", data, "--set", "ollama.enabled=false", "--set", "sources.hackernews.url="+s.url)
					cmd.Env = append(os.Environ(), "HOME="+t.TempDir())
					transport = &mcp.CommandTransport{Command: cmd}
				}
				client := mcp.NewClient(&mcp.Implementation{Name: "sdkclient", Version: "1"}, &mcp.ClientOptions{
					ResourceUpdatedHandler: func(_ context.Context, r *mcp.ResourceUpdatedNotificationRequest) { updated <- r.Params.URI },
				})
				acknowledged := acknowledgements(client)
				session, err := client.Connect(t.Context(), transport, &mcp.ClientSessionOptions{ProtocolVersion: era})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = session.Close() }) // the server may end first
				other := connectHTTP(t, server.url, era, io.Discard, nil)
				call := func(tool, find string, args map[string]any) string {
					t.Helper()
					res, err := other.CallTool(t.Context(), &mcp.CallToolParams{Name: tool, Arguments: args})
					if err != nil || res.IsError {
						t.Fatalf("%s: %v, %+v", tool, err, res)
					}
					return regexp.MustCompile(find).FindString(textOf(res))
				}
				document := "memory://documents/" + call("remember", `\bd_[0-9a-z]+\b`, map[string]any{"text": "The ferry leaves at noon, " + over + ", " + era + "."})
				run := "research://runs/" + call("research", `\br_[0-9a-z]+\b`, tides)
				for _, uri := range []string{document, run} {
					if err := session.Subscribe(t.Context(), &mcp.SubscribeParams{URI: uri}); err != nil {
						t.Fatalf("subscribing to %s: %v", uri, err)
					}
					if era == eras[0] { // whose Subscribe returns once the request is sent
						receive(t, acknowledged, "the acknowledgement for "+uri)
					}
				}
				call("forget", "", map[string]any{"ids": []string{document[len("memory://documents/"):]}, "confirm": true})
				if got := receive(t, updated, "the update of the document"); got != document {
					t.Errorf("told of %s, want %s", got, document)
				}
				call("forget", "", map[string]any{"source": "hackernews", "confirm": true})
				if got := receive(t, updated, "the update of the answer"); got != run {
					t.Errorf("told of %s, want %s", got, run)
				}
				if err := session.Unsubscribe(t.Context(), &mcp.UnsubscribeParams{URI: run}); err != nil {
					t.Errorf("unsubscribing: %v", err)
				}
			})
		}
	}
}

// acknowledgements returns a channel that gets a value for each subscription that the server
// has acknowledged: the SDK has no handler for them.
func acknowledgements(client *mcp.Client) <-chan struct{} {
	acknowledged := make(chan struct{}, 100)
	client.AddReceivingMiddleware(func(next mcp.MethodHandler) mcp.MethodHandler {
		return func(ctx context.Context, method string, r mcp.Request) (mcp.Result, error) {
			if method == "notifications/subscriptions/acknowledged" {
				acknowledged <- struct{}{}
			}
			return next(ctx, method, r)
		}
	})
	return acknowledged
}
