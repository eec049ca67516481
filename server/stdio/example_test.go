package stdio_test

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/research-mcp/research-mcp/server"
	"github.com/research-mcp/research-mcp/server/stdio"
)

func ExampleServe() {
	h := server.NewHandler(server.Options{Name: "example", Version: "1"})
	in := strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"ping"}` + "\n")
	if err := stdio.Serve(context.Background(), h, in, os.Stdout, nil); err != nil {
		fmt.Println(err)
	}
	// Output:
	// {"jsonrpc":"2.0","id":1,"result":{}}
}
