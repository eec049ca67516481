package http

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// What a client sends for others cannot fill the disk: neither by its length nor by its
// number, in one session or in many.
func TestFolderIsBounded(t *testing.T) {
	t.Parallel()
	r := NewFolder(filepath.Join(t.TempDir(), "relay"))
	r.sessions, r.ofCaller = 3, 2
	one := Address{"", "ada", "one"}
	if err := r.Put(t.Context(), one, bytes.Repeat([]byte("x"), relayLongest+1)); err == nil {
		t.Error("a long message was kept")
	}
	for range relayMost + 2 {
		if err := r.Put(t.Context(), one, []byte("{}")); err != nil {
			t.Fatal(err)
		}
	}
	if kept, err := os.ReadDir(r.of(one)); err != nil || len(kept) != relayMost {
		t.Errorf("%d messages of one session wait, %v, want %d", len(kept), err, relayMost)
	}
	if err := r.Put(t.Context(), Address{"", "ada", "two"}, []byte("{}")); err != nil {
		t.Errorf("the last session that may wait: %v", err)
	}
	if err := r.Put(t.Context(), Address{"", "ada", "three"}, []byte("{}")); err == nil {
		t.Error("messages for more sessions than may be wait")
	}
	if err := r.Put(t.Context(), Address{"", "bob", "one"}, []byte("{}")); err != nil {
		t.Errorf("one caller took the room of another: %v", err)
	}
	if err := r.Put(t.Context(), Address{"", "cy", "one"}, []byte("{}")); err == nil {
		t.Error("messages for more sessions than may be of all callers wait")
	}
	if err := r.Put(t.Context(), one, []byte("{}")); err != nil {
		t.Errorf("a session that has its folder: %v", err)
	}
}
