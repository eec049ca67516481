package main

import "testing"

func TestPaused(t *testing.T) {
	t.Parallel()
	for breaker, want := range map[string]string{
		"": "", "closed": "", "a.example:443: closed": "",
		"open until 12:00:30 UTC":                "paused until 12:00:30 UTC",
		"a.example:443: open until 12:00:30 UTC": "a.example:443: paused until 12:00:30 UTC",
		"half-open":                              "paused until its next request succeeds",
	} {
		if got := paused(breaker); got != want {
			t.Errorf("paused(%q) = %q, want %q", breaker, got, want)
		}
	}
}
