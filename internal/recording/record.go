// Package recording writes a question's requests and their responses into a HAR
// file, and answers the question again from that file without a network.
package recording

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/research-mcp/research-mcp/internal/app"
	"github.com/research-mcp/research-mcp/internal/config"
	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/fetch"
	"github.com/research-mcp/research-mcp/internal/research"
)

// Recorded is the outcome of Record.
type Recorded struct {
	Answer   evidence.Answer
	Requests int // in the file; -1: it was not written
}

// filesSource reads this machine's disk: it makes no requests, and private files
// do not belong in a recording.
const filesSource = "files"

// Record answers a question as the engine does, in an empty temporary memory,
// and writes every request and response into a new HAR file, without secrets.
// The file is also written when the question fails or is interrupted after the
// first request. A file that cannot be created is an error before the first
// request.
func Record(ctx context.Context, cfg *config.Config, o app.Options, file string, req research.Request, observe func(research.Event)) (out Recorded, err error) {
	out.Requests = -1
	if err := refuseSession(req); err != nil {
		return out, err
	}
	output, err := newOutputFile(file)
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, output.discard()) }()
	dir, err := os.MkdirTemp("", "research-mcp-record-")
	if err != nil {
		return out, fmt.Errorf("creating a folder for the temporary memory: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()

	if o.Now == nil {
		o.Now = time.Now
	}
	own, warnings := withoutDisk(cfg, dir)
	if len(warnings) > 0 && slices.Contains(req.Sources, filesSource) {
		return out, evidence.BadInput("the source files reads this machine's disk, which is not recorded", "name other sources, or none")
	}
	hooks := &recordHooks{recorder: fetch.NewRecorder("research-mcp", app.ProgramVersion, o.Now, secretsOf(cfg)...), metadata: newMetadata(own, req, o.Now())}
	hooks.metadata.Warnings = warnings
	o.Hooks = hooks
	a, err := app.New(ctx, own, o)
	if err != nil {
		return out, err
	}
	out.Answer, err = a.Engine().Research(ctx, req, func(e research.Event) {
		hooks.observe(e)
		if observe != nil {
			observe(e)
		}
	})
	if err == nil {
		out.Answer.Warnings = append(out.Answer.Warnings, hooks.metadata.Warnings...)
	}
	har, n, failed := hooks.har(out.Answer) // before Close, which ends what is under way
	err = errors.Join(err, a.Close(), failed)
	if failed != nil || n == 0 && err != nil { // the name of a question that was refused stays free
		return out, err
	}
	if failed := output.write(har); failed != nil {
		return out, errors.Join(err, failed)
	}
	out.Requests = n
	return out, err
}

// checkSize refuses a recording that could not be read again.
func checkSize(bytes int) error {
	if bytes <= fetch.MaxRecording {
		return nil
	}
	return &evidence.Problem{What: fetch.ErrRecordingTooLarge.Error() + " and was not written", Cause: fetch.ErrRecordingTooLarge,
		Try: "ask fewer sources, or at depth quick"}
}

// har returns the file's content and the number of its requests.
func (h *recordHooks) har(answer evidence.Answer) ([]byte, int, error) {
	h.mu.Lock()
	h.metadata.Answered, h.metadata.Topics = answer.RunID != "", answer.Topics
	text, err := json.Marshal(h.metadata)
	h.mu.Unlock()
	if err != nil {
		return nil, 0, fmt.Errorf("describing the question: %w", err)
	}
	h.recorder.SetNote(text)
	har, err := h.recorder.HAR()
	if err != nil {
		return nil, 0, err
	}
	if err := checkSize(len(har)); err != nil {
		return nil, 0, err
	}
	var count struct {
		Log struct{ Entries []struct{} }
	}
	if err := json.Unmarshal(har, &count); err != nil {
		return nil, 0, fmt.Errorf("reading the recording: %w", err)
	}
	return har, len(count.Log.Entries), nil
}

// refuseSession refuses a question that depends on the user's memory.
func refuseSession(req research.Request) error {
	if req.Session == "" {
		return nil
	}
	return evidence.BadInput("a session cannot be recorded or replayed: such a question is asked in an empty temporary memory, so that the file holds nothing of yours",
		"leave --session out, or leave --record and --replay out")
}

// withoutDisk returns the settings for a recording, and warnings about what
// they leave out.
func withoutDisk(cfg *config.Config, dir string) (own *config.Config, warnings []string) {
	own = cfg.WithLocalMemory(dir)
	own.Models.BuiltIn, own.Models.Reranker = "off", "" // their last bits depend on the processor, and a replay must not
	own.Sources = maps.Clone(cfg.Sources)
	if s := own.Sources[filesSource]; s.Enabled {
		if s.Text("dir") != "" {
			warnings = append(warnings, "the source files was not asked: this machine's disk is not recorded")
		}
		s.Enabled = false
		own.Sources[filesSource] = s
	}
	return own, warnings
}
