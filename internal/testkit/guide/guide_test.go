package guide

import "testing"

func TestPatched(t *testing.T) {
	t.Parallel()
	const diff = "  first,\n+ middle,\n  second,\n"
	for _, c := range []struct{ name, file, diff, want string }{
		{"as printed", "{\n first,\n second,\n}\n", diff, "{\n first,\n middle,\n second,\n}\n"},
		{"followed before", "{\n first,\n middle,\n second,\n}\n", diff, "{\n first,\n middle,\n second,\n}\n"},
		{"entries between", "{\n first,\n later,\n nearer,\n second,\n}\n", diff, "{\n first,\n later,\n middle,\n nearer,\n second,\n}\n"},
		{"at the end", "{\n first,\n}\n", "  first,\n+ middle,\n", "{\n first,\n middle,\n}\n"},
		{"at the end, others there", "{\n first,\n last,\n third,\n}\n z\n", "  first,\n+ middle,\n", "{\n first,\n last,\n middle,\n third,\n}\n z\n"},
		{"two places", "a\nb\nc\n", " a\n+aa\n b\n+bb\n c\n", "a\naa\nb\nbb\nc\n"},
	} {
		got, err := Patched(c.file, c.diff)
		if got != c.want || err != nil {
			t.Errorf("%s: Patched = %q, %v, want %q", c.name, got, err, c.want)
		}
	}
}

func TestPatchedRefuses(t *testing.T) {
	t.Parallel()
	for name, diff := range map[string]string{
		"unknown context":        " nowhere\n+new\n",
		"context in other order": " b\n+new\n a\n",
		"removed line":           "-a\n",
		"nothing above":          "+new\n a\n",
		"two lines at one place": " a\n+new\n+newer\n",
	} {
		if got, err := Patched("a\nb\n", diff); err == nil {
			t.Errorf("%s: Patched = %q, want an error", name, got)
		}
	}
}

func TestSteps(t *testing.T) {
	t.Parallel()
	page := "Text with `a/word.go` in it:\n\n`a/b_c.go`:\n\n```go\npackage a\n```\n\n`d/e-f.go`, sorted:\n\n```diff\n x\n+y\n```\n"
	got := Steps(page)
	want := []Step{{"a/b_c.go", false, "package a\n"}, {"d/e-f.go", true, " x\n+y\n"}}
	if len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("Steps = %+v, want %+v", got, want)
	}
}
