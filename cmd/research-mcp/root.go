package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/research-mcp/research-mcp/internal/app"
	"github.com/research-mcp/research-mcp/internal/config"
	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/redact"
	"github.com/research-mcp/research-mcp/internal/terminal"
	"github.com/research-mcp/research-mcp/internal/text"
)

// Exit codes.
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2
	exitInterrupted = 130
)

// console holds the streams and the environment of one invocation, and the flags
// that every command has.
type console struct {
	in       io.Reader
	out, err io.Writer // escape what acts on a terminal, once run has begun
	raw      io.Writer // out as it was given: for data, and for the protocol
	environ  []string
	screen   terminal.Screen // of out
	notes    terminal.Screen // of err
	typed    bool            // stdin is a terminal: an interactive user
	zone     *time.Location  // of dates in flags that name none

	invocation string // starts this program again; empty: its name

	json       bool
	interrupts interrupts
	secrets    redact.Switch // of everything that out and err are given, once run has begun

	configFile string
	dataDir    string
	logLevel   string
	logFormat  string // of the settings
	set        []string
}

// run executes the command line and returns the exit code.
func run(ctx context.Context, args []string, c *console) int {
	c.raw = c.out
	c.out, c.err = c.secrets.Results(terminal.Escaping(c.out, c.screen)), c.secrets.Notes(terminal.Escaping(c.err, c.notes))
	root := newRoot(c)
	root.SetArgs(args)
	root.SetIn(c.in)
	root.SetOut(c.out)
	root.SetErr(c.err)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		fmt.Fprintln(c.err, "interrupted")
		return exitInterrupted
	}
	return c.fail(err)
}

// fail prints err, as JSON if --json is set, and returns the exit code.
func (c *console) fail(err error) int {
	p := evidence.AsProblem(err)
	var s *config.Error
	if errors.As(err, &s) {
		p = evidence.BadInput(s.What, s.Try)
	}
	if c.json {
		typed := *p
		typed.What, typed.Try = c.hint(p.What), c.hint(p.Try)
		problem, e := json.Marshal(map[string]*evidence.Problem{"error": &typed})
		if e != nil {
			problem = []byte(`{"error":{"what":"unknown","try":""}}`)
		}
		fmt.Fprintln(c.err, string(problem))
	} else {
		c.note("research-mcp: " + c.hint(p.What))
		if p.Try != "" {
			c.note("Try: " + c.hint(p.Try))
		}
	}
	if p.Usage {
		return exitUsage
	}
	return exitFailed
}

func newRoot(c *console) *cobra.Command {
	root := &cobra.Command{
		Use:   programName + " COMMAND",
		Short: "Research on your own machine: many sources at once, a memory, and checked citations",
		Long: `research-mcp asks Wikipedia, HackerNews and other sources at once, stores what it
reads in a local memory, and answers with citations that are checked against their
sources: for AI assistants over MCP, and for you in the terminal.

First steps:
  research-mcp demo                      see it work, with no network and nothing installed
  research-mcp ask "How do goroutines work?"
  research-mcp install claude-code       add it to an AI assistant; also codex, cursor, vscode, …
  research-mcp doctor                    what works on this machine, and how to fix the rest`,
		SilenceUsage: true, SilenceErrors: true, Version: app.Version().Version,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			try := "`research-mcp --help` lists all commands"
			if strings.Contains(args[0], " ") {
				try = fmt.Sprintf("to ask a question: `research-mcp ask %q`", args[0])
			}
			if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
				try = fmt.Sprintf("did you mean %q? %s", cmp.Or(text.Nearest(args[0], near), near[0]), try)
			}
			return evidence.BadInput(fmt.Sprintf("there is no command %q", args[0]), try)
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SuggestionsMinimumDistance = 2
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		try := fmt.Sprintf("`%s --help` lists the flags", cmd.CommandPath())
		var unknown *pflag.NotExistError
		if errors.As(err, &unknown) {
			var names []string
			cmd.Flags().VisitAll(func(f *pflag.Flag) {
				if !f.Hidden {
					names = append(names, f.Name)
				}
			})
			try = meant(unknown.GetSpecifiedName(), names, "--") + try
		}
		return flagError(err, try)
	})
	flags := root.PersistentFlags()
	flags.BoolVar(&c.json, "json", false, "print one JSON object on stdout")
	flags.StringVar(&c.configFile, "config", "", "settings file (default "+config.DefaultFile()+")")
	flags.StringVar(&c.dataDir, "data-dir", "", "folder of the memory")
	flags.StringVar(&c.logLevel, "log-level", "", "debug, info, warn or error")
	flags.StringArrayVar(&c.set, "set", nil, "a setting, as key=value (repeatable; the command config lists them)")
	if c.invocation != "" {
		root.Annotations = map[string]string{cobra.CommandDisplayNameAnnotation: c.invocation}
	}
	c.setHelp(root)
	c.completeFlags(root)
	root.SetVersionTemplate(programName + " version {{.Version}}\n")
	root.AddCommand(newAsk(c), newChat(c), newConfig(c), newConnect(c), newDemo(c), newDoctor(c), newEval(c), newFetch(c), newForget(c), newInit(c), newInstall(c), newMemory(c),
		newRecall(c), newRemember(c), newRun(c), newRuns(c), newServe(c), newSessions(c), newSources(c), newTenant(c), newToken(c), newUninstall(c), newVersion(c))
	c.finish(root)
	return root
}

// flagError words an error of the command line without what only a programmer knows.
func flagError(err error, try string) error {
	var wrong *pflag.InvalidValueError
	if !errors.As(err, &wrong) {
		return evidence.BadInput(err.Error(), try)
	}
	what := fmt.Sprintf("--%s cannot be %q", wrong.GetFlag().Name, wrong.GetValue())
	switch wrong.GetFlag().Value.Type() {
	case "int":
		what += ": it takes a whole number"
		if errors.Is(err, strconv.ErrRange) {
			what = fmt.Sprintf("--%s cannot be %s: the number is too large", wrong.GetFlag().Name, wrong.GetValue())
		}
	case "duration":
		what += ": it takes a time"
		try = "write a time with its unit, such as 60s or 2m; " + try
	case "bool":
		what += ": it takes true or false"
	default:
		return evidence.BadInput(err.Error(), try)
	}
	return evidence.BadInput(what, try)
}

// live reports whether a line on stderr may be redrawn.
func (c *console) live() bool { return c.notes.Bold }

// note prints a paragraph to stderr, in its width.
func (c *console) note(text string) { fmt.Fprintln(c.err, c.notes.Wrap(text, "", "  ")) }

// say prints a paragraph to stdout, in its width.
func (c *console) say(format string, args ...any) error {
	_, err := fmt.Fprintln(c.out, c.screen.Wrap(fmt.Sprintf(format, args...), "", "  "))
	return err
}

// settings loads the configuration from the flags, the environment and the file.
func (c *console) settings() (*config.Config, error) {
	in := config.Inputs{Sources: app.SourceDefaults(), Environ: c.environ, File: c.settingsFile(), From: map[string]string{}}
	in.Must = in.File != config.DefaultFile()
	var err error
	if in.Flags, err = c.setFlags(); err != nil {
		return nil, err
	}
	for flag, value := range map[string]string{"data_dir": c.dataDir, "log_level": c.logLevel} {
		if value != "" {
			in.Flags[flag], in.From[flag] = value, "--"+strings.ReplaceAll(flag, "_", "-")
		}
	}
	cfg, err := config.Load(in)
	if err != nil {
		return nil, err
	}
	c.logFormat = cfg.LogFormat
	c.secrets.Set(redact.New(cfg.Secrets()...))
	return cfg, nil
}

// setFlags returns the settings given with --set.
func (c *console) setFlags() (map[string]string, error) {
	out := map[string]string{}
	for _, kv := range c.set {
		name, value, ok := strings.Cut(kv, "=")
		if !ok {
			return nil, evidence.BadInput(fmt.Sprintf("--set %q has no value", settingName(kv)), "write it as key=value, such as --set research.budget=60s")
		}
		out[name] = value
	}
	return out, nil
}

// settingName is the beginning of an argument that may be the name of a setting: what
// follows may be a key.
func settingName(arg string) string {
	end := strings.IndexFunc(arg, func(r rune) bool {
		return r != '.' && r != '_' && r != '-' && !unicode.IsLetter(r) && !unicode.IsDigit(r)
	})
	if end < 0 || redact.Shapes(arg) != arg {
		return redact.Shapes(arg)
	}
	return arg[:end] + "…"
}

// settingsFile returns the path of the settings file.
func (c *console) settingsFile() string {
	if c.configFile != "" {
		return c.configFile
	}
	for _, kv := range c.environ {
		if name, value, _ := strings.Cut(kv, "="); name == config.EnvPrefix+"CONFIG" && value != "" {
			return value
		}
	}
	return config.DefaultFile()
}

// open builds the App. The caller closes it.
func (c *console) open(ctx context.Context) (*app.App, error) {
	cfg, err := c.settings()
	if err != nil {
		return nil, err
	}
	return app.New(ctx, cfg, app.Options{Log: c.logger(cfg.LogLevel)})
}

// logger writes to stderr: stdout is for results.
func (c *console) logger(level string) *slog.Logger {
	var l slog.Level
	if l.UnmarshalText([]byte(level)) != nil {
		l = slog.LevelWarn // settings are checked; this is the level of a demo
	}
	options := &slog.HandlerOptions{Level: l}
	if c.logFormat == "json" {
		return slog.New(slog.NewJSONHandler(c.err, options))
	}
	return slog.New(slog.NewTextHandler(c.err, options))
}

// print writes v as one indented JSON object.
func (c *console) print(v any) error {
	enc := json.NewEncoder(c.out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("writing to stdout: %w", err)
	}
	return nil
}

// arguments says how many arguments there are.
func arguments(n int) string {
	if n == 1 {
		return "is 1 argument"
	}
	return "are " + text.Count(n, "argument")
}

// exactly requires n arguments.
func exactly(n int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == n {
			return nil
		}
		example, _, _ := strings.Cut(strings.TrimSpace(cmd.Example), "\n")
		try := fmt.Sprintf("write it like `%s`", example)
		if len(args) > n {
			try = "put several words in quotes; " + try
		}
		return evidence.BadInput(fmt.Sprintf("%s takes %s; there %s", cmd.Name(), what, arguments(len(args))), try)
	}
}

// none allows no arguments.
func none(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return evidence.BadInput(fmt.Sprintf("%s takes no arguments; there is %q", cmd.Name(), args[0]), fmt.Sprintf("`%s --help` lists its flags", cmd.CommandPath()))
}
