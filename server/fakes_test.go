package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/library"
	"github.com/research-mcp/research-mcp/internal/research"
	"github.com/research-mcp/research-mcp/tools"
)

// world implements what the tools need; a nil function answers at once.
type world struct {
	research func(ctx context.Context, r research.Request, observe func(research.Event)) (evidence.Answer, error)
	read     func(ctx context.Context)
	sources  []string
	forget   func(library.ForgetRequest) (library.ForgetResult, error)
}

func (w world) Ask(ctx context.Context, r research.Request, observe func(research.Event)) (evidence.Answer, error) {
	if w.research == nil {
		return answerTo(r, observe), nil
	}
	return w.research(ctx, r, observe)
}

func (w world) Read(ctx context.Context, r research.ReadRequest, _ func(research.Event)) (research.ReadResult, error) {
	if w.read != nil {
		w.read(ctx)
	}
	if err := r.Check(); err != nil {
		return research.ReadResult{}, err
	}
	return research.ReadResult{Documents: []evidence.Document{{ID: "d_1", Source: "wikipedia", Title: "Go", Text: "About " + r.Query, Untrusted: true}},
		Sources: []evidence.SourceReport{}, Warnings: []string{}}, nil
}

func (w world) Recall(context.Context, library.RecallRequest) (library.RecallResult, error) {
	return library.RecallResult{Hits: []library.RecallHit{}, Index: evidence.IndexReady, Warnings: []string{}}, nil
}

func (w world) Remember(context.Context, library.RememberRequest) (library.RememberResult, error) {
	return library.RememberResult{}, errors.New("not used")
}

func (w world) Forget(_ context.Context, r library.ForgetRequest) (library.ForgetResult, error) {
	if w.forget != nil {
		return w.forget(r)
	}
	return library.ForgetResult{}, errors.New("not used")
}

func (w world) Run(_ context.Context, id string) (evidence.Answer, error) {
	if id != "r_1" {
		return evidence.Answer{}, errors.New("secret path")
	}
	return evidence.Answer{RunID: id, Session: "s_1", Status: evidence.Answered, Answer: "It is so."}, nil
}

func (w world) Document(_ context.Context, id string) (evidence.Document, error) {
	if id != "d_1" {
		return evidence.Document{}, evidence.BadInput(fmt.Sprintf("there is no document %q", id), "recall finds ids")
	}
	return evidence.Document{ID: id, Source: "wikipedia", Title: "Go", Text: "About Go."}, nil
}

func (w world) Runs(context.Context, int) ([]library.RunInfo, error) {
	return []library.RunInfo{{ID: "r_1", Question: "How do goroutines work?"}, {ID: "r_2", Question: "What is Go?"}}, nil
}

func (w world) Documents(context.Context, library.DocumentFilter) ([]evidence.Document, error) {
	return []evidence.Document{{ID: "d_1", Title: "Go"}, {ID: "d_2", Title: "Goroutine"}, {ID: "d_3", Title: "The heron"}}, nil
}

func (w world) Position(context.Context) (string, error) { return "1", nil }

func answerTo(r research.Request, observe func(research.Event)) evidence.Answer {
	report := evidence.SourceReport{Name: "hackernews", Status: evidence.StatusOK, Documents: 4, LatencyMS: 512}
	observe(research.Event{Kind: research.EventPlanned, Total: 1})
	observe(research.Event{Kind: research.EventSource, Source: &report, Done: 1, Total: 1})
	for _, stage := range []string{"rank", "synthesis", "verify"} {
		observe(research.Event{Kind: research.EventStage, Stage: stage})
	}
	observe(research.Event{Kind: research.EventText, Text: "It is so."})
	observe(research.Event{Kind: research.EventDone})
	return evidence.Answer{Question: r.Question, Session: "s_1", RunID: "r_1", Status: evidence.Answered, Answer: "It is so.",
		Sources: []evidence.SourceReport{report}, Analysis: evidence.Analysis{Status: "skipped"}}
}

// reports is the number of progress notifications that answerTo causes.
const reports = 5

func testHandler(w world, log io.Writer) *Handler {
	today := func() time.Time { return time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC) }
	d := tools.Deps{Engine: w, Library: w, Reader: w, Sources: w.sources, Now: today, Zone: time.UTC, Boundary: func() string { return "b0b0b0" },
		AllSources: []tools.SourceInfo{{Name: "wikipedia", About: "articles", Kinds: []string{"general"}}, {Name: "pubmed", About: "medicine", Off: "set sources.pubmed.enabled=true"}}}
	return NewHandler(Options{
		Name: "research-mcp", Title: "Research", Version: "1.2.3", Instructions: "Ask.",
		Tools: tools.All(d), Resources: tools.Resources(d), Prompts: tools.Prompts(d),
		Logger:    slog.New(slog.NewTextHandler(log, nil)),
		SlowLimit: slowLimit,
	})
}

// slowLimit is the number of slow calls that run at once in testHandler.
const slowLimit = 4

func open(t *testing.T, h *Handler) *Session {
	t.Helper()
	s, err := h.Open(t.Context(), "test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close(context.WithoutCancel(t.Context())) })
	return s
}

// exchange accepts a message, runs its request if it is one, and returns what
// was sent to the client.
func exchange(ctx context.Context, s *Session, message string) []string {
	var sent []string
	reply, request := s.Accept(ctx, []byte(message))
	if reply != nil {
		sent = append(sent, string(reply))
	}
	if request != nil {
		request.Run(ctx, func(message []byte) { sent = append(sent, string(message)) })
	}
	return sent
}

// message is any JSON-RPC message of the server's.
type message struct {
	JSONRPC string          `json:"jsonrpc"`
	ID      json.RawMessage `json:"id"`
	Method  string          `json:"method"`
	Error   *struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	} `json:"error"`
	Params struct {
		Token    any     `json:"progressToken"`
		Progress float64 `json:"progress"`
		Total    float64 `json:"total"`
		Message  string  `json:"message"`
	} `json:"params"`
	Result struct {
		IsError    bool            `json:"isError"`
		Structured json.RawMessage `json:"structuredContent"`
		Content    []struct {
			Text string `json:"text"`
		} `json:"content"`
	} `json:"result"`
}

func (m message) text() string {
	var parts []string
	for _, c := range m.Result.Content {
		parts = append(parts, c.Text)
	}
	return strings.Join(parts, "\n")
}

func decode(t *testing.T, line string) message {
	t.Helper()
	var m message
	if err := json.Unmarshal([]byte(line), &m); err != nil || m.JSONRPC != "2.0" {
		t.Fatalf("the server wrote %q: %v", line, err)
	}
	return m
}

func callTool(id int, name, args string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":%q,"arguments":%s,"_meta":{"progressToken":"p%d"}}}`, id, name, args, id)
}

func cancelCall(id string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":%s,"reason":"enough"}}`, id)
}
