package recording

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/research-mcp/research-mcp/internal/app"
	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/fetch"
	"github.com/research-mcp/research-mcp/internal/limit"
	"github.com/research-mcp/research-mcp/internal/research"
)

// Recording is a file that Record wrote. It answers its question again without a
// network, any number of times.
type Recording struct {
	file     string
	har      []byte
	metadata metadata
}

// Open reads a file that Record wrote. Its error is an *evidence.Problem.
func Open(file string) (*Recording, error) {
	bad := func(why string) error {
		return evidence.BadInput(fmt.Sprintf("the recording %s %s", file, why), "name a file that `research-mcp ask --record FILE \"…\"` wrote")
	}
	f, err := os.Open(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, bad("does not exist")
	case err != nil:
		return nil, bad(fmt.Sprintf("cannot be read: %v", withoutPath(err)))
	}
	defer f.Close()
	har, err := io.ReadAll(io.LimitReader(f, fetch.MaxRecording+1))
	if err != nil {
		return nil, bad(fmt.Sprintf("cannot be read: %v", withoutPath(err)))
	}
	replay, err := fetch.NewReplayer(har)
	if err != nil {
		return nil, bad(fmt.Sprintf("cannot be used: %v", err))
	}
	r := &Recording{file: file, har: har}
	switch err := json.Unmarshal(replay.Note(), &r.metadata); {
	case len(replay.Note()) == 0:
		return nil, bad("is a HAR file of another program: it does not say what was asked")
	case err != nil, r.metadata.Format < 1:
		return nil, bad("does not say what was asked in a form that this program knows")
	case r.metadata.Format > metadataFormat:
		return nil, bad("was written by a newer research-mcp")
	}
	return r, nil
}

// Question is the recorded one.
func (r *Recording) Question() string { return r.metadata.Question }

// Replay answers the recorded question. Fields of override that are set replace
// the recorded ones, and settings replace recorded settings. It makes no
// connections: a request that is not in the recording is an error in its source's
// report.
func (r *Recording) Replay(ctx context.Context, o app.Options, override research.Request, settings map[string]string, observe func(research.Event)) (answer evidence.Answer, err error) {
	if err := refuseSession(override); err != nil {
		return answer, err
	}
	dir, err := os.MkdirTemp("", "research-mcp-replay-")
	if err != nil {
		return answer, fmt.Errorf("creating a folder for the temporary memory: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	cfg, unknown, err := r.config(dir, settings)
	if err != nil {
		return answer, err
	}
	replay, err := fetch.NewReplayer(r.har)
	if err != nil {
		return answer, fmt.Errorf("reading %s: %w", r.file, err)
	}
	req, different := r.request(override)
	if o.Now == nil {
		o.Now = time.Now
	}
	// How a question is read depends on the year, and what a model reads on the day.
	o.Now = shifted(o.Now, r.metadata.Asked)
	o.Hooks = &replayHooks{replay: replay, metadata: &r.metadata,
		same: r.metadata.Answered && !different && len(settings) == 0, sameOllama: !changesOllama(settings)}
	a, err := app.New(ctx, cfg, o)
	if err != nil {
		return answer, err
	}
	answer, err = a.Engine().Research(limit.WithoutClock(ctx), req, observe)
	if err == nil {
		answer.Warnings = append(answer.Warnings, r.warnings(different, settings, unknown)...)
	}
	return answer, errors.Join(err, a.Close())
}

func changesOllama(settings map[string]string) bool {
	for key := range settings {
		if strings.HasPrefix(key, "ollama.") {
			return true
		}
	}
	return false
}

// request is the recorded one with the fields that override sets. different
// reports whether it asks for something else; another budget does not.
func (r *Recording) request(override research.Request) (req research.Request, different bool) {
	m := r.metadata
	req = research.Request{
		Question: cmp.Or(override.Question, m.Question), Sources: m.Sources, Depth: cmp.Or(override.Depth, m.Depth),
		Budget: cmp.Or(override.Budget, m.Budget), MaxTokens: cmp.Or(override.MaxTokens, m.MaxTokens), Language: cmp.Or(override.Language, m.Language),
	}
	if len(override.Sources) > 0 {
		req.Sources = override.Sources
	}
	language := m.Settings["language"]
	different = req.Question != m.Question || !slices.Equal(req.Sources, m.Sources) ||
		cmp.Or(req.Depth, research.DepthStandard) != cmp.Or(m.Depth, research.DepthStandard) ||
		cmp.Or(req.Language, language) != cmp.Or(m.Language, language)
	return req, different
}

// shifted is a clock that shows at when now shows the present.
func shifted(now func() time.Time, at time.Time) func() time.Time {
	begun := now()
	return func() time.Time { return at.Add(now().Sub(begun)) }
}
