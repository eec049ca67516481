package text

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// TokenizeIn is Tokenize of a text in a language, whose function words are Stop too.
func TokenizeIn(s, language string) []Token {
	tokens := Tokenize(s)
	if language == "" || language == english {
		return tokens
	}
	for i, t := range tokens {
		tokens[i].Stop = t.Stop || IsFunctionWord(s[t.Start:t.End], language)
	}
	return tokens
}

// IndexTerms are the terms by which a passage is found: those of Terms, with the
// other forms of each word that OtherForms gives. language is the passage's, as
// DetectLanguage returns it; empty: it is detected.
func IndexTerms(s, language string) []string {
	if language == "" {
		language = DetectLanguage(s)
	}
	tokens := TokenizeIn(s, language)
	out := make([]string, 0, len(tokens))
	for _, t := range tokens {
		if t.Stop {
			continue
		}
		out = append(out, t.Term)
		out = append(out, OtherForms(s, t, language)...)
	}
	return out
}

// SearchTerms are the distinct terms of a question that are looked for among
// IndexTerms, in order of appearance, without function words unless there are no
// others.
func SearchTerms(s string) []string {
	var out []string
	for _, term := range IndexTerms(s, "") {
		if !slices.Contains(out, term) {
			out = append(out, term)
		}
	}
	if len(out) == 0 {
		return QueryTerms(s)
	}
	return out
}

// OtherForms are the terms that a token of s has besides its Term, each once: the
// stem in the language of the text or the script, the spelling in which case is
// folded (ss for ß), and the stems of the parts of an identifier.
func OtherForms(s string, t Token, language string) []string {
	raw := s[t.Start:t.End]
	if plainWord(raw) && (language == english || language == "") {
		return nil
	}
	var out []string
	add := func(term string) {
		if term != "" && term != t.Term && !slices.Contains(out, term) {
			out = append(out, term)
		}
	}
	if l := languageOfWord(raw, language); l != english {
		add(Fold(stemIn(strings.ToLower(raw), l)))
	}
	if w := foldCase(t.Word); w != t.Word {
		add(stemOf(w))
	}
	for _, part := range identifierParts(raw) {
		if w := Fold(part); !IsStop(w) {
			add(stemOf(w))
		}
	}
	return out
}

// plainWord reports whether s is lower-case ASCII letters, maybe after a capital.
func plainWord(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && (i > 0 || c < 'A' || c > 'Z') {
			return false
		}
	}
	return true
}

// languageOfWord is the language by which a word is stemmed. Words in scripts that
// have few languages are stemmed without knowing that of the text, so that a
// question of two words finds what it should.
func languageOfWord(w, language string) string {
	r, _ := utf8.DecodeRuneInString(w)
	switch {
	case r < utf8.RuneSelf || unicode.Is(unicode.Latin, r):
		if language == "" || language == "ru" || language == "ar" || language == "ta" {
			return english
		}
		return language
	case unicode.Is(unicode.Cyrillic, r):
		return "ru"
	case unicode.Is(unicode.Arabic, r):
		return "ar"
	case unicode.Is(unicode.Tamil, r):
		return "ta"
	}
	return english
}

// foldCase folds what strings.ToLower leaves: ß is ss in capitals, and a final sigma
// is a sigma.
func foldCase(w string) string {
	if isASCII(w) {
		return w
	}
	return strings.NewReplacer("ß", "ss", "ẞ", "ss", "ς", "σ").Replace(w)
}

// Bounds of an identifier: of its bytes, and of the parts that are read.
const (
	maxIdentifier = 200
	maxParts      = 8
)

// wholeNames are written like identifiers, and no one looks for their parts.
var wholeNames = nameSet(`javascript typescript github gitlab youtube postgresql mysql sqlite linkedin facebook paypal wordpress powerpoint
	openai chatgpt deepmind macbook latex bibtex iphone ipad ebay mongodb duckdb graphql pubmed biorxiv arxiv livescript coffeescript actionscript
	mcdonald macdonald onedrive dropbox airbnb whatsapp tiktok soundcloud fedex freebsd openbsd netbsd opensuse mediawiki wikidata`)

// nameParticles begin family names with a capital inside.
var nameParticles = map[string]bool{"Mc": true, "Mac": true, "Fitz": true, "De": true, "Del": true, "Di": true, "Du": true, "El": true, "La": true, "Le": true, "Van": true, "Von": true}

// identifierParts are the words of an identifier: get, User, By and Id of
// getUserById, snake and case of snake_case, os and path of os.path. It is empty for
// any other word.
func identifierParts(w string) []string {
	w, _, _ = strings.Cut(strings.ReplaceAll(w, "’", "'"), "'") // the user's
	if len(w) < 4 || len(w) > maxIdentifier || wholeNames[strings.ToLower(w)] {
		return nil
	}
	var parts []string
	for field := range strings.FieldsFuncSeq(w, func(r rune) bool { return r == '_' || r == '.' || r == ':' }) {
		parts = append(parts, humps(field)...)
	}
	if len(parts) < 2 {
		return nil
	}
	parts = slices.DeleteFunc(parts, func(p string) bool {
		return utf8.RuneCountInString(p) < 2 || strings.IndexFunc(p, unicode.IsLetter) < 0
	})
	if len(parts) < 2 || len(parts) == 2 && nameParticles[parts[0]] { // iMac, McKinley
		return nil
	}
	return parts[:min(len(parts), maxParts)]
}

// humps cuts s before each capital that begins a word: HTTP, Server and Name of
// HTTPServerName. A name of capitals and digits, as D1NZ, is one word.
func humps(s string) []string {
	if strings.IndexFunc(s, unicode.IsLower) < 0 {
		return []string{s}
	}
	runes := []rune(s)
	var out []string
	start := 0
	for i := 1; i < len(runes); i++ {
		ends := !unicode.IsUpper(runes[i-1]) // of a word in lower case
		begins := i+1 < len(runes) && unicode.IsLower(runes[i+1])
		if unicode.IsUpper(runes[i]) && (ends || begins) {
			out = append(out, string(runes[start:i]))
			start = i
		}
	}
	return append(out, string(runes[start:]))
}
