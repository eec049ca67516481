package main

import "testing"

func TestWithSettings(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, before, want string }{
		{"no file", "", "contact: a@b.example\nsources:\n  files:\n    dir: /n\n"},
		{"comments and other settings", "# mine\ncontact: old # c\nresearch:\n  budget: 30s\n", "# mine\ncontact: a@b.example # c\nresearch:\n  budget: 30s\nsources:\n  files:\n    dir: /n\n"},
		{"comments alone", "# mine\n\n# contact: me\n", "# mine\n\n# contact: me\ncontact: a@b.example\nsources:\n  files:\n    dir: /n\n"},
		{"comments alone, lines of Windows", "# mine\r\n", "# mine\r\ncontact: a@b.example\r\nsources:\r\n  files:\r\n    dir: /n\r\n"},
		{"lines of Windows and a byte order mark", "\ufeff# mine\r\ncontact: old # c\r\nsources:\r\n  files:\r\n    dir: /o\r\n", "\ufeff# mine\r\ncontact: a@b.example # c\r\nsources:\r\n  files:\r\n    dir: /n\r\n"},
		{"a byte order mark and a comment", "\ufeff# mine", "\ufeff# mine\ncontact: a@b.example\nsources:\n  files:\n    dir: /n\n"},
		{"a section without settings", "sources:\n", "sources:\n  files:\n    dir: /n\ncontact: a@b.example\n"},
		{"a value in place of a section", "sources: [a]\n", ""},
		{"a list", "- a\n", ""},
		{"no YAML", "a: [\n", ""},
	} {
		got, err := withSettings([]byte(c.before), map[string]string{"sources.files.dir": "/n", "contact": "a@b.example"})
		if string(got) != c.want || (err != nil) != (c.want == "") {
			t.Errorf("%s: withSettings(%q) = %q, %v, want %q", c.name, c.before, got, err, c.want)
		}
	}
}
