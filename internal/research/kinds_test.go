package research

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/research-mcp/research-mcp/internal/evidence"
)

const thisYear = 2026

func TestKindsOfQuestions(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ question, want string }{
		{"What is a goroutine?", "code"},
		{"How does Go schedule goroutines?", "code"},
		{"Why does http.Get() leak when the body is not closed?", "code"},
		{"panic: runtime error: index out of range [3] with length 3", "code"},
		{"How do I fix TypeError: 'NoneType' object is not subscriptable", "code"},
		{"What changed between v1.24 and v1.25?", "code"},
		{"How do I undo the last git commit?", "code"},
		{"what does std::move do", "code"},
		{"Difference between C++ templates and Rust generics", "code"},
		{"Where is max_connections set in PostgreSQL?", "code"},
		{"What does `defer` cost?", "code"},
		{"Is main.go allowed to be in a folder called internal?", "code"},
		{"What does tar --strip-components do?", "code"},
		{"Is a mutex faster than a channel?", "code"},
		{"How do I use pandas in a Kubernetes job?", "code"},
		{"What is the regex for an e-mail address?", "code"},
		{"Who proved Fermat's last theorem?", "science"},
		{"How far away is the Andromeda galaxy?", "science"},
		{"What is quantum entanglement?", "science"},
		{"Summarize arXiv 1706.03762", "science"},
		{"Which paper first described the experiment of Michelson and Morley?", "science"},
		{"How do black holes evaporate?", "science"},
		{"What did Vaswani et al propose?", "science"},
		{"How does machine learning differ from statistics?", "science"},
		{"How old is the oldest dinosaur fossil?", "science"},
		{"Why are superconductors cooled?", "science"},
		{"Is 400 mg of ibuprofen safe for an adult?", "medicine"},
		{"What are the symptoms of type 2 diabetes?", "medicine"},
		{"Which vaccine prevents shingles?", "medicine"},
		{"Does vitamin D help against depression?", "medicine"},
		{"What is the usual dose of metformin?", "medicine"},
		{"What causes high blood pressure?", "medicine"},
		{"Did the trial show an effect of the treatment?", "medicine"},
		{"Is bronchitis contagious?", "medicine"},
		{"Why did the college end its admission program?", ""},
		{"What is the latest news about the Mars rover?", "news"},
		{"What was announced at the conference this week?", "news"},
		{"Who won the election in Norway?", "news"},
		{"Who is the current president of France?", "news"},
		{"What happened in 2026?", "news"},
		{"Which version of Python was released this year?", "news code"},
		{"What do studies say about mRNA vaccines and the immune system?", "medicine"},
		{"Is there a quantum algorithm in Python for molecules?", "science code"},
		{"Latest clinical trial of an Alzheimer's drug", "medicine news"},
		{"How does attention work in a transformer?", ""},
		{"How do BERT and GPT differ in the way they are trained?", ""},
		{"Which of those models were introduced in 2018, and by whom?", ""},
		{"Who wrote The Magic Mountain?", ""},
		{"What is the capital of Mongolia?", ""},
		{"How is sourdough bread made?", ""},
		{"Where do I go to buy a violin?", ""},
		{"Why did the Roman Empire fall?", ""},
		{"When was Mozart born?", ""},
		{"What is the plot of the film Heat?", ""},
		{"Wie funktioniert eine Wärmepumpe?", ""},
		{"Which kernel of truth is in the tale?", ""},
		{"How tall is the Eiffel Tower, 330.5 m or more?", ""},
		{"What was on television on 24.12.1999?", ""},
		{"", ""},
	} {
		var got []string
		for _, f := range kindsOf(c.question, nil, thisYear, firm) {
			got = append(got, f.kind)
		}
		if got := strings.Join(got, " "); got != c.want {
			t.Errorf("kindsOf(%q) = %q, want %q", c.question, got, c.want)
		}
	}
}

func TestKindsLookAtKeywordsAndDepth(t *testing.T) {
	t.Parallel()
	if got := kindsOf("And how is it cured?", nil, thisYear, firm); len(got) != 0 {
		t.Errorf("without its session the question is of kinds %+v, want none", got)
	}
	got := kindsOf("And how is it treated?", []string{"malaria symptoms treated"}, thisYear, firm)
	if len(got) != 1 || got[0].kind != kindMedicine || got[0].words[0] != "malaria" {
		t.Errorf("with its keywords: %+v, want medicine because of malaria", got)
	}
	if got := kindsOf("Is sleep good for the heart of a planet?", nil, thisYear, hint); len(got) != 2 {
		t.Errorf("on hints alone: %+v, want medicine and science", got)
	}
	once := kindsOf("trial trial trial trials", nil, thisYear, firm)
	if len(once) != 0 {
		t.Errorf("a word that is repeated counts more than once: %+v", once)
	}
}

// The planner never fails, and gives the same for the same.
func FuzzKinds(f *testing.F) {
	f.Add("What does `x` do in foo.Bar() v1.2.3? 10.1000/1 2026 5 mg", "k")
	f.Fuzz(func(t *testing.T, question, keyword string) {
		first := kindsOf(question, []string{keyword}, thisYear, hint)
		if diff := cmp.Diff(fmt.Sprint(first), fmt.Sprint(kindsOf(question, []string{keyword}, thisYear, hint))); diff != "" {
			t.Fatalf("two answers (-first +second):\n%s", diff)
		}
		for _, k := range first {
			if k.weight < hint || len(k.words) == 0 {
				t.Fatalf("%+v has no reason", k)
			}
		}
	})
}

// manySources is an engine with sources of several kinds.
func manySources(t *testing.T, names ...string) *world {
	t.Helper()
	var all []Source
	for _, n := range names {
		all = append(all, &fakeSource{name: n, texts: []string{"A text of " + n + " about the matter."}})
	}
	w := newWorld(nil, all...)
	t.Cleanup(w.Close)
	w.deps.Kinds = map[string][]string{
		"wiki": {kindGeneral}, "talk": {kindCode, kindNews, kindOther}, "answers": {kindCode}, "papers": {kindScience},
		"trials": {kindMedicine, kindScience}, "notes": {},
	}
	w.deps.Off = map[string]string{"searx": "set sources.searx.url in the settings to turn it on"}
	w.deps.Now = func() time.Time { return time.Date(thisYear, 11, 22, 12, 0, 0, 0, time.UTC) }
	return w
}

func whys(reports []evidence.SourceReport) map[string]string {
	out := map[string]string{}
	for _, r := range reports {
		out[r.Name] = r.Why
	}
	return out
}

func TestAQuestionAsksTheSourcesThatFit(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		req      Request
		asked    map[string]string
		notAsked string
	}{
		{"of no kind", Request{Question: "Who wrote The Magic Mountain?"},
			map[string]string{"wiki": whyGeneral, "talk": whyOther}, "answers papers trials notes"},
		{"code", Request{Question: "What is a goroutine and a mutex?"},
			map[string]string{"wiki": whyGeneral, "talk": "asks about code: goroutine, mutex", "answers": "asks about code: goroutine, mutex"}, "papers trials notes"},
		{"medicine", Request{Question: "What are the symptoms of measles?"},
			map[string]string{"wiki": whyGeneral, "trials": "asks about medicine: symptoms, measles"}, "talk answers papers notes"},
		{"two kinds", Request{Question: "Which vaccine does the genome suggest?"},
			map[string]string{"wiki": whyGeneral, "papers": "asks about science: genome", "trials": "asks about science: genome"}, "talk answers notes"},
		{"deep goes by a hint", Request{Question: "Is a planet round?", Depth: DepthDeep},
			map[string]string{"wiki": whyGeneral, "talk": whyDeep, "papers": "asks about science: planet", "trials": "asks about science: planet"}, "answers notes"},
		{"named", Request{Question: "What is a goroutine?", Sources: []string{"notes", "papers", "notes"}},
			map[string]string{"notes": whyNamed, "papers": whyNamed}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			a, err := manySources(t, "wiki", "talk", "answers", "papers", "trials", "notes").Research(t.Context(), c.req, nil)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.asked, whys(a.Sources)); diff != "" {
				t.Errorf("asked (-want +got):\n%s", diff)
			}
			var rest []string
			for _, n := range a.NotAsked {
				rest = append(rest, n.Name)
			}
			if got := strings.Join(rest, " "); got != c.notAsked {
				t.Errorf("not asked: %q, want %q", got, c.notAsked)
			}
		})
	}
}

func TestNotAskedSaysWhatForAndReadDoesToo(t *testing.T) {
	t.Parallel()
	got, err := manySources(t, "wiki", "talk", "notes").Read(t.Context(), ReadRequest{Query: "measles symptoms", URLs: []string{}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []evidence.NotAsked{{Name: "talk", Why: "for questions about code, news"}, {Name: "notes", Why: "asked only by name"}}
	if diff := cmp.Diff(want, got.NotAsked); diff != "" {
		t.Errorf("not asked (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{"wiki": whyGeneral}, whys(got.Sources)); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
}

func TestSomeSourceIsAlwaysAsked(t *testing.T) {
	t.Parallel()
	a, err := manySources(t, "trials", "notes").Research(t.Context(), Request{Question: "Who wrote The Magic Mountain?"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"trials": whyAlone, "notes": whyAlone}, whys(a.Sources)); diff != "" || len(a.NotAsked) != 0 {
		t.Errorf("not asked %v; asked (-want +got):\n%s", a.NotAsked, diff)
	}
}

func TestANameThatCannotBeAsked(t *testing.T) {
	t.Parallel()
	w := manySources(t, "wiki", "talk")
	for name, want := range map[string]string{
		"searx":                  `the source "searx" is off; set sources.searx.url in the settings to turn it on`,
		"wikki":                  `there is no source "wikki" that is on; did you mean "wiki"? choose from: talk, wiki`,
		"":                       `there is no source "" that is on; choose from: talk, wiki`,
		strings.Repeat("x", 500): `there is no source "` + strings.Repeat("x", 64) + `…" that is on; choose from: talk, wiki`,
	} {
		_, err := w.Research(t.Context(), Request{Question: "q", Sources: []string{name}}, nil)
		_, readErr := w.Read(t.Context(), ReadRequest{Query: "q", Sources: []string{name}}, nil)
		for _, err := range []error{err, readErr} {
			if p := evidence.AsProblem(err); err == nil || !p.Usage || p.Error() != want {
				t.Errorf("error for %.20q = %v, want %s", name, err, want)
			}
		}
	}
}

// Several pages at once: each has a report of its own, and what fails there
// costs the others nothing.
func TestReadSeveralPages(t *testing.T) {
	t.Parallel()
	w := manySources(t, "wiki")
	w.read(readPage)
	urls := []string{"https://a.test/", "https://down.test/", "https://b.test/", "https://a.test/", "https://a.test/old"}
	got, err := w.Read(t.Context(), ReadRequest{URLs: urls}, nil)
	if err != nil {
		t.Fatal(err)
	}
	status := map[string]string{}
	for _, r := range got.Sources {
		status[r.Name] = r.Status + " " + r.Why + " " + r.Err
	}
	want := map[string]string{
		"https://a.test/": "ok " + whyNamed + " ", "https://a.test/old": "ok " + whyNamed + " ", "https://b.test/": "ok " + whyNamed + " ",
		"https://down.test/": "error " + whyNamed + " " + errDown.Error(),
	}
	if diff := cmp.Diff(want, status); diff != "" || len(got.Documents) != 2 || len(got.Sources) != 4 {
		t.Errorf("%d documents; reports (-want +got):\n%s", len(got.Documents), diff)
	}
}

func BenchmarkKinds(b *testing.B) {
	long := strings.Repeat("What does getElement do with a goroutine when error: x_y happens? ", 300)
	for name, q := range map[string]string{"question": "How does attention work in a transformer?", "20kB": long} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				kindsOf(q, nil, thisYear, firm)
			}
		})
	}
}
