//go:build !linux

package minilm

func release() {}
