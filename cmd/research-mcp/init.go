package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/research-mcp/research-mcp/internal/clients"
	"github.com/research-mcp/research-mcp/internal/config"
	"github.com/research-mcp/research-mcp/internal/diagnosis"
	"github.com/research-mcp/research-mcp/internal/evidence"
)

func newInit(c *console) *cobra.Command {
	return &cobra.Command{
		Use: "init", Short: "Set up this program by five questions", Args: none,
		Long: `Asks for your contact, for Ollama, for a folder of notes, for the AI clients to add the
server to, and for the sources to turn off. An empty answer keeps what is set. Nothing
is written before the last answer; the previous settings file is kept beside it.`,
		Example: "research-mcp init",
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := c.settings()
			if err != nil {
				return err
			}
			s := &setup{c: c, cfg: cfg, values: map[string]string{}}
			if err := s.ask(cmd.Context()); err != nil {
				return err
			}
			return s.apply()
		},
	}
}

// setup holds the answers to the questions.
type setup struct {
	c       *console
	cfg     *config.Config
	values  map[string]string // settings to write
	clients []clients.Client
}

// now is a setting's present value.
func (s *setup) now(key string) string {
	for _, have := range s.cfg.Settings() {
		if have.Key == key && have.Value != "" {
			return have.Value
		}
	}
	return "(none)"
}

// question is one of the five: take checks an answer, and keeps it.
type question struct {
	text string
	take func(answer string) error
}

func (s *setup) questions() []question {
	var found []string
	for _, client := range clients.All() {
		if _, ours, exists, _ := clients.Configured(client, s.c.system()); exists && !ours {
			found = append(found, client.Name)
		}
	}
	here := "none has a configuration here"
	if len(found) > 0 {
		here = "found: " + strings.Join(found, ", ")
	}
	var on []string
	for _, source := range diagnosis.Sources(s.cfg) {
		if source.On {
			on = append(on, source.Name)
		}
	}
	return []question{
		{"1/5 Your e-mail address or web page? Wikipedia and others allow more requests to people they can reach. Now: " + s.now("contact"), s.set("contact")},
		{"2/5 Let a local Ollama write answers if it runs? yes or no. " + modelAdvice(), s.ollama},
		{"3/5 A folder of notes that questions are to search? Now: " + s.now("sources.files.dir"), s.folder},
		{"4/5 Which AI clients are to get the server, separated by commas? Of " + strings.Join(clients.Names(), ", ") + "; " + here, s.chooseClients},
		{"5/5 Which sources are to be turned off, separated by commas? On: " + strings.Join(on, ", "), s.turnOff(on)},
	}
}

// modelAdvice names a model for the memory of this machine.
func modelAdvice() string {
	switch gib := machineMemory() >> 30; {
	case gib == 0:
		return "`ollama pull llama3.2` suits a machine with 8 GB of memory"
	case gib < 7:
		return fmt.Sprintf("This machine has %d GB of memory, which is little for a model: answers quoted from the sources need none", gib)
	case gib < 15:
		return fmt.Sprintf("For this machine's %d GB of memory: `ollama pull llama3.2`", gib)
	default:
		return fmt.Sprintf("For this machine's %d GB of memory: `ollama pull llama3.1:8b`", gib)
	}
}

// ask asks each question until its answer is valid. The end of input before the last
// answer ends it without a change.
func (s *setup) ask(ctx context.Context) error {
	lines := s.c.openLines(ctx, nil)
	defer lines.close()
	for _, q := range s.questions() {
		s.c.note(q.text)
		for {
			line, err := lines.read(ctx)
			switch {
			case errors.Is(err, errDiscarded), errors.Is(err, io.EOF):
				return evidence.BadInput("the questions were not answered to the end: nothing was changed", "`research-mcp init` asks again; an empty line keeps what is set")
			case err != nil:
				return err
			}
			answer := strings.TrimSpace(line.text)
			if answer == "" {
				break
			}
			if err = q.take(answer); err == nil {
				break
			}
			if !s.c.typed {
				return err
			}
			s.c.fail(err)
		}
	}
	return nil
}

// set takes a value for a setting, if the settings are valid with it.
func (s *setup) set(key string) func(string) error {
	return func(value string) error {
		given := s.c.set
		s.c.set = append(slices.Clone(given), key+"="+value)
		_, err := s.c.settings()
		s.c.set = given
		if err != nil {
			return err
		}
		s.values[key] = value
		return nil
	}
}

func (s *setup) ollama(answer string) error {
	switch strings.ToLower(answer) {
	case "y", "yes":
		return s.set("ollama.enabled")("true")
	case "n", "no":
		return s.set("ollama.enabled")("false")
	}
	return evidence.BadInput(fmt.Sprintf("%q is neither yes nor no", answer), "answer yes or no, or leave the line empty")
}

func (s *setup) folder(answer string) error {
	if rest, ok := strings.CutPrefix(answer, "~/"); ok {
		answer = s.c.system().Home + "/" + rest
	}
	if info, err := os.Stat(answer); err != nil || !info.IsDir() {
		return evidence.BadInput(fmt.Sprintf("%s is not a folder that can be read", answer), "give the path of a folder, or leave the line empty")
	}
	full, err := filepath.Abs(answer)
	if err != nil {
		return err
	}
	return s.set("sources.files.dir")(full)
}

func (s *setup) chooseClients(answer string) error {
	var chosen []clients.Client
	for _, name := range listOf(answer) {
		client, err := clients.Find(name)
		if err != nil {
			return err
		}
		chosen = append(chosen, client)
	}
	s.clients = chosen
	return nil
}

func (s *setup) turnOff(on []string) func(string) error {
	return func(answer string) error {
		for _, name := range listOf(answer) {
			if !slices.Contains(on, name) {
				return evidence.BadInput(fmt.Sprintf("there is no source %q that is on", name), "choose from: "+strings.Join(on, ", "))
			}
			if err := s.set("sources." + name + ".enabled")("false"); err != nil {
				return err
			}
		}
		return nil
	}
}

// listOf splits an answer at commas and spaces.
func listOf(answer string) []string {
	return strings.FieldsFunc(answer, func(r rune) bool { return r == ',' || r == ' ' })
}

// apply writes the settings file and the clients' configurations.
func (s *setup) apply() error {
	file := s.c.settingsFile()
	written := map[string]any{"settings_file": file, "settings": s.values}
	if len(s.values) > 0 {
		kept, err := writeSettings(file, s.values)
		if err != nil {
			return err
		}
		written["backup"] = kept
	}
	names := []string{}
	for _, client := range s.clients {
		server, err := s.c.ownServer()
		if err != nil {
			return err
		}
		if _, err := clients.Install(client, s.c.system(), server, false, time.Now()); err != nil {
			return err
		}
		names = append(names, client.Name)
	}
	written["clients"] = names
	if s.c.json {
		return s.c.print(written)
	}
	if len(s.values) > 0 {
		if err := s.c.say("Wrote %s", file); err != nil {
			return err
		}
	}
	for _, client := range s.clients {
		if err := s.c.say("%s has the server: %s", client.Title, client.Next); err != nil {
			return err
		}
	}
	s.c.note(s.c.hint("Next: `research-mcp doctor`, then `research-mcp ask` with a question"))
	return nil
}
