package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/research-mcp/research-mcp/internal/diagnosis"
	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/newfile"
	"github.com/research-mcp/research-mcp/internal/text"
)

// chatCommands are the commands of a chat, with what they do.
func chatCommands() [][]string {
	return [][]string{
		{"/help", "list the commands"},
		{"/sources", "the sources, and their state"},
		{"/memory", "what the memory holds"},
		{"/sessions", "the latest sessions"},
		{"/open N", "what the source with the number N of the last answer says"},
		{"/export FILE", "write this chat as Markdown to a new file"},
		{"/quit", "end the chat; also exit and Ctrl-D"},
	}
}

func chatCommandNames() []string {
	var out []string
	for _, c := range chatCommands() {
		name, _, _ := strings.Cut(c[0], " ")
		out = append(out, name)
	}
	return out
}

// chatCommand splits a line that is a command.
func chatCommand(line string) (command, argument string, ok bool) {
	switch strings.ToLower(line) {
	case "exit", "quit", ":q":
		return "/quit", "", true
	}
	command, argument, _ = strings.Cut(line, " ")
	if !strings.HasPrefix(command, "/") || strings.Contains(command[1:], "/") { // a path is a question
		return "", "", false
	}
	return strings.ToLower(command), strings.TrimSpace(argument), true
}

// completeChatCommand returns the commands that begin with line.
func completeChatCommand(line string) []string {
	var out []string
	for _, name := range chatCommandNames() {
		if strings.HasPrefix(line, "/") && strings.HasPrefix(name, line) {
			out = append(out, name)
		}
	}
	return out
}

// command does what a command says. Results go to stdout, unless that has JSON.
func (t *conversation) command(ctx context.Context, command, argument string) error {
	switch command {
	case "/help":
		_, err := fmt.Fprint(t.c.err, t.c.notes.Table(chatCommands(), "  "))
		return err
	case "/sources":
		cfg := t.a.Config()
		return t.c.printSources(diagnosis.SourcesNow(ctx, cfg, t.c.logger(cfg.LogLevel)), cfg.Contact != "")
	case "/memory":
		s, err := t.a.Library().Stats(ctx)
		if err != nil {
			return err
		}
		return t.c.printStats(s)
	case "/sessions":
		list, err := t.a.Library().Sessions(ctx, listed)
		if err != nil {
			return err
		}
		return t.c.printSessions(list)
	case "/open":
		return t.open(ctx, argument)
	case "/export":
		return t.export(argument)
	}
	try := "/help lists the commands"
	if near := text.Nearest(command, chatCommandNames()); near != "" {
		try = fmt.Sprintf("did you mean %s? %s", near, try)
	}
	return evidence.BadInput(fmt.Sprintf("there is no command %q in a chat", command), try)
}

// around is how much of a document is shown before and behind a quote, in bytes.
const around = 700

// open shows what a source of the last answer says around its quote.
func (t *conversation) open(ctx context.Context, argument string) error {
	if len(t.answers) == 0 {
		return evidence.BadInput("there is no answer yet whose sources could be opened", "ask a question first")
	}
	cites := t.answers[len(t.answers)-1].Citations
	n, err := strconv.Atoi(strings.Trim(argument, "[]"))
	for _, cite := range cites {
		if err != nil || cite.N != n {
			continue
		}
		doc, err := t.a.Library().Document(ctx, cite.DocumentID)
		if err != nil {
			return err
		}
		head := t.c.screen.Wrap(fmt.Sprintf("[%d] %s (%s) %s", n, doc.Title, doc.Source, doc.URL), "", "    ")
		_, err = fmt.Fprintf(t.c.out, "%s\n\n%s\n", head, t.c.screen.Markdown(passage(doc.Text, cite.Start, cite.End), "  "))
		return err
	}
	return evidence.BadInput(fmt.Sprintf("the last answer has no source %q", argument), fmt.Sprintf("write /open and a number from 1 to %d", len(cites)))
}

// passage is a part of a text with what is around it, in whole lines where they are
// short enough.
func passage(doc string, start, end int) string {
	from, to := max(start-around, 0), min(end+around, len(doc))
	if i := strings.IndexByte(doc[from:start], '\n'); i >= 0 && from > 0 {
		from += i + 1
	}
	if i := strings.LastIndexByte(doc[end:to], '\n'); i >= 0 && to < len(doc) {
		to = end + i
	}
	for from > 0 && !utf8.RuneStart(doc[from]) {
		from--
	}
	for to < len(doc) && !utf8.RuneStart(doc[to]) {
		to++
	}
	return doc[from:to]
}

// export writes the answers of this chat to a new file.
func (t *conversation) export(file string) error {
	switch {
	case file == "":
		return evidence.BadInput("there is no file to export to", "write /export and a name, such as /export chat.md")
	case len(t.answers) == 0:
		return evidence.BadInput("there is nothing to export yet", "ask a question first")
	}
	var b strings.Builder
	for i, a := range t.answers {
		if i > 0 {
			b.WriteString("\n")
		}
		b.WriteString(answerMarkdown(a))
	}
	if err := writeNew(file, b.String()); err != nil {
		return err
	}
	t.c.note(fmt.Sprintf("wrote %s to %s", text.Count(len(t.answers), "answer"), file))
	return nil
}

// writeNew writes a file that does not exist yet.
func writeNew(file, content string) error {
	f, err := os.CreateTemp(folderOf(file), ".research-mcp-*")
	if err == nil {
		defer os.Remove(f.Name())
		_, err = f.WriteString(content)
		err = errors.Join(err, f.Close())
	}
	if err == nil {
		err = newfile.Publish(f.Name(), file)
	}
	switch {
	case errors.Is(err, fs.ErrExist):
		return evidence.BadInput(fmt.Sprintf("%s exists already", file), "choose another name; nothing is overwritten")
	case err != nil:
		return evidence.BadInput(fmt.Sprintf("%s cannot be written: %v", file, err), "choose a place where you may write")
	}
	return nil
}
