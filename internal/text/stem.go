package text

import (
	"hash/maphash"
	"strings"
	"sync/atomic"

	"github.com/blevesearch/snowballstem"
	"github.com/blevesearch/snowballstem/arabic"
	"github.com/blevesearch/snowballstem/danish"
	"github.com/blevesearch/snowballstem/dutch"
	stemenglish "github.com/blevesearch/snowballstem/english"
	"github.com/blevesearch/snowballstem/finnish"
	"github.com/blevesearch/snowballstem/french"
	"github.com/blevesearch/snowballstem/german"
	"github.com/blevesearch/snowballstem/hungarian"
	"github.com/blevesearch/snowballstem/italian"
	"github.com/blevesearch/snowballstem/norwegian"
	"github.com/blevesearch/snowballstem/portuguese"
	"github.com/blevesearch/snowballstem/romanian"
	"github.com/blevesearch/snowballstem/russian"
	"github.com/blevesearch/snowballstem/spanish"
	"github.com/blevesearch/snowballstem/swedish"
	"github.com/blevesearch/snowballstem/tamil"
	"github.com/blevesearch/snowballstem/turkish"
)

// stemmerOf returns Snowball's stemmer of a language, or nil if it has none.
func stemmerOf(language string) func(*snowballstem.Env) bool {
	switch language {
	case english:
		return stemenglish.Stem
	case "ar":
		return arabic.Stem
	case "da":
		return danish.Stem
	case "de":
		return german.Stem
	case "es":
		return spanish.Stem
	case "fi":
		return finnish.Stem
	case "fr":
		return french.Stem
	case "hu":
		return hungarian.Stem
	case "it":
		return italian.Stem
	case "nl":
		return dutch.Stem
	case "no", "nb", "nn":
		return norwegian.Stem
	case "pt":
		return portuguese.Stem
	case "ro":
		return romanian.Stem
	case "ru":
		return russian.Stem
	case "sv":
		return swedish.Stem
	case "ta":
		return tamil.Stem
	case "tr":
		return turkish.Stem
	}
	return nil
}

// cacheSize is the number of cached stems. Most words recur, and the stemmer costs
// a hundred times what a look-up does.
const cacheSize = 1 << 14

// longestCached bounds the memory of the cache.
const longestCached = 32 // bytes of a word

type stemmed struct{ word, language, stem string }

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
	return stemIn(w, english)
}

// stemIn returns the stem of a word in lower case, or the word if there is no stemmer
// of its language.
func stemIn(w, language string) string {
	if len(w) > longestCached {
		return runStemmer(w, language)
	}
	slot := &stems[maphash.String(stemSeed, w)%cacheSize]
	if s := slot.Load(); s != nil && s.word == w && s.language == language {
		return s.stem
	}
	// Cloned: a word is often a slice of a whole document.
	w = strings.Clone(w)
	s := &stemmed{word: w, language: language, stem: runStemmer(w, language)}
	slot.Store(s)
	return s.stem
}

func runStemmer(w, language string) string {
	stem := stemmerOf(language)
	if stem == nil {
		return w
	}
	env := snowballstem.NewEnv(w)
	stem(env)
	return env.Current()
}
