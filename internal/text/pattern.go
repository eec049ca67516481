package text

import (
	"regexp"
	"sync"
)

// Pattern returns a function that compiles a regular expression on its first call,
// and panics if it does not compile. Compiling all of them at start would delay a
// server's answer to initialize.
func Pattern(expr string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expr) })
}
