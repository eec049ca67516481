package pace

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestSpeedsAreKept(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	now := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	b := Open(dir, clock)
	if s, ok := b.Speed("a"); ok {
		t.Errorf("Speed of an empty book = %+v", s)
	}
	for model, s := range map[string]Speed{"a": {Read: 100, Write: 20, Load: time.Second}, "b": {Read: 10, Write: 10, Bound: true}, "broken": {Read: -1, Write: 2}} {
		if err := b.Note(model, s); err != nil {
			t.Fatal(err)
		}
	}
	if !b.Tell("b") || b.Tell("b") {
		t.Error("Tell is not true exactly once")
	}
	again := Open(dir, clock)
	got, ok := again.Speed("a")
	if !ok || got.Read != 100 || got.Write != 20 || got.Load != time.Second {
		t.Errorf("after a restart Speed = %+v, %v", got, ok)
	}
	if again.Tell("b") {
		t.Error("after a restart the user is told again")
	}
	if _, ok := again.Speed("broken"); ok {
		t.Error("a negative speed was kept")
	}
	if err := again.Adjust("a", Speed{Read: 400, Write: 20}); err != nil {
		t.Fatal(err)
	}
	if got, _ := again.Speed("a"); got.Read != 200 {
		t.Errorf("after an answer at twice the geometric mean Read = %v, want 200", got.Read)
	}
	now = now.Add(boundTTL + time.Second)
	if _, ok := again.Speed("b"); ok {
		t.Error("a bound counts for ever: the machine may have been busy")
	}
	if _, ok := again.Speed("a"); !ok {
		t.Error("a measurement does not count any more")
	}
	now = now.Add(-2 * boundTTL)
	if _, ok := again.Speed("b"); ok {
		t.Error("a bound counts although it is from the future")
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("%d files in the folder, want one", len(entries))
	}
}

// Two processes that know different models keep both.
func TestTwoBooks(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	one, two := Open(dir, nil), Open(dir, nil)
	one.Speed("x")
	two.Speed("x")
	for book, model := range map[*Book]string{one: "one", two: "two"} {
		if err := book.Note(model, Speed{Read: 1, Write: 1}); err != nil {
			t.Fatal(err)
		}
	}
	for _, model := range []string{"one", "two"} {
		if _, ok := Open(dir, nil).Speed(model); !ok {
			t.Errorf("the speed of %s is lost", model)
		}
	}
}

func TestOtherMachineBadFile(t *testing.T) {
	t.Parallel()
	for name, content := range map[string]string{
		"of another machine": `{"a":{"read":100,"write":20,"at":"2026-11-27T12:00:00Z","machine":"another/64"}}`,
		"no JSON":            "\x00{",
		"another shape":      `[1,2]`,
		"huge numbers":       `{"a":{"read":1e999,"write":1}}`,
		"zero":               `{"a":{"read":0,"write":0,"machine":"` + machine() + `"}}`,
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "models.json"), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		b := Open(dir, nil)
		if s, ok := b.Speed("a"); ok {
			t.Errorf("%s: Speed = %+v", name, s)
		}
		if err := b.Note("a", Speed{Read: 5, Write: 5}); err != nil {
			t.Errorf("%s: Note: %v", name, err)
		}
		if _, ok := Open(dir, nil).Speed("a"); !ok {
			t.Errorf("%s: the file was not written anew", name)
		}
	}
	if err := Open(filepath.Join(t.TempDir(), "absent"), nil).Note("a", Speed{Read: 1, Write: 1}); err == nil || !strings.Contains(err.Error(), "storing the speed") {
		t.Errorf("Note without a folder: %v", err)
	}
	b := Open(t.TempDir(), nil)
	for i := range 2 * maxModels {
		if err := b.Note(strings.Repeat("m", i+1), Speed{Read: 1, Write: 1}); err != nil {
			t.Fatal(err)
		}
	}
	if len(b.speeds) > maxModels {
		t.Errorf("%d models are kept, want at most %d", len(b.speeds), maxModels)
	}
}

func TestTakes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		s           Speed
		read, write int
		want        time.Duration
	}{
		{Speed{Read: 100, Write: 10}, 600, 150, 21 * time.Second},
		{Speed{Read: 1e-300, Write: 10}, 600, 150, maxTakes},
		{Speed{}, 0, 0, maxTakes},
	} {
		if got := c.s.Takes(c.read, c.write); got != c.want {
			t.Errorf("%+v.Takes(%d, %d) = %s, want %s", c.s, c.read, c.write, got, c.want)
		}
	}
}
