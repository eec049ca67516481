package prompt

import (
	"crypto/rand"
	"encoding/base32"
	"strings"
)

// Measure returns a prompt of about 150 tokens to measure a model with. Its beginning
// differs each time, so that no part of it is in a server's cache.
func Measure() []Message {
	body := Nonce() + " " + strings.Repeat("the quick brown fox jumps over a lazy dog, ", 12) + "What does it jump over? Tell it as a story."
	return []Message{{Role: "user", Content: body}}
}

// Nonce returns a word that nobody can have guessed.
func Nonce() string {
	var b [10]byte
	_, _ = rand.Read(b[:]) // it never fails: the program would end instead
	return "b_" + strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b[:]))
}
