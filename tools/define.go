package tools

import (
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

//go:embed about/*.md
var files embed.FS

// define completes d: it reads About from about/NAME.md, and makes Call of run,
// which does the work, and present, which cuts the result to the caller's token
// budget and renders it as Markdown.
func define[In, Out any](
	d Definition,
	run func(ctx context.Context, in In, observe Observe) (Out, error),
	present func(in In, out Out) (Out, string),
) Definition {
	about, err := files.ReadFile("about/" + d.Name + ".md")
	if err != nil {
		panic("tools: " + err.Error())
	}
	d.About = strings.TrimSpace(string(about))
	form, err := parseForm(d.InputSchema)
	if err != nil {
		panic(fmt.Sprintf("tools: %s: %v", d.Name, err))
	}
	d.Call = func(ctx context.Context, args json.RawMessage, observe Observe) (Result, error) {
		clean, err := form.check(args)
		if err != nil {
			return Result{}, err
		}
		var in In
		if err := json.Unmarshal(clean, &in); err != nil {
			return Result{}, fmt.Errorf("decoding checked arguments: %w", err)
		}
		out, err := run(ctx, in, observe)
		if err != nil {
			return Result{}, err
		}
		out, text := present(in, out)
		structured, err := json.Marshal(out)
		if err != nil {
			return Result{}, fmt.Errorf("encoding the result: %w", err)
		}
		return Result{Text: text, Structured: structured}, nil
	}
	return d
}

// withSources tells the model which names the argument "sources" takes.
func withSources(d Definition, names []string) Definition {
	if len(names) > 0 {
		d.About += "\nSources: " + strings.Join(names, ", ") + "."
	}
	return d
}

// orDefault is what p points to, or def when the argument was left out.
func orDefault(p *int, def int) int {
	if p == nil {
		return def
	}
	return *p
}

// seconds is a time from an argument, or 0 when the argument was left out.
func seconds(p *int) time.Duration {
	return time.Duration(orDefault(p, 0)) * time.Second
}

// some is s, or an empty slice: JSON must never show a null where a list is due.
func some[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}
