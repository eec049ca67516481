package text

import (
	_ "embed"
	"strings"
	"sync"
	"unicode"

	"github.com/abadojack/whatlanggo"
)

//go:embed functionwords.txt
var functionWordsFile string

// english is the language of texts of which no other is known.
const english = "en"

// languageSet is a set of languages that have a list of function words, as bits by
// their places in functionWordLists.languages.
type languageSet uint16

// functionWordLists are the function words of all languages that have a list.
type functionWordLists struct {
	languages []string
	of        map[string]languageSet // by word in lower case
}

var functionWords = sync.OnceValue(func() functionWordLists {
	out := functionWordLists{of: map[string]languageSet{}}
	for line := range strings.Lines(functionWordsFile) {
		language, words, ok := strings.Cut(line, ":")
		if !ok || strings.HasPrefix(line, "#") {
			continue
		}
		bit := languageSet(1) << len(out.languages)
		out.languages = append(out.languages, language)
		for w := range strings.FieldsSeq(words) {
			out.of[w] |= bit
		}
	}
	return out
})

// IsFunctionWord reports whether a word is a function word of the language. It is
// false for a language without a list.
func IsFunctionWord(word, language string) bool {
	word = strings.ToLower(word)
	lists := functionWords()
	for i, l := range lists.languages {
		if l == language {
			return lists.of[word]&(1<<i) != 0
		}
	}
	return false
}

const (
	maxDetected  = 4000 // bytes of a text that tell its language
	minFunction  = 2    // function words that tell a language without its trigrams
	minDetection = 60   // letters from which trigrams alone tell a language
	maxTrigrams  = 1000 // bytes that are compared by trigrams, which is slow
)

// DetectLanguage returns the language of a text as a code of ISO 639-1, or an empty
// string if it cannot be told: a few words of a Latin script may be of any language.
// It counts function words, and compares trigrams of letters.
func DetectLanguage(s string) string {
	s, _ = Cut(s, maxDetected)
	script, letters := mainScript(s)
	switch script {
	case nil:
		return ""
	case unicode.Latin:
		return latinLanguage(s, letters)
	case unicode.Cyrillic:
		return cyrillicLanguage(s, letters)
	case unicode.Arabic, unicode.Devanagari:
		if info := trigrams(s); letters >= minDetection && info.IsReliable() {
			return info.Lang.Iso6391()
		}
	}
	for _, l := range scriptLanguages {
		if l.script == script {
			return l.language
		}
	}
	return ""
}

// scriptLanguages are scripts that have one language, or one that is far more
// frequent than the others. Han is Japanese where there is kana.
var scriptLanguages = []struct {
	script   *unicode.RangeTable
	language string
}{
	{unicode.Hiragana, "ja"}, {unicode.Katakana, "ja"}, {unicode.Hangul, "ko"}, {unicode.Han, "zh"}, {unicode.Thai, "th"},
	{unicode.Greek, "el"}, {unicode.Hebrew, "he"}, {unicode.Arabic, "ar"}, {unicode.Devanagari, "hi"}, {unicode.Tamil, "ta"},
	{unicode.Bengali, "bn"}, {unicode.Telugu, "te"}, {unicode.Georgian, "ka"}, {unicode.Armenian, "hy"}, {unicode.Khmer, "km"}, {unicode.Lao, "lo"},
}

// mainScript is the script of most letters of s, and how many letters it has.
func mainScript(s string) (*unicode.RangeTable, int) {
	counts := map[*unicode.RangeTable]int{}
	letters := 0
	for _, r := range s {
		if !unicode.IsLetter(r) {
			continue
		}
		letters++
		switch {
		case r < 0x250:
			counts[unicode.Latin]++
		case unicode.Is(unicode.Cyrillic, r):
			counts[unicode.Cyrillic]++
		default:
			for _, l := range scriptLanguages {
				if unicode.Is(l.script, r) {
					counts[l.script]++
					break
				}
			}
		}
	}
	if kana := counts[unicode.Hiragana] + counts[unicode.Katakana]; kana*5 > counts[unicode.Han] && kana > 0 {
		counts[unicode.Hiragana] = kana + counts[unicode.Han]
		delete(counts, unicode.Han)
	}
	var best *unicode.RangeTable
	for _, script := range []*unicode.RangeTable{unicode.Latin, unicode.Cyrillic} {
		if counts[script] > counts[best] {
			best = script
		}
	}
	for _, l := range scriptLanguages {
		if counts[l.script] > counts[best] {
			best = l.script
		}
	}
	return best, letters
}

// cyrillicLanguage tells Russian from its neighbours by their letters, and the
// others by their trigrams.
func cyrillicLanguage(s string, letters int) string {
	switch {
	case strings.ContainsAny(s, "іїєґІЇЄҐ") && !strings.ContainsAny(s, "ыэъЫЭЪўЎ"):
		return "uk"
	case strings.ContainsAny(s, "ўЎ"):
		return "be"
	}
	if info := trigrams(s); letters >= minDetection && info.IsReliable() {
		return info.Lang.Iso6391()
	}
	return "ru"
}

// latinLanguage compares the numbers of function words. Where they are too few, the
// trigrams have to agree with them.
func latinLanguage(s string, letters int) string {
	lists := functionWords()
	hits := make([]int, len(lists.languages))
	for w := range strings.FieldsFuncSeq(strings.ToLower(s), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsMark(r) }) {
		for i, set := 0, lists.of[w]; set != 0; i, set = i+1, set>>1 {
			hits[i] += int(set & 1)
		}
	}
	best, second, inEnglish := 0, 0, 0
	for i, n := range hits {
		switch {
		case n > hits[best]:
			best, second = i, hits[best]
		case i != best:
			second = max(second, n)
		}
		if lists.languages[i] == english {
			inEnglish = n
		}
	}
	if n := hits[best]; n >= minFunction && n > second {
		return lists.languages[best]
	}
	if hits[best] == 0 && letters < minDetection {
		return "" // the trigrams alone would not tell
	}
	info := trigrams(s)
	guess := info.Lang.Iso6391()
	for i, l := range lists.languages {
		if l == guess && hits[i] > 0 && hits[i] >= hits[best] && (hits[i] > inEnglish || guess == english) {
			return guess
		}
	}
	if letters >= minDetection && info.IsReliable() && hits[best] == 0 {
		return guess
	}
	if n := hits[best]; n > second && n > inEnglish && hasAccent(s) {
		return lists.languages[best]
	}
	return ""
}

// hasAccent reports whether s has a letter that English writes in loan words alone.
func hasAccent(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r > 0xBF && unicode.Is(unicode.Latin, r) })
}

// trigrams compares the trigrams of letters with those of many languages.
func trigrams(s string) whatlanggo.Info {
	s, _ = Cut(s, maxTrigrams)
	return whatlanggo.Detect(s)
}
