package tools

import (
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"path"
	"strings"
)

//go:embed about/*.md schema/*.json
var files embed.FS

// define completes d: it reads the tool's texts by its name, and makes Call of
// run, which does the work, and present, which shrinks what run gave to the
// caller's token budget and says it in Markdown.
func define[In, Out any](
	d Definition,
	run func(ctx context.Context, in In, observe Observe) (Out, error),
	present func(in In, out Out) (Out, string),
) Definition {
	d.About = strings.TrimSpace(string(mustRead("about", d.Name+".md")))
	d.InputSchema = mustCompact(mustRead("schema", d.Name+".in.json"))
	d.OutputSchema = mustCompact(mustRead("schema", d.Name+".out.json"))
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
			return Result{}, fmt.Errorf("decoding arguments that were checked: %w", err)
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

func mustRead(dir, name string) []byte {
	b, err := files.ReadFile(path.Join(dir, name))
	if err != nil {
		panic("tools: " + err.Error())
	}
	return b
}

func mustCompact(schema []byte) json.RawMessage {
	var b bytes.Buffer
	if err := json.Compact(&b, schema); err != nil {
		panic("tools: " + err.Error())
	}
	return b.Bytes()
}

// orDefault is what p points to, or def when the argument was left out.
func orDefault(p *int, def int) int {
	if p == nil {
		return def
	}
	return *p
}

// some is s, or an empty slice: JSON must never show a null where a list is due.
func some[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}
