package sdkclient

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// claimedRun returns the id of the only run that the servers on a data folder work on.
func claimedRun(t *testing.T, data string) string {
	t.Helper()
	deadline := time.Now().Add(patience)
	for time.Now().Before(deadline) {
		files, _ := filepath.Glob(filepath.Join(data, "memory.db-claims", "*.json"))
		var run struct{ ID string }
		if len(files) == 1 {
			if raw, err := os.ReadFile(files[0]); err == nil && json.Unmarshal(raw, &run) == nil {
				return run.ID
			}
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatal("no run is claimed in the data folder")
	return ""
}

// noClaims waits until no file of a claim is left.
func noClaims(t *testing.T, data string) {
	t.Helper()
	var files []string
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if files, _ = filepath.Glob(filepath.Join(data, "memory.db-claims", "*")); len(files) == 0 {
			return
		}
	}
	t.Errorf("left of the claims: %q", files)
}

// servers are two on one data folder, each with a client.
type servers struct {
	source    *source
	data      string
	one, two  *mcp.ClientSession
	killFirst func()
}

func twoServers(t *testing.T, over, era string, release <-chan struct{}) servers {
	t.Helper()
	s := servers{source: newSource(t, release), data: t.TempDir()}
	if over == "http" {
		first := s.source.serve(t, s.data)
		s.one, s.killFirst = connectHTTP(t, first.url, era, io.Discard, nil), first.kill
		s.two = connectHTTP(t, s.source.serve(t, s.data).url, era, io.Discard, nil)
		return s
	}
	one, process := s.source.connectIn(t, s.data, era, io.Discard)
	s.one, s.killFirst = one, func() {
		_ = process.Kill() // the SDK waits for it
	}
	s.two, _ = s.source.connectIn(t, s.data, era, io.Discard)
	return s
}

func research(ctx context.Context, session *mcp.ClientSession, args map[string]any) (string, error) {
	res, err := session.CallTool(ctx, &mcp.CallToolParams{Name: "research", Arguments: args})
	if err != nil {
		return "", err
	}
	if res.IsError {
		return "", errors.New(textOf(res))
	}
	return textOf(res), nil
}

func eachPair(t *testing.T, test func(t *testing.T, over, era string)) {
	t.Helper()
	for _, over := range []string{"http", "stdio"} {
		for _, era := range eras[:2] {
			t.Run(over+" "+era, func(t *testing.T) {
				t.Parallel()
				test(t, over, era)
			})
		}
	}
}

// A run at work is waited for at another server on the folder, by its id and by the
// question, and nothing is asked a second time.
func TestRunOfAnotherServer(t *testing.T) {
	t.Parallel()
	eachPair(t, func(t *testing.T, over, era string) {
		release := make(chan struct{})
		s := twoServers(t, over, era, release)
		type result struct {
			text string
			err  error
		}
		results := make(chan result, 3)
		ask := func(session *mcp.ClientSession, args map[string]any) {
			text, err := research(t.Context(), session, args)
			results <- result{text, err}
		}
		go ask(s.one, tides)
		receive(t, s.source.begun, "the search")
		id := claimedRun(t, s.data)
		short := map[string]any{"run_id": id, "budget_seconds": 1}
		if text, err := research(t.Context(), s.two, short); err != nil || !strings.Contains(text, id) || strings.Contains(text, "gravity of the moon") {
			t.Errorf("a wait that is too short: %s, %v; want that %s is still worked on", text, err, id)
		}
		go ask(s.two, map[string]any{"run_id": id})
		go ask(s.two, tides)
		close(release)
		for range 3 {
			if r := receive(t, results, "the answer"); r.err != nil || !strings.Contains(r.text, "gravity of the moon") || !strings.Contains(r.text, id) {
				t.Errorf("%s, %v; want the answer of %s", r.text, r.err, id)
			}
		}
		if n := s.source.searches.Load(); n != 1 {
			t.Errorf("the source was asked %d times, want once", n)
		}
		noClaims(t, s.data)
	})
}

// The run of a server that is killed is begun anew at another, under its id.
func TestRunOfAKilledServer(t *testing.T) {
	t.Parallel()
	eachPair(t, func(t *testing.T, over, era string) {
		release := make(chan struct{})
		s := twoServers(t, over, era, release)
		cut := make(chan error, 1)
		go func() {
			_, err := research(t.Context(), s.one, tides)
			cut <- err
		}()
		receive(t, s.source.begun, "the search")
		id := claimedRun(t, s.data)
		s.killFirst()
		if err := receive(t, cut, "the end of the cut call"); err == nil {
			t.Error("a call whose server was killed has a result")
		}
		answered := make(chan string, 1)
		go func() {
			text, err := research(t.Context(), s.two, map[string]any{"run_id": id})
			if err != nil {
				text = err.Error()
			}
			answered <- text
		}()
		receive(t, s.source.begun, "the second search")
		close(release)
		if text := receive(t, answered, "the answer"); !strings.Contains(text, "gravity of the moon") || !strings.Contains(text, id) {
			t.Errorf("picked up at the other: %s; want the answer of %s", text, id)
		}
		noClaims(t, s.data)
	})
}

// Forgetting the words of a question that a killed server left leaves none of them.
func TestForgottenRunOfAKilledServer(t *testing.T) {
	t.Parallel()
	s := twoServers(t, "http", eras[0], nil)
	note := "The heron of the northern lock sleeps on one leg until the second bell rings at noon."
	res, err := s.two.CallTool(t.Context(), &mcp.CallToolParams{Name: "remember", Arguments: map[string]any{"text": note}})
	if err != nil || res.IsError {
		t.Fatalf("remember: %v, %+v", err, res)
	}
	go func() { // it is cut off
		_, _ = research(t.Context(), s.one, map[string]any{"question": "Is it true? " + note, "sources": []string{"hackernews"}, "depth": "quick"})
	}()
	receive(t, s.source.begun, "the search")
	id := claimedRun(t, s.data)
	s.killFirst()
	doc := regexp.MustCompile(`\bd_[0-9a-z]+\b`).FindString(textOf(res))
	if res, err = s.two.CallTool(t.Context(), &mcp.CallToolParams{Name: "forget", Arguments: map[string]any{"ids": []string{doc}, "confirm": true}}); err != nil || res.IsError {
		t.Fatalf("forget: %v, %s", err, textOf(res))
	}
	if files, _ := filepath.Glob(filepath.Join(s.data, "memory.db-claims", "*.json")); len(files) > 0 {
		t.Errorf("left: %q", files)
	}
	if text, err := research(t.Context(), s.two, map[string]any{"run_id": id}); err == nil || !strings.Contains(err.Error(), "there is no run") {
		t.Errorf("the forgotten run: %s, %v", text, err)
	}
}
