//go:build !linux

package isolate_test

import "github.com/research-mcp/research-mcp/internal/isolate"

func linuxDeeds() map[string][]string { return nil }

func tryLinux(func(string, error)) {}

func linuxTasks() map[string]isolate.Task { return nil }
