package extract

import (
	"context"
	"errors"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/isolate"
)

// TaskName is the name under which Task is registered.
const TaskName = "extract"

type input struct {
	Raw         []byte `json:"raw"`
	ContentType string `json:"content_type"`
	URL         string `json:"url"`
	Cut         bool   `json:"cut"` // Raw is only the beginning of the page
}

// output holds the page or a Problem, since an error of a task crosses the process
// boundary only as text.
type output struct {
	Page    Page              `json:"page"`
	Problem *evidence.Problem `json:"problem,omitempty"`
}

// Task is HTML as a task of package isolate.
func Task(ctx context.Context, in []byte) ([]byte, error) {
	return isolate.JSON(func(ctx context.Context, in input) (output, error) {
		page, err := read(ctx, in.Raw, in.ContentType, in.URL, in.Cut)
		var p *evidence.Problem
		if errors.As(err, &p) {
			return output{Problem: p}, nil
		}
		return output{Page: page}, err
	})(ctx, in)
}

// Runner runs tasks in child processes, with the contract of isolate.Pool.Run.
type Runner interface {
	Run(ctx context.Context, task string, in, out any) error
}

// Isolated reads pages in child processes, in which Task, TaskPDF and TaskDocument must
// be registered.
type Isolated struct {
	Runner        Runner
	ReadPDF       bool // Page reads PDF; if false, PDF is a Problem that names the setting
	ReadDocuments bool // Page reads what Document reads; if false, such files are Problems that name the setting
}

// All reads every format, whatever the settings say of the net: files of the user's own,
// and addresses that the user names.
func (i Isolated) All() Isolated {
	i.ReadPDF, i.ReadDocuments = true, true
	return i
}

// HTML is the function HTML in a child process, under the runner's deadline.
// Content that is refused by its type never reaches a child. Errors are those of
// Runner.Run, behind a Problem if the page is the cause.
func (i Isolated) HTML(ctx context.Context, raw []byte, contentType, pageURL string) (Page, error) {
	if _, err := kindOf(raw, contentType, pageURL); err != nil {
		return Page{}, err
	}
	in := input{Raw: raw, ContentType: contentType, URL: pageURL}
	if len(raw) > MaxInput {
		in.Raw, in.Cut = raw[:MaxInput], true
	}
	return i.run(ctx, TaskName, in, "the markup of the page takes too long to read", "reading the page failed; its markup may take too much memory")
}

// run runs a task that returns a page or a Problem. slow and failed are what to say
// when the child ran out of time and when it crashed.
func (i Isolated) run(ctx context.Context, task string, in any, slow, failed string) (Page, error) {
	var out output
	err := i.Runner.Run(ctx, task, in, &out)
	switch {
	case err == nil && out.Problem != nil:
		return Page{}, out.Problem
	case err == nil:
		return out.Page, nil
	case errors.Is(err, isolate.ErrTimeout) && ctx.Err() == nil:
		err = &evidence.Problem{What: slow, Try: anotherPage, Cause: err}
	case errors.Is(err, isolate.ErrCrashed) && ctx.Err() == nil:
		err = &evidence.Problem{What: failed, Try: anotherPage, Cause: err}
	}
	return Page{}, err
}

// Interrupted reports whether a page was not read because its child process ran out of
// time or crashed: it may be read at another time. Any other Problem is the page's own.
func Interrupted(err error) bool {
	return errors.Is(err, isolate.ErrTimeout) || errors.Is(err, isolate.ErrCrashed)
}

const anotherPage = "look for another page that says the same"
