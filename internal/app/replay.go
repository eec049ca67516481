package app

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/research-mcp/research-mcp/internal/config"
	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/fetch"
	"github.com/research-mcp/research-mcp/internal/research"
)

// Recording is a file that Record wrote. It answers its question again without a
// network, as often as it is asked.
type Recording struct {
	file string
	har  []byte
	note note
}

// largestRecording is in bytes; one of a deep question is a hundredth of it.
const largestRecording = 512 << 20

// OpenRecording reads a file that Record wrote. Its error is an
// *evidence.Problem.
func OpenRecording(file string) (*Recording, error) {
	bad := func(why string) error {
		return evidence.BadInput(fmt.Sprintf("the recording %s %s", file, why), "name a file that `research-mcp ask --record FILE \"…\"` wrote")
	}
	f, err := os.Open(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, bad("is not there")
	case err != nil:
		return nil, bad(fmt.Sprintf("cannot be read: %v", cause(err)))
	}
	defer f.Close()
	har, err := io.ReadAll(io.LimitReader(f, largestRecording+1))
	if err != nil {
		return nil, bad(fmt.Sprintf("cannot be read: %v", cause(err)))
	}
	if len(har) > largestRecording {
		return nil, bad(fmt.Sprintf("is larger than %d MB", largestRecording>>20))
	}
	replay, err := fetch.NewReplayer(har)
	if err != nil {
		return nil, bad("cannot be used: " + strings.TrimPrefix(err.Error(), "reading the recording: "))
	}
	r := &Recording{file: file, har: har}
	switch err := json.Unmarshal(replay.Note(), &r.note); {
	case len(replay.Note()) == 0:
		return nil, bad("is a HAR file of another program: it does not say what was asked")
	case err != nil, r.note.Format < 1:
		return nil, bad("does not say what was asked in words that this program knows")
	case r.note.Format > noteFormat:
		return nil, bad("was written by a newer research-mcp")
	}
	return r, nil
}

// Question is the recorded one.
func (r *Recording) Question() string { return r.note.Question }

// Replay answers the recorded question, with what over sets in place of what was
// recorded, and with settings over the recorded ones. It dials nothing: what is
// not in the recording is an error in a source's report.
func (r *Recording) Replay(ctx context.Context, o Options, over Request, settings map[string]string, observe func(Event)) (answer evidence.Answer, err error) {
	if err := noSession(over); err != nil {
		return answer, err
	}
	dir, err := os.MkdirTemp("", "research-mcp-replay-")
	if err != nil {
		return answer, fmt.Errorf("making a folder for the question's memory: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	cfg, unknown, err := r.settings(dir, settings)
	if err != nil {
		return answer, err
	}
	played, err := fetch.NewReplayer(r.har)
	if err != nil {
		return answer, fmt.Errorf("reading %s: %w", r.file, err)
	}
	req, other := r.request(over)
	if o.now == nil {
		o.now = time.Now
	}
	// The year is part of how a question is read, and the day of what a model reads.
	o.now = shifted(o.now, r.note.Asked)
	o.stage = &replayStage{replay: played, note: &r.note, same: r.note.Answered && !other && len(settings) == 0,
		found: !slices.ContainsFunc(slices.Collect(maps.Keys(settings)), func(key string) bool { return strings.HasPrefix(key, "ollama.") })}
	a, err := New(ctx, cfg, o)
	if err != nil {
		return answer, err
	}
	answer, err = a.Research(ctx, req, observe)
	if err == nil {
		answer.Warnings = append(answer.Warnings, r.warnings(other, settings, unknown)...)
	}
	return answer, errors.Join(err, a.Close())
}

// warnings say in what a replay differs from its recording.
func (r *Recording) warnings(other bool, settings map[string]string, unknown []string) []string {
	out := slices.Clone(r.note.Warnings)
	if other {
		out = append(out, fmt.Sprintf("this is not what was recorded: %s holds the question %q%s; what was not asked then cannot be answered now", r.file, oneLine(r.note.Question), r.how()))
	}
	if len(settings) > 0 {
		out = append(out, "settings differ from the recorded ones: "+strings.Join(slices.Sorted(maps.Keys(settings)), ", "))
	}
	if len(unknown) > 0 {
		out = append(out, "recorded settings that this version does not have were left out: "+strings.Join(unknown, ", "))
	}
	if !r.note.Answered {
		out = append(out, "the recorded question was broken off: not everything that it needs is in "+r.file)
	}
	return out
}

// how is how the recorded question was asked, in words.
func (r *Recording) how() string {
	var out string
	if len(r.note.Sources) > 0 {
		out += " to " + strings.Join(r.note.Sources, ", ")
	}
	if r.note.Depth != "" {
		out += ", depth " + r.note.Depth
	}
	if r.note.Language != "" {
		out += ", language " + r.note.Language
	}
	return out
}

// request is the recorded one under what over sets; other reports whether it
// asks for something else. Another budget is not something else.
func (r *Recording) request(over Request) (req Request, other bool) {
	n := r.note
	req = Request{
		Question: cmp.Or(over.Question, n.Question), Sources: n.Sources, Depth: cmp.Or(over.Depth, n.Depth),
		Budget: cmp.Or(over.Budget, n.Budget), MaxTokens: cmp.Or(over.MaxTokens, n.MaxTokens), Language: cmp.Or(over.Language, n.Language),
	}
	if len(over.Sources) > 0 {
		req.Sources = over.Sources
	}
	language := n.Settings["language"]
	other = req.Question != n.Question || !slices.Equal(req.Sources, n.Sources) ||
		cmp.Or(req.Depth, research.DepthStandard) != cmp.Or(n.Depth, research.DepthStandard) ||
		cmp.Or(req.Language, language) != cmp.Or(n.Language, language)
	return req, other
}

// settings are the recorded ones, whatever this machine's are, under those that
// the caller sets, and the recorded ones that this version does not know. A
// secret has a word in its place, so that its source is asked as it was.
func (r *Recording) settings(dir string, over map[string]string) (*config.Config, []string, error) {
	defaults, err := config.Load(config.Inputs{Sources: SourceDefaults()})
	if err != nil {
		return nil, nil, err
	}
	flags := map[string]string{}
	var unknown []string
	known := func(key string) bool {
		return slices.ContainsFunc(defaults.Settings(), func(s config.Setting) bool { return s.Key == key })
	}
	for _, key := range slices.Sorted(maps.Keys(r.note.Settings)) {
		switch {
		case !isTold(key):
		case known(key):
			flags[key] = r.note.Settings[key]
		default:
			unknown = append(unknown, key)
		}
	}
	for _, key := range r.note.Secrets {
		switch {
		case key == "contact as mail":
			flags["contact"] = "removed@localhost"
		case known(key):
			flags[key] = "REMOVED"
		}
	}
	for key, value := range over {
		flags[key] = value
	}
	flags["data_dir"], flags["sources."+filesSource+".enabled"] = dir, "false"
	cfg, err := config.Load(config.Inputs{Sources: SourceDefaults(), Flags: flags})
	if err != nil {
		return nil, nil, &evidence.Problem{What: fmt.Sprintf("the settings in %s cannot be used: %v", r.file, err), Try: "correct what --set changes, or record the question anew", Usage: true, Cause: err}
	}
	return cfg, unknown, nil
}
