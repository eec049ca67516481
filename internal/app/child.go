package app

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"time"

	"github.com/research-mcp/research-mcp/internal/config"
	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/extract"
	"github.com/research-mcp/research-mcp/internal/isolate"
	"github.com/research-mcp/research-mcp/internal/research"
)

// taskAnalyse is the name of the analysis as a task.
const taskAnalyse = "analyse"

func childTasks() map[string]isolate.Task {
	return map[string]isolate.Task{
		taskAnalyse: isolate.JSON(func(_ context.Context, in evidence.AnalysisInput) (evidence.Analysis, error) {
			return research.Analyse(in), nil
		}),
		extract.TaskName:         extract.Task,
		extract.TaskNamePDF:      extract.TaskPDF,
		extract.TaskNameDocument: extract.TaskDocument,
	}
}

// Child does the work of an isolated process, if this process is one: then main
// ends with the exit code at once.
func Child() (code int, isChild bool) {
	return isolate.ChildMain(os.Args, childTasks(), os.Stdin, os.Stdout, os.Stderr)
}

// A page that takes longer than pageDeadline is hostile, and extraChildren of them
// delay no other page.
const (
	pageDeadline  = 3 * time.Second
	fileDeadline  = 10 * time.Second // of a PDF or another document, which ends by itself after 5 s
	extraChildren = 4
)

// newPool keeps the processes that read pages and make statistics.
func newPool(cfg *config.Config, log *slog.Logger) (*isolate.Pool, error) {
	return isolate.NewPool(isolate.Options{
		Deadline: cfg.Analysis.Timeout, Extra: extraChildren,
		Deadlines: map[string]time.Duration{extract.TaskName: pageDeadline, extract.TaskNamePDF: fileDeadline, extract.TaskNameDocument: fileDeadline},
		MaxMemory: int64(cfg.Analysis.MemoryMB) << 20, Logger: log,
	})
}

// analyst makes the statistics in a child process: what it does with foreign
// text cannot hurt the server.
type analyst struct{ runner extract.Runner }

func (a analyst) Analyse(ctx context.Context, in evidence.AnalysisInput) evidence.Analysis {
	var out evidence.Analysis
	err := a.runner.Run(ctx, taskAnalyse, in, &out)
	if err == nil {
		return out
	}
	failed := evidence.Analysis{Status: "error", Documents: len(in.Documents), BySource: map[string]int{},
		Keywords: []evidence.TermCount{}, TopDocuments: []evidence.TopDocument{}, Err: err.Error()}
	if errors.Is(err, isolate.ErrTimeout) {
		failed.Status = "timeout"
	}
	return failed
}
