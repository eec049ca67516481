package minilm

import (
	"strings"
	"testing"
)

func TestWeightsAreGivenUpOnlyWhereAFileHasThem(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		maps string
		want bool
	}{
		"a file":                  {"00400000-02f00000 r--p 00001000 fe:00 1234 /usr/bin/research-mcp\n", true},
		"memory of the process":   {"00400000-02f00000 r--p 00000000 00:00 0 \n", false},
		"a file that is writable": {"00400000-02f00000 rw-p 00001000 fe:00 1234 /usr/bin/research-mcp\n", false},
		"a part of them":          {"00400000-00900000 r--p 00001000 fe:00 1234 /usr/bin/research-mcp\n", false},
		"elsewhere":               {"7f0000000000-7f0002f00000 r--p 00000000 fe:00 99 /lib/libc.so\nbroken line\n", false},
		"after others":            {"00100000-00400000 r-xp 00000000 fe:00 1 /a\n00400000-02f00000 r--p 00001000 fe:00 1234 /usr/bin/a b\n", true},
		"nothing":                 {"", false},
	} {
		if got := inFile(strings.NewReader(test.maps), 0x00500000, 0x01600000); got != test.want {
			t.Errorf("%s: %t, want %t", name, got, test.want)
		}
	}
	if !backed() {
		t.Error("the test binary's own weights are not in its file")
	}
}
