package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// fakeHost is a host that is a shell script. It is a link to the shell, because a file
// that was just written may be busy when it is started.
func fakeHost(t *testing.T, text string) (host, place) {
	t.Helper()
	dir := t.TempDir()
	if err := os.Symlink("/bin/sh", filepath.Join(dir, "sh")); err != nil {
		t.Fatal(err)
	}
	launch := func(setting) start { return start{args: []string{"-c", text}} }
	return host{name: "fake", program: "sh", launch: launch}, place{binary: filepath.Join(dir, "sh"), installed: dir}
}

func TestTry(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, script, notRun string
		needs                string
		before               int // attempts before the last one
	}{
		{"not installed", "", "could not be installed", "absent", 0},
		{"does not start", "echo no such terminal >&2; exit 7", "exit status 7: it asked its model nothing: no such terminal", "", attempts - 1},
		{"does not ask", "echo hello", "it asked its model nothing: hello", "", attempts - 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h, p := fakeHost(t, tt.script)
			h.needs = tt.needs
			if o := h.try(t.Context(), p); !strings.Contains(o.notRun, tt.notRun) || len(o.problems) > 0 || len(o.before) != tt.before {
				t.Errorf("outcome = %+v", o)
			}
		})
	}
}

// TestTryAgain: what was wrong with a host that passes the second time is told.
func TestTryAgain(t *testing.T) {
	t.Parallel()
	h, p := fakeHost(t, `[ -e "$0.ran" ] && echo '{"check":"one"}' || echo '{"check":"one","problem":"late"}'; : >"$0.ran"`)
	marked := filepath.Join(t.TempDir(), "host")
	script := h.launch(setting{}).args[1]
	h.launch = func(setting) start { return start{args: []string{"-c", script, marked}} }
	h.reports = true
	first := h.try(t.Context(), p)
	if !first.failed() || len(first.before) > 0 {
		t.Fatalf("the first outcome = %+v, want a failure", first)
	}
	o := h.tryAgain(t.Context(), p, first)
	if got, want := failedOnce([]outcome{o}), "FAILED ONCE: fake: FAIL: one: late\n"; got != want || o.failed() {
		t.Errorf("the second outcome = %+v, which says %q, want %q", o, got, want)
	}
}

// TestJudge: what a host did with its model decides.
func TestJudge(t *testing.T) {
	t.Parallel()
	tools := each(toolsCalled, func(name string) object { return object{"name": name} })
	result := func(text string) object {
		return object{"role": "user", "content": []any{object{"type": "tool_result", "content": text}}}
	}
	all := []any{result(goodResearch), result(goodRecall), result(goodRecall)}
	for _, tt := range []struct {
		name       string
		request    object
		refuses    []string
		wrong      string
		note, none string
	}{
		{"all is well", object{"tools": tools, "messages": append(all, result("Forgot 1 document (1 chunk)"))}, nil, "", "", ""},
		{"without our tools", object{"tools": []any{object{"name": "Bash"}}, "messages": []any{}}, nil, "research is not among the tools [Bash]", "", ""},
		{"only asks for a title", object{"messages": []any{}}, nil, "", "", "it asked its model nothing"},
		{"gives up after one call", object{"tools": tools, "messages": []any{result(goodResearch)}}, nil, "it gave its model 1 of 4 results", "", ""},
		{"a bad result", object{"tools": tools, "messages": append([]any{result("No.")}, append(all[1:], result("Forgot 1 document (1 chunk)"))...)}, nil, "research: no answer", "", ""},
		{"needs consent", object{"tools": tools, "messages": append(all, result("requires approval"))}, []string{"forget"}, "", "forget wants a person's consent", ""},
		{"refuses what it may not", object{"tools": tools, "messages": append(all, result("requires approval"))}, nil, "forget: the document was not forgotten", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			model := newStub()
			defer model.close()
			post(t, model.url()+"/v1/messages", tt.request)
			o := outcome{given: map[string]string{}}
			host{refuses: tt.refuses}.judge(model, output{}, nil, &o)
			wrong, notes := strings.Join(o.problems, "\n"), strings.Join(o.notes, "\n")
			if !strings.Contains(wrong, tt.wrong) || (wrong == "") != (tt.wrong == "") || notes != tt.note || !strings.Contains(o.notRun, tt.none) || (o.notRun == "") != (tt.none == "") {
				t.Errorf("outcome = %+v", o)
			}
		})
	}
}

// A configuration of ours that is wrong is a failure, and no host that cannot be run.
func TestJudgeOfInstall(t *testing.T) {
	t.Parallel()
	model := newStub()
	defer model.close()
	o := outcome{given: map[string]string{}}
	host{}.judge(model, output{}, errors.Join(errInstall, errors.New("no address")), &o)
	if o.notRun != "" || exitCode([]outcome{o}) != 1 || !strings.Contains(o.verdict(), "no address") {
		t.Errorf("outcome = %+v", o)
	}
}

// TestReports: a client without a model prints what it was given, and its own checks.
func TestReports(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, script, wrong, note, notRun string }{
		{"a check passes", `echo 'log line'; echo '{"check":"cancel"}'`, "", "cancel", ""},
		{"a check fails", `echo '{"check":"cancel","problem":"no"}'`, "cancel: no", "", ""},
		{"a crash after a check", `echo '{"check":"cancel"}'; echo Traceback >&2; exit 1`, "exit status 1: Traceback", "cancel", ""},
		{"a crash before", `echo Traceback >&2; exit 1`, "", "", "exit status 1: Traceback"},
		{"silence", "exit 0", "it reported nothing", "", ""},
		{"a bad result", `echo '{"tool":"forget","given":"no such id"}'`, "forget: the document was not forgotten", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h, p := fakeHost(t, tt.script)
			o := reporter(h).try(t.Context(), p)
			wrong, notes := strings.Join(o.problems, "\n"), strings.Join(o.notes, "\n")
			if !strings.Contains(wrong, tt.wrong) || (wrong == "") != (tt.wrong == "") || notes != tt.note || !strings.Contains(o.notRun, tt.notRun) || len(o.before) > 0 {
				t.Errorf("outcome = %+v", o)
			}
		})
	}
}

func TestTableAndExitCode(t *testing.T) {
	t.Parallel()
	ok := outcome{host: "a", given: map[string]string{"research": "12345"}, notes: []string{"forget wants a person's consent"}, before: []string{"NOT RUN: it asked\n its model nothing"}}
	absent := outcome{host: "long-name", notRun: "it could not be installed"}
	wrong := outcome{host: "b", problems: []string{"research: no answer"}}
	for _, tt := range []struct {
		all  []outcome
		want int
	}{{[]outcome{ok}, 0}, {[]outcome{ok, absent}, 3}, {[]outcome{absent, wrong, ok}, 1}} {
		if got := exitCode(tt.all); got != tt.want {
			t.Errorf("exitCode(%v) = %d, want %d", tt.all, got, tt.want)
		}
	}
	want := `host       research  fetch-sources  recall  forget  seconds  result
a          5 B       –              –       –       0.0      ok: forget wants a person's consent (attempt 2)
long-name  –         –              –       –       0.0      NOT RUN: it could not be installed
b          –         –              –       –       0.0      FAIL: research: no answer (attempt 2)
`
	wrong.before = []string{"FAIL: a first time"}
	if got := table([]outcome{ok, absent, wrong}); got != want {
		t.Errorf("table =\n%s\nwant\n%s", got, want)
	}
	if got, want := failedOnce([]outcome{ok, absent, wrong}), "FAILED ONCE: a: NOT RUN: it asked its model nothing\n"; got != want {
		t.Errorf("failedOnce = %q, want %q: of those that passed in the end", got, want)
	}
}

// TestInstallBecomesTheDemo: the command in a configuration that install writes is changed.
func TestInstallBecomesTheDemo(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, written, want string }{
		{"JSON", `{"command":"x","args":["serve"]}`, `"args":["serve", "--demo"]`},
		{"TOML", "args = ['serve']", `args = ['serve', "--demo"]`},
		{"none", "{}", ""},
	} {
		h, p := fakeHost(t, "")
		h.client, h.config = "fake", "config"
		s := setting{place: p, home: t.TempDir()}
		script := "printf '%s' '" + strings.ReplaceAll(tt.written, "'", `'\''`) + `' >config` // the shell reads it as the file install
		if err := write(filepath.Join(s.home, "install"), script); err != nil {
			t.Fatal(err)
		}
		err := h.install(t.Context(), s, environment(s))
		content, readErr := os.ReadFile(filepath.Join(s.home, "config"))
		if readErr != nil {
			t.Fatal(readErr)
		}
		if (err == nil) != (tt.want != "") || !strings.Contains(string(content), tt.want) {
			t.Errorf("%s: %v, %s", tt.name, err, content)
		}
	}
}

func TestEmbeddedScripts(t *testing.T) {
	t.Parallel()
	for _, h := range allHosts() {
		s := setting{place: place{binary: "b", installed: "i"}, home: "h", url: "u", source: newSource(), served: &served{}, webs: []string{"first", "second"}}
		if begin := h.launch(s); len(begin.args) == 0 {
			t.Errorf("%s has no arguments", h.name)
		}
		s.source.close()
	}
}
