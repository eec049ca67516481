package main

import "testing"

// TestInterruptAtThePrompt: Ctrl-C as a signal gives the line up while one is typed,
// and ends the program before and after.
func TestInterruptAtThePrompt(t *testing.T) {
	t.Parallel()
	var i interrupts
	if i.handle() {
		t.Error("an interrupt was handled though nothing could be interrupted")
	}
	given := 0
	done := i.atPrompt(func() { given++ })
	first, second := i.handle(), i.handle()
	if !first || !second || given != 2 {
		t.Errorf("at the prompt %d of 2 interrupts gave the line up", given)
	}
	done()
	if i.handle() || given != 2 {
		t.Error("an interrupt after the prompt gave a line up")
	}
}
