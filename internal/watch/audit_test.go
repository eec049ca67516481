package watch_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/watch"
)

func auditOptions(path string) watch.AuditOptions {
	var n int
	var mu sync.Mutex
	return watch.AuditOptions{
		Path: path, MaxBytes: 1 << 20, Keep: 2, Required: true, Log: discard,
		Now:   func() time.Time { return time.Date(2026, 11, 28, 7, 0, 0, 0, time.UTC) },
		NewID: func(prefix string) string { mu.Lock(); defer mu.Unlock(); n++; return fmt.Sprint(prefix, n) },
	}
}

func openAudit(t *testing.T, o watch.AuditOptions) *watch.Audit {
	t.Helper()
	a, err := watch.OpenAudit(o)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func operation(t *testing.T, a *watch.Audit, op watch.Operation, out watch.Outcome) {
	t.Helper()
	end, err := a.Begin(op)
	if err != nil {
		t.Fatal(err)
	}
	if err := end(out); err != nil {
		t.Fatal(err)
	}
}

// lines are the records of a file.
func lines(t *testing.T, path string) []map[string]any {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var out []map[string]any
	for line := range strings.Lines(string(raw)) {
		var r map[string]any
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatalf("%s is no record: %v", line, err)
		}
		out = append(out, r)
	}
	return out
}

func TestWhatTheAuditLogSays(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "new", "audit.log")
	a := openAudit(t, auditOptions(path))
	operation(t, a, watch.Operation{Event: "remember", Caller: "alice", Client: "claude-code", Tenant: "blue"}, watch.Outcome{IDs: []string{"d_1"}, Documents: 1, Unchanged: true})
	operation(t, a, watch.Operation{Event: "forget", Caller: "bob", By: []string{"source"}}, watch.Outcome{Err: evidence.BadInput("too many", "confirm")})
	operation(t, a, watch.Operation{Event: "forget", Caller: "bob"}, watch.Outcome{Err: context.Canceled})
	operation(t, a, watch.Operation{Event: "forget", Caller: "bob"}, watch.Outcome{Err: errors.New("reading /srv/x")})
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	at := `"time":"2026-11-28T07:00:00Z"`
	want := `{` + at + `,"op":"a_1","event":"remember","phase":"begin","caller":"alice","client":"claude-code","tenant":"blue"}
{` + at + `,"op":"a_1","event":"remember","phase":"end","caller":"alice","client":"claude-code","tenant":"blue","outcome":"ok","documents":1,"unchanged":true,"ids":["d_1"]}
{` + at + `,"op":"a_2","event":"forget","phase":"begin","caller":"bob","by":["source"]}
{` + at + `,"op":"a_2","event":"forget","phase":"end","caller":"bob","outcome":"refused","documents":0}
{` + at + `,"op":"a_3","event":"forget","phase":"begin","caller":"bob"}
{` + at + `,"op":"a_3","event":"forget","phase":"end","caller":"bob","outcome":"cancelled","documents":0}
{` + at + `,"op":"a_4","event":"forget","phase":"begin","caller":"bob"}
{` + at + `,"op":"a_4","event":"forget","phase":"end","caller":"bob","outcome":"error","documents":0}
`
	if string(raw) != want {
		t.Errorf("the audit log is\n%s\nwant\n%s", raw, want)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("its mode is %v, want 0600", info.Mode())
	}
}

func TestManyIDsAreAllRecorded(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "audit.log")
	var ids []string
	for i := range 2500 {
		ids = append(ids, fmt.Sprintf("d_%04d", i))
	}
	operation(t, openAudit(t, auditOptions(path)), watch.Operation{Event: "forget"}, watch.Outcome{IDs: ids, Documents: len(ids)})
	var got []any
	all := lines(t, path)
	for _, r := range all {
		if some, ok := r["ids"].([]any); ok {
			got = append(got, some...)
		}
	}
	if len(all) != 4 || len(got) != 2500 || got[2499] != "d_2499" || all[3]["documents"] != 2500.0 || all[1]["op"] != all[3]["op"] {
		t.Errorf("%d records have %d ids of 2500", len(all), len(got))
	}
}

func TestTheAuditLogIsRotated(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "audit.log")
	o := auditOptions(path)
	o.MaxBytes = 400
	a := openAudit(t, o)
	for range 12 {
		operation(t, a, watch.Operation{Event: "remember", Caller: "alice"}, watch.Outcome{Documents: 1})
	}
	names, err := filepath.Glob(path + "*")
	if err != nil || len(names) != 4 { // and the lock
		t.Errorf("the folder has %v, want the log, two rotated ones and the lock", names)
	}
	last := ""
	for _, name := range []string{path + ".2", path + ".1", path} {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if info.Size() > 400 || info.Mode().Perm() != 0o600 {
			t.Errorf("%s has %d bytes and mode %v", name, info.Size(), info.Mode())
		}
		for _, r := range lines(t, name) {
			last = r["op"].(string)
		}
	}
	if last != "a_12" {
		t.Errorf("the last operation is %s, want a_12", last)
	}
}

func TestATornLineIsEnded(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "audit.log")
	if err := os.WriteFile(path, []byte(`{"time":"2026`), 0o600); err != nil {
		t.Fatal(err)
	}
	operation(t, openAudit(t, auditOptions(path)), watch.Operation{Event: "remember"}, watch.Outcome{})
	raw, _ := os.ReadFile(path)
	if parts := strings.Split(string(raw), "\n"); len(parts) != 4 || parts[0] != `{"time":"2026` || !json.Valid([]byte(parts[1])) {
		t.Errorf("after a torn line the log is %q", raw)
	}
}

// TestAnAuditLogThatCannotBeWritten has a folder in the place of the file, which stops
// root as well.
func TestAnAuditLogThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "audit.log")
	var p *evidence.Problem
	for _, required := range []bool{true, false} {
		var log bytes.Buffer
		o := auditOptions(path)
		o.Required, o.Log = required, slog.New(slog.NewTextHandler(&log, nil))
		a := openAudit(t, o)
		if err := errors.Join(os.Remove(path), os.Mkdir(path, 0o700)); err != nil {
			t.Fatal(err)
		}
		end, err := a.Begin(watch.Operation{Event: "forget", Caller: "bob"})
		if required {
			if !errors.As(err, &p) || !strings.Contains(p.What, path) || end != nil {
				t.Errorf("Begin = %v, want a Problem that names %s", err, path)
			}
			if _, err := watch.OpenAudit(o); !errors.As(err, &p) {
				t.Errorf("OpenAudit = %v, want a Problem", err)
			}
		} else {
			if err != nil || !strings.Contains(log.String(), "not in the audit log") {
				t.Errorf("Begin of a log that is not required = %v; the server's log: %s", err, &log)
			}
			if err := end(watch.Outcome{Documents: 3}); err == nil || !strings.Contains(log.String(), "documents=3") {
				t.Errorf("the end = %v; the server's log: %s", err, &log)
			}
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
}

// TestSeveralProcessesShareAnAuditLog has two logs on one file: no record is lost or mixed,
// also while it is rotated.
func TestSeveralProcessesShareAnAuditLog(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "audit.log")
	o := auditOptions(path)
	o.MaxBytes, o.Keep = 2000, 100
	var all sync.WaitGroup
	for _, a := range []*watch.Audit{openAudit(t, o), openAudit(t, o)} {
		for range 3 {
			all.Go(func() {
				for range 4 {
					end, err := a.Begin(watch.Operation{Event: "remember", Caller: strings.Repeat("ä", 300)})
					if err != nil {
						t.Error(err)
						return
					}
					if err := end(watch.Outcome{}); err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
	all.Wait()
	names, _ := filepath.Glob(path + "*")
	n := 0
	for _, name := range names {
		if !strings.HasSuffix(name, ".lock") {
			n += len(lines(t, name))
		}
	}
	if n != 48 {
		t.Errorf("%d records in %d files, want 48", n, len(names)-1)
	}
}
