package isolate_test

import (
	"context"
	"fmt"
	"strings"

	"github.com/research-mcp/research-mcp/internal/isolate"
)

// A program calls ChildMain first thing in main, so that the same binary is the
// parent and the child:
//
//	func main() {
//		tasks := map[string]isolate.Task{"upper": upper}
//		if code, isChild := isolate.ChildMain(os.Args, tasks, os.Stdin, os.Stdout, os.Stderr); isChild {
//			os.Exit(code)
//		}
//		…
//	}
func ExamplePool() {
	pool, err := isolate.NewPool(isolate.Options{}) // starts its first child when Run needs it
	if err != nil {
		fmt.Println(err)
		return
	}
	defer pool.Close()

	var out string
	err = pool.Run(context.Background(), "upper", "untrusted text", &out)
	fmt.Println(out, err)

	err = pool.Run(context.Background(), "panic", nil, &out)
	fmt.Println(err)
	// Output:
	// UNTRUSTED TEXT <nil>
	// task panic: isolated process crashed: exit status 2
}

// upper is the task of the example.
var upper = isolate.JSON(func(_ context.Context, in string) (string, error) {
	return strings.ToUpper(in), nil
})
