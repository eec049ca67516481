package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const (
	// patience is for a host that hangs; they take seconds, and minutes on a machine that does
	// ten things at once.
	patience = 8 * time.Minute
	// attempts is how often a host is started whose model was not given the tools. Some
	// begin the first turn before their servers are connected, on a busy machine.
	attempts = 3
)

// host is a program that calls tools for a model.
type host struct {
	name    string
	program string                // path in the folder of the installations
	needs   string                // what else must be there
	client  string                // what "research-mcp install" calls it, if that configures it
	config  string                // the file that install writes, below the home folder
	launch  func(s setting) start // how it is started for one question
	reach   reach
	// refuses are the tools that it does not call without a person's consent.
	refuses []string
	// reports is set if it is a client without a model, whose standard output has lines of
	// JSON: see report.
	reports bool
	webs    bool // two servers run beside it, whose messages are counted: see web
}

// place is where the programs are.
type place struct{ binary, installed string }

// setting is what one run of a host has.
type setting struct {
	place
	home   string // empty, and removed after the run
	url    string // of the model's API
	source *source
	served *served // the server, if the host does not start it
	webs   []string
}

// start is a command line. Its environment has no more than what try adds.
type start struct {
	args  []string
	env   []string
	files map[string]string // written before install runs; paths below the home folder
}

// notInstalled is why a host cannot be run whose programs are missing.
const notInstalled = "it could not be installed"

// tryAgain tries a host that failed before.
func (h host) tryAgain(ctx context.Context, p place, first outcome) outcome {
	o := h.try(ctx, p)
	o.before = slices.Concat(first.before, []string{first.verdict()}, o.before)
	o.seconds += first.seconds
	return o
}

// try runs the host, again if its model was offered no tools.
func (h host) try(ctx context.Context, p place) outcome {
	began := time.Now()
	o := outcome{host: h.name}
	for _, file := range []string{h.program, h.needs} {
		if _, err := os.Stat(filepath.Join(p.installed, file)); err != nil {
			o.notRun = notInstalled
			return o
		}
	}
	for h.once(ctx, p, &o) && len(o.before)+1 < attempts && ctx.Err() == nil {
		o.before = append(o.before, o.verdict())
	}
	o.seconds = time.Since(began).Seconds()
	return o
}

// once runs the host once, and reports whether another attempt makes sense.
func (h host) once(ctx context.Context, p place, o *outcome) (again bool) {
	home, err := os.MkdirTemp("", "research-mcp-host-")
	if err != nil {
		o.notRun = err.Error()
		return false
	}
	defer os.RemoveAll(home)
	model, held := newStub(), newSource()
	defer model.close()
	defer held.close()
	o.notRun, o.problems, o.given, o.notes = "", nil, map[string]string{}, nil
	s := setting{place: p, home: home, url: model.url(), source: held}
	if h.reach != byCommand {
		if s.served, err = serve(ctx, s); err != nil {
			o.problems = append(o.problems, err.Error())
			return false
		}
	}
	run := func(s setting) (output, error) { return h.run(ctx, s) }
	var output output
	var failure error
	if h.webs {
		output, failure = withWebs(ctx, s, run)
	} else {
		output, failure = run(s)
	}
	if s.served != nil {
		if err := s.served.end(); err != nil {
			o.problems = append(o.problems, err.Error())
		}
	}
	if h.reports {
		h.judgeReport(output, failure, o)
	} else {
		h.judge(model, output, failure, o)
	}
	if err := h.keep(p, model, output, o.given); err != nil {
		o.problems = append(o.problems, err.Error())
	}
	return !h.reports && !model.done
}

// run starts the host and waits for its end. What it printed is returned in any case.
func (h host) run(ctx context.Context, s setting) (printed output, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("it did not end in %s", patience))
	defer cancel()
	begin := h.launch(s)
	for name, content := range begin.files {
		if err := write(filepath.Join(s.home, name), content); err != nil {
			return printed, err
		}
	}
	env := append(environment(s), begin.env...)
	if h.reach == byURL {
		env = append(env, tokenVariable+"="+s.served.token)
	}
	if h.client != "" {
		if err := h.install(ctx, s, env); err != nil {
			return printed, errors.Join(errInstall, err)
		}
	}
	cmd := exec.CommandContext(ctx, filepath.Join(s.installed, h.program), begin.args...)
	cmd.Dir, cmd.Env = s.home, env
	cmd.Stdout, cmd.Stderr = &printed.out, &printed.err
	cmd.WaitDelay = 10 * time.Second
	err = cmd.Run()
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	return printed, err
}

// errInstall is a fault of ours, and not of the host.
var errInstall = errors.New("its configuration is wrong")

// output is what a program printed.
type output struct{ out, err bytes.Buffer }

// lastLines are the last words of a program, for a person.
func (p *output) lastLines() string {
	lines := strings.Fields(p.err.String() + " " + p.out.String())
	return strings.Join(lines[max(0, len(lines)-40):], " ")
}

// environment keeps the user's variables away from the hosts: settings, keys, proxies.
// Whatever they want from the internet, they get at once that it is not there.
func environment(s setting) []string {
	paths := []string{filepath.Join(s.installed, "node/node_modules/.bin"), os.Getenv("PATH")}
	return []string{
		"PATH=" + strings.Join(paths, string(os.PathListSeparator)), "HOME=" + s.home, "USERPROFILE=" + s.home, "TMPDIR=" + s.home,
		"LANG=C.UTF-8", "TERM=dumb", "NO_COLOR=1", "CI=true",
		"HTTP_PROXY=http://127.0.0.1:9", "HTTPS_PROXY=http://127.0.0.1:9", "NO_PROXY=127.0.0.1,localhost",
	}
}

// install lets the binary write the host's configuration, as a user would, and changes
// a command that stands there to that of the demo.
func (h host) install(ctx context.Context, s setting, env []string) error {
	args := []string{"install", h.client}
	if s.served != nil {
		args = append(args, s.served.arguments(h.reach)...)
	}
	cmd := exec.CommandContext(ctx, s.binary, args...)
	cmd.Dir, cmd.Env = s.home, env
	if said, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("install %s: %w: %s", h.client, err, said)
	}
	file := filepath.Join(s.home, h.config)
	content, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if s.served != nil {
		if err := s.served.installed(h.reach, content); err != nil {
			return fmt.Errorf("install %s: %s: %w:\n%s", h.client, file, err, content)
		}
		return nil
	}
	for _, quote := range []string{`"`, `'`} {
		serve := quote + "serve" + quote
		if bytes.Count(content, []byte(serve)) == 1 {
			return write(file, strings.Replace(string(content), serve, serve+`, "--demo"`, 1))
		}
	}
	return fmt.Errorf("install %s: no command of ours in %s:\n%s", h.client, file, content)
}

// judge looks at what the model was given.
func (h host) judge(model *stub, printed output, failure error, o *outcome) {
	model.mu.Lock()
	defer model.mu.Unlock()
	if errors.Is(failure, errInstall) {
		o.problems = append(o.problems, failure.Error())
		return
	}
	if !model.offered {
		o.notRun = "it asked its model nothing: " + printed.lastLines()
		if failure != nil {
			o.notRun = failure.Error() + ": " + o.notRun
		}
		return
	}
	for i, given := range model.results {
		tool := toolsCalled[i]
		o.given[tool] = given
		refused := !strings.Contains(given, "Forgot ") && slices.Contains(h.refuses, tool)
		if refused {
			o.notes = append(o.notes, tool+" wants a person's consent")
			continue
		}
		o.problems = append(o.problems, examine(tool, given)...)
	}
	if model.missing != "" {
		o.problems = append(o.problems, model.missing)
	}
	if !model.done {
		failure = errors.Join(failure, fmt.Errorf("it gave its model %d of %d results: %s", len(model.results), len(toolsCalled), printed.lastLines()))
		o.problems = append(o.problems, failure.Error())
	}
}

// keep stores what was given, and all that was said meanwhile.
func (h host) keep(p place, model *stub, printed output, given map[string]string) error {
	model.mu.Lock()
	defer model.mu.Unlock()
	folder := filepath.Join(p.installed, "given", h.name)
	if err := os.RemoveAll(folder); err != nil {
		return err
	}
	files := map[string]string{"requests.log": model.log.String(), "stdout.log": printed.out.String(), "stderr.log": printed.err.String()}
	for tool, text := range given {
		files[tool+".txt"] = text
	}
	for name, text := range files {
		if err := write(filepath.Join(folder, name), text); err != nil {
			return err
		}
	}
	return nil
}

// write makes the file's folders, too.
func write(file, content string) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	return os.WriteFile(file, []byte(content), 0o600)
}
