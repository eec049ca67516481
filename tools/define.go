package tools

import (
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

//go:embed about/*.md
var files embed.FS

// define completes d: it reads About from about/NAME.md, sets InputSchema, and makes Call of run,
// which does the work, and present, which cuts the result to the caller's token
// budget and renders it as Markdown and as a struct for JSON: framed, if it has fences.
func define[In, Out any](
	deps Deps,
	d Definition,
	run func(ctx context.Context, in In, observe Observe) (Out, error),
	present func(in In, out Out) (text string, structured any),
) Definition {
	about, err := files.ReadFile("about/" + d.Name + ".md")
	if err != nil {
		panic("tools: " + err.Error())
	}
	d.About = strings.TrimSpace(string(about))
	arguments, err := newChecker(d, deps.Sources)
	if err != nil {
		panic(fmt.Sprintf("tools: %s: %v", d.Name, err))
	}
	d.InputSchema = d.args.shown
	d.Call = func(ctx context.Context, args json.RawMessage, observe Observe) (Result, error) {
		clean, err := arguments.check(args)
		if err != nil {
			return Result{}, err
		}
		var in In
		if err := json.Unmarshal(clean, &in); err != nil {
			return Result{}, fmt.Errorf("decoding checked arguments: %w", err)
		}
		out, err := run(ctx, in, observe)
		if err != nil {
			return Result{}, defused(err)
		}
		text, structured := present(in, out)
		return deps.result(text, structured)
	}
	return d
}

// result is what present returned, without lines that pass for a fence of the server.
func (d Deps) result(text string, structured any) (Result, error) {
	word := ""
	if f, ok := structured.(framed); ok {
		word, structured = f.word, f.out
	}
	res := Result{Text: defuse(text, word)}
	if d.Structured {
		raw, err := encode(structured)
		if err != nil {
			return Result{}, fmt.Errorf("encoding the result: %w", err)
		}
		res.Structured = json.RawMessage(defuse(string(raw), word))
	}
	return res, nil
}

// withSources adds the valid names of the argument "sources" to the description.
func withSources(d Definition, names []string) Definition {
	if len(names) > 0 {
		d.About += "\nSources: " + strings.Join(names, ", ") + "."
	}
	return d
}

// orDefault returns *p, or def when the argument was left out.
func orDefault(p *int, def int) int {
	if p == nil {
		return def
	}
	return *p
}

// seconds returns an argument as a duration, or 0 when it was left out.
func seconds(p *int) time.Duration {
	return time.Duration(orDefault(p, 0)) * time.Second
}

// nonNil returns s, or an empty slice for nil: a list is never null in JSON.
func nonNil[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

// encode returns the JSON of v as a model sees it: <, > and & are not escaped.
func encode(v any) (json.RawMessage, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
