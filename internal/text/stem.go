package text

import (
	"hash/maphash"
	"strings"
	"sync/atomic"

	"github.com/kljensen/snowball/english"
)

// memoSize is how many stems are remembered. Words come back all the time, and
// the stemmer costs a hundred times what a look-up does.
const memoSize = 1 << 14

// longestMemo bounds what the memo can hold on to.
const longestMemo = 32 // bytes of a word

type stemmed struct{ word, stem string }

// stems remember pure results, so that who reads or replaces an entry when
// makes no difference to anybody: a word that collides is stemmed anew.
var (
	stems    [memoSize]atomic.Pointer[stemmed]
	stemSeed = maphash.MakeSeed()
)

// stemOf leaves alone what the English stemmer does not understand: words with
// digits and words of other scripts.
func stemOf(w string) string {
	if len(w) < 3 {
		return w
	}
	for i := 0; i < len(w); i++ {
		if c := w[i]; (c < 'a' || c > 'z') && c != '\'' {
			return w
		}
	}
	if len(w) > longestMemo {
		return english.Stem(w, true)
	}
	slot := &stems[maphash.String(stemSeed, w)%memoSize]
	if s := slot.Load(); s != nil && s.word == w {
		return s.stem
	}
	// Cloned: a word is often a slice of a whole document.
	s := &stemmed{word: strings.Clone(w), stem: english.Stem(w, true)}
	slot.Store(s)
	return s.stem
}
