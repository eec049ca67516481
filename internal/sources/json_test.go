package sources

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCappedListLimit(t *testing.T) {
	t.Parallel()
	many := func(item, between string) string { return strings.Repeat(item+between, 100_000) + item }
	var a crossrefAnswer
	decodeJSON(t, []byte(`{"status":"ok","message":{"items":[{"title":[`+many("1", ",")+`],"author":[`+many("{}", ",")+`]},`+many("{}", ",")+`]}}`), &a)
	works, ok := decodeEach[crossrefWork](a.Message.v.Items)
	if !ok || len(works) != maxItems || cap(a.Message.v.Items) > 2*maxItems {
		t.Fatalf("%d works, room for %d, want %d and little more room", len(works), cap(a.Message.v.Items), maxItems)
	}
	if n, m := len(works[0].Title.v), len(works[0].Authors.v); n != maxItems || m != maxItems {
		t.Errorf("%d titles and %d authors, want %d of each", n, m, maxItems)
	}
	var feed arxivFeed
	err := decodeXML([]byte(`<feed xmlns="http://www.w3.org/2005/Atom"><entry>`+many("<author/>", "")+`</entry>`+many("<entry/>", "")+`</feed>`), &feed)
	if err != nil || len(feed.Entries) != maxItems || cap(feed.Entries) > 2*maxItems || len(feed.Entries[0].Authors) != maxItems {
		t.Errorf("%v, %d entries, room for %d", err, len(feed.Entries), cap(feed.Entries))
	}
}

func TestCappedListDecoding(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]capped[int]{
		`{}`: nil, `{"l":null}`: nil, `{"l":[]}`: {}, `{"l":[3,1]}`: {3, 1},
	} {
		var v struct {
			L capped[int] `json:"l"`
		}
		decodeJSON(t, []byte(body), &v)
		if diff := cmp.Diff(want, v.L); diff != "" {
			t.Errorf("%s (-want +got):\n%s", body, diff)
		}
	}
	for _, body := range []string{`{}`, `"x"`, `1`, `["x"]`, `[1,{}]`} {
		var l capped[int]
		if err := json.Unmarshal([]byte(body), &l); err == nil {
			t.Errorf("%s = %v, want an error", body, l)
		}
	}
}
