//go:build !unix

package isolate_test

import "github.com/research-mcp/research-mcp/internal/isolate"

const envMiddle = "ISOLATE_TEST_MIDDLE"

func middle() int { return 1 }

func unreaped() string { return "" }

func unixTasks() map[string]isolate.Task { return nil }
