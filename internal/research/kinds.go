package research

import (
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/research-mcp/research-mcp/internal/text"
)

// Kinds of questions. A source of kindGeneral is asked about everything, one of
// kindOther about questions of no other kind. The values are those of package
// sources, which this package may not import.
const (
	kindGeneral  = "general"
	kindCode     = "code"
	kindScience  = "science"
	kindMedicine = "medicine"
	kindNews     = "news"
	kindOther    = "other"
)

// How strongly a word indicates a kind. Two hints count as much as one firm word;
// for a deep question a single hint suffices.
const (
	hint = 1
	firm = 2
)

// clue is what a word indicates about its question.
type clue struct {
	kind   string
	weight int
}

// clueWords are words by kind and weight; two words joined by _ count where they
// are adjacent. They are stemmed, so that one form is enough.
var clueWords = []struct {
	clue
	words string
}{
	{clue{kindCode, firm}, `golang goroutine python javascript typescript java kotlin haskell ocaml erlang elixir scala perl php sql
		postgres postgresql mysql sqlite redis kafka kubernetes docker dockerfile git github gitlab linux bash regex regexp
		linker mutex deadlock segfault stacktrace traceback stderr stdout npm webpack django numpy pandas pytorch tensorflow api sdk cli
		json yaml xml html css http https tcp grpc websocket async asyncio coroutine refactor codebase debugger debug
		programming_language software_library database concurrency multithreading backend frontend middleware unicode utf regression_test unit_test
		open_source source_code stack_trace stack_overflow garbage_collector garbage_collection null_pointer race_condition hash_table
		hash_map linked_list command_line operating_system data_structure race_detector type_system web_server file_descriptor`},
	{clue{kindCode, hint}, `rust swift ruby node react angular lua dart julia kernel thread pointer heap stack queue buffer cache framework library
		package module program software compile compiler function method class variable array string integer loop bug error exception crash server client code coding script
		syntax runtime scheduler algorithm parser token commit deploy latency throughput benchmark implement implementation interface
		install configure channel process memory leak binary encode hash recursion generic`},
	{clue{kindScience, firm}, `theorem lemma conjecture arxiv preprint doi galaxy quantum physics physicist chemistry chemical astronomy astronomer
		astrophysics cosmology neutrino photon electron boson exoplanet asteroid supernova relativity thermodynamics entropy genome genetics
		species photosynthesis enzyme molecule molecular isotope ecology ecosystem fossil dinosaur geology tectonic telescope mathematics
		mathematician algebra topology calculus biology biologist neuroscience llm superconductor black_hole dark_matter dark_energy
		string_theory big_bang machine_learning deep_learning neural_network language_model reinforcement_learning climate_change
		prime_number plate_tectonics gravitational_wave speed_light peer_reviewed crispr`},
	{clue{kindScience, hint}, `paper study studies evidence experiment hypothesis journal researcher scientist scientific proof prove equation
		particle energy planet star orbit atom cell protein gene dna evolution climate ocean earthquake volcano transformer embedding model
		neural citation survey meta-analysis theory statistics probability`},
	{clue{kindMedicine, firm}, `symptom disease dose dosage patient vaccine vaccination drug cancer tumor tumour diabetes diabetic therapy clinical
		medication antibiotic ibuprofen aspirin paracetamol acetaminophen metformin insulin infection syndrome diagnosis placebo pregnancy
		pregnant breastfeeding surgery covid influenza asthma hypertension cholesterol kidney migraine allergy allergic obesity dementia
		alzheimer parkinson hiv malaria measles tuberculosis leukemia leukaemia anemia anaemia epidemiology pharmacology pharmacokinetics mrna cardiovascular oncology medicine medical vitamin pubmed
		side_effect blood_pressure heart_attack heart_failure blood_sugar mental_health public_health controlled_trial`},
	{clue{kindMedicine, hint}, `trial study treat treatment virus blood pain heart liver brain stroke depression anxiety mortality health doctor hospital
		nutrition diet supplement sleep exercise randomized randomised cohort prognosis fever headache skin bone muscle immune antibody antigen inflammation inflammatory tissue receptor gene
		cell protein mutation mouse bacteria bacterial chronic acute risk incidence prevalence survival deficiency smoking
		tablet safe effective efficacy cure adult child`},
	{clue{kindNews, firm}, `news headline breaking latest today yesterday announce announcement election lawsuit this_week this_month this_year
		last_week last_month right_now so_far`},
	{clue{kindNews, hint}, `recent recently current currently release launch price market stock war president minister parliament government
		update upcoming event happen outage acquire acquisition ceo strike`},
}

// clues are clueWords by stem, or by two stems with a space between them.
var clues = sync.OnceValue(func() map[string][]clue {
	out := map[string][]clue{}
	for _, list := range clueWords {
		for _, word := range strings.Fields(list.words) {
			var stems []string
			for _, t := range text.Tokenize(strings.ReplaceAll(word, "_", " ")) {
				stems = append(stems, t.Term)
			}
			key := strings.Join(stems, " ")
			if !slices.Contains(out[key], list.clue) {
				out[key] = append(out[key], list.clue)
			}
		}
	}
	return out
})

// shapes are patterns that indicate a kind.
var shapes = []struct {
	kind  string
	shape func() *regexp.Regexp
}{
	{kindCode, text.Pattern("`[^`]+`")},
	{kindCode, text.Pattern(`\b[A-Za-z_]\w*(?:(?:\.|::|->)\w+)*\(\)`)},                                                                  // foo.Bar()
	{kindCode, text.Pattern(`\b\w+(?:::|->)\w+`)},                                                                                       // std::move
	{kindCode, text.Pattern(`\b[a-z]{2,}[A-Z][a-z]{3,}\w*`)},                                                                            // getElement
	{kindCode, text.Pattern(`\b[a-z]+(?:_[a-z0-9]+)+\b`)},                                                                               // snake_case
	{kindCode, text.Pattern(`(?i)\b(?:error|exception|panic|fatal|warning):`)},                                                          // error: …
	{kindCode, text.Pattern(`\b[A-Z]\w+(?:Error|Exception)\b`)},                                                                         // TypeError
	{kindCode, text.Pattern(`\bv\d+(?:\.\d+)+\b|\b\d{1,3}\.\d{1,3}\.\d{1,3}\b`)},                                                        // v1.2, 1.2.3
	{kindCode, text.Pattern(`(?i)(?:^|\s)(?:c\+\+|c#|f#|\.net\b|objective-c\b)`)},                                                       // languages whose names are not words
	{kindCode, text.Pattern(`\S\s+(Go|Rust|Swift|Ruby|Dart|Julia|Lua)\b`)},                                                              // … and whose names are, within a sentence
	{kindCode, text.Pattern(`(?:^|\s)--?[a-z][\w-]*=?\S*\s|\s--[a-z][\w-]+`)},                                                           // --flag
	{kindCode, text.Pattern(`\bgithub\.com/|\b(?:import|#include) [<"]`)},                                                               // imports
	{kindCode, text.Pattern(`\b[\w-]+\.(?:go|py|js|jsx|ts|tsx|rs|cpp|hpp|java|rb|php|sh|sql|json|yaml|yml|toml|css|html|ipynb|mod)\b`)}, // main.go
	{kindScience, text.Pattern(`\b\d{4}\.\d{4,5}(?:v\d+)?\b`)},                                                                          // an arXiv number
	{kindScience, text.Pattern(`\b10\.\d{4,9}/\S+`)},                                                                                    // a DOI
	{kindScience, text.Pattern(`(?i)\bet al\b`)},
	{kindMedicine, text.Pattern(`(?i)\b\d+(?:\.\d+)?\s?(?:mg|mcg|µg|ml)\b`)},                         // a dose
	{kindMedicine, text.Pattern(`(?i)\b[a-z]{3,}(?:itis|ectomy|cytes?|kinases?|statins?|cillin)\b`)}, // endings of medical terms
	{kindMedicine, text.Pattern(`\bPMID:? ?\d+`)},
}

// yearNumber is a year of this century.
var yearNumber = text.Pattern(`\b20\d\d\b`)

// finding is a kind of a question, and the words that indicate it.
type finding struct {
	kind   string
	weight int
	words  []string // as they were written, the firm ones first
	firm   int      // of the words
}

// maxClassified is how much of a question is examined, in bytes: its subject
// comes early, and planning must cost nothing.
const maxClassified = 4000

// kindsOf returns the kinds of a question whose weight is least or more, the
// heaviest first. It depends on nothing but the question, its keywords, in which
// "it" is resolved, and the present year. Most questions have no kind.
func kindsOf(question string, keywords []string, year, least int) []finding {
	question, _ = text.Cut(question, maxClassified)
	found := map[string]*finding{}
	add := func(c clue, word string) {
		f := found[c.kind]
		if f == nil {
			f = &finding{kind: c.kind}
			found[c.kind] = f
		}
		f.weight += c.weight
		if c.weight == firm {
			f.words = slices.Insert(f.words, f.firm, word)
			f.firm++
		} else {
			f.words = append(f.words, word)
		}
	}
	for _, s := range shapes {
		if m := s.shape().FindStringSubmatch(question); m != nil { // the last group is the word to show
			add(clue{s.kind, firm}, strings.Trim(m[len(m)-1], " `\n\t"))
		}
	}
	for _, y := range yearNumber().FindAllString(question, -1) {
		if n := 2000 + int(y[2]-'0')*10 + int(y[3]-'0'); n >= year {
			add(clue{kindNews, firm}, y)
			break
		}
	}
	readWords(strings.Join(append([]string{question}, keywords...), "\n"), add)
	out := []finding{}
	for _, kind := range []string{kindCode, kindScience, kindMedicine, kindNews} {
		if f := found[kind]; f != nil && f.weight >= least {
			out = append(out, *f)
		}
	}
	slices.SortStableFunc(out, func(a, b finding) int { return b.weight - a.weight })
	return out
}

// readWords adds the clues of each word and each pair of adjacent words, once.
func readWords(s string, add func(clue, string)) {
	seen := map[string]bool{}
	tokens := text.Tokenize(s)
	read := func(key, word string) {
		if seen[key] {
			return
		}
		seen[key] = true
		for _, c := range clues()[key] {
			add(c, word)
		}
	}
	for i, t := range tokens {
		read(t.Term, t.Word)
		if i > 0 {
			read(tokens[i-1].Term+" "+t.Term, tokens[i-1].Word+" "+t.Word)
		}
	}
}
