package extract

import (
	"context"

	"github.com/research-mcp/research-mcp/internal/isolate"
)

// TaskName is what Task is registered as.
const TaskName = "extract"

type input struct {
	Raw         []byte `json:"raw"`
	ContentType string `json:"content_type"`
	URL         string `json:"url"`
	Cut         bool   `json:"cut"` // the parent did not send all of it
}

// Task is HTML as a task of package isolate.
func Task(ctx context.Context, in []byte) ([]byte, error) {
	return isolate.JSON(func(ctx context.Context, in input) (Page, error) {
		return read(ctx, in.Raw, in.ContentType, in.URL, in.Cut)
	})(ctx, in)
}

// Runner does tasks in child processes: *isolate.Pool, or *isolate.Runner. Its
// contract is that of isolate.Runner.Run.
type Runner interface {
	Run(ctx context.Context, task string, in, out any) error
}

// Isolated reads pages in child processes, which have to know Task and TaskPDF.
type Isolated struct {
	Runner  Runner
	ReadPDF bool // Page reads PDF too; otherwise it says which setting is off
}

// HTML is the function of that name, under the runner's deadline. What it
// refuses it refuses without starting a process; its other errors are those of
// Runner.Run.
func (i Isolated) HTML(ctx context.Context, raw []byte, contentType, pageURL string) (Page, error) {
	if _, err := kindOf(raw, contentType); err != nil {
		return Page{}, err
	}
	in := input{Raw: raw, ContentType: contentType, URL: pageURL}
	if len(raw) > MaxInput {
		in.Raw, in.Cut = raw[:MaxInput], true
	}
	var page Page
	if err := i.Runner.Run(ctx, TaskName, in, &page); err != nil {
		return Page{}, err
	}
	return page, nil
}
