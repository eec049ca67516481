package text

import (
	"hash/maphash"
	"strings"
	"sync/atomic"

	"github.com/kljensen/snowball/english"
)

// cacheSize is the number of cached stems. Most words recur, and the stemmer costs
// a hundred times what a look-up does.
const cacheSize = 1 << 14

// longestCached bounds the memory of the cache.
const longestCached = 32 // bytes of a word

type stemmed struct{ word, stem string }

// stems caches the results of a pure function, so concurrent readers and writers
// need no order. A word that collides with another is stemmed again.
var (
	stems    [cacheSize]atomic.Pointer[stemmed]
	stemSeed = maphash.MakeSeed()
)

// stemOf returns words that the English stemmer does not know unchanged: those with
// digits and those of other scripts.
func stemOf(w string) string {
	if len(w) < 3 {
		return w
	}
	for i := 0; i < len(w); i++ {
		if c := w[i]; (c < 'a' || c > 'z') && c != '\'' {
			return w
		}
	}
	if len(w) > longestCached {
		return english.Stem(w, true)
	}
	slot := &stems[maphash.String(stemSeed, w)%cacheSize]
	if s := slot.Load(); s != nil && s.word == w {
		return s.stem
	}
	// Cloned: a word is often a slice of a whole document.
	s := &stemmed{word: strings.Clone(w), stem: english.Stem(w, true)}
	slot.Store(s)
	return s.stem
}
