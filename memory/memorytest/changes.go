package memorytest

import (
	"slices"
	"testing"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/contract"
)

func changes(t *testing.T, m contract.Memory, since contract.Position) contract.Changes {
	t.Helper()
	c, err := m.Changes(t.Context(), since)
	if err != nil {
		t.Fatalf("Changes(%q) = %v", since, err)
	}
	if c.Documents == nil || c.Next == "" || c.Reset {
		t.Fatalf("Changes(%q) = %+v, want documents that are not nil, a next position and no reset", since, c)
	}
	return c
}

func changedIDs(c contract.Changes) []string {
	out := []string{}
	for _, d := range c.Documents {
		out = append(out, d.ID)
	}
	return out
}

func (s suite) changes(t *testing.T) {
	m := s.start(t)
	put(t, m, Doc("before", "A text from before."))
	begin := changes(t, m, "")
	if len(begin.Documents) != 0 {
		t.Errorf("Changes without a position = %q, want none", changedIDs(begin))
	}
	if c := changes(t, m, begin.Next); len(c.Documents) != 0 || c.Next != begin.Next {
		t.Errorf("Changes of nothing = %+v, want none and the same position", c)
	}
	put(t, m, Doc("one", "A text about otters."))
	put(t, m, Doc("two", "A text about beavers."))
	put(t, m, Doc("one", "Another text about otters."))
	first := changes(t, m, begin.Next)
	if got := changedIDs(first); !slices.Equal(got, []string{"two", "one"}) {
		t.Errorf("Changes = %q, want each once, in the order of their last change", got)
	}
	if c := changes(t, m, first.Next); len(c.Documents) != 0 {
		t.Errorf("the same changes are reported again: %q", changedIDs(c))
	}
	if got := changedIDs(changes(t, m, begin.Next)); len(got) != 2 {
		t.Errorf("an earlier position = %q, want the same two again", got)
	}

	if r := put(t, m, Doc("one", "Another text about otters.")); !r.Deduplicated {
		t.Fatal(r)
	}
	forget(t, m, contract.Selector{IDs: []string{"two"}})
	removed := changes(t, m, first.Next)
	if len(removed.Documents) != 1 || removed.Documents[0].ID != "" {
		t.Fatalf("Changes after a Forget = %+v, want one without an id", removed.Documents)
	}
	if want := first.Documents[0].Key; removed.Documents[0].Key != want {
		t.Errorf("the key of the removed document is %q, was %q", removed.Documents[0].Key, want)
	}
	put(t, m, Doc("two", "A text about beavers."))
	if back := changes(t, m, removed.Next).Documents; len(back) != 1 || back[0].ID != "two" || back[0].Key == removed.Documents[0].Key {
		t.Errorf("Changes after it was put again = %+v, want a new key", back)
	}

	at := changes(t, m, "").Next
	other := Chunks("A text about beavers.")
	other.Model.Revision = "2"
	if _, err := m.Put(t.Context(), Doc("two", "A text about beavers."), other); err != nil {
		t.Fatal(err)
	}
	if got := changedIDs(changes(t, m, at)); !slices.Equal(got, []string{"two"}) {
		t.Errorf("Changes after new vectors = %q, want two", got)
	}
}

// A reader that follows the changes of another handle knows what is stored.
func (s suite) changesByOthers(t *testing.T) {
	dir := t.TempDir()
	writer, reader := s.at(t, dir), s.at(t, dir)
	at, known := changes(t, reader, "").Next, map[string]string{}
	follow := func() {
		t.Helper()
		c := changes(t, reader, at)
		at = c.Next
		for _, d := range c.Documents {
			if d.ID == "" {
				delete(known, d.Key)
				continue
			}
			known[d.Key] = d.ID
		}
	}
	for _, id := range []string{"a", "b", "c"} {
		put(t, writer, Doc(id, "A text named "+id+"."))
		follow()
	}
	forget(t, writer, contract.Selector{IDs: []string{"b"}})
	put(t, writer, Doc("d", "A text named d."))
	follow()
	got := []string{}
	for _, id := range known {
		got = append(got, id)
	}
	slices.Sort(got)
	if want := []string{"a", "c", "d"}; !slices.Equal(got, want) {
		t.Errorf("the follower knows %q, want %q", got, want)
	}
	if _, err := writer.Put(t.Context(), Doc("", "refused"), evidence.Chunks{}); err == nil {
		t.Fatal("a document without an id was stored")
	}
	if c := changes(t, reader, at); len(c.Documents) != 0 {
		t.Errorf("a refused Put is reported: %+v", c.Documents)
	}
}

func (s suite) changesBadPosition(t *testing.T) {
	m := s.start(t)
	_, err := m.Changes(t.Context(), "not a position")
	wantProblem(t, err, "not a position")
	ahead := s.start(t)
	for range 3 {
		seed(t, ahead)
		forget(t, ahead, contract.Selector{Source: "test", Confirm: true})
	}
	// As after an older backup was restored: the position is not of this feed.
	c, err := m.Changes(t.Context(), changes(t, ahead, "").Next)
	if err != nil || !c.Reset || len(c.Documents) != 0 || c.Next == "" {
		t.Errorf("Changes since a position that the feed has not reached = %+v, %v, want a reset", c, err)
	}
}
