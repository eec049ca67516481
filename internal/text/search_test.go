package text

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func TestIdentifierParts(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"getUserById": "get User By Id", "D1NZ": "", "McKinley": "", "LeBron's": "", "iMac": "", "MacScanJob": "Mac Scan Job", "R2D2": "", "MAX_2GB": "MAX 2GB", "unlockWithBiometrics": "unlock With Biometrics", "max_open_files": "max open files",
		"HTTPServerName": "HTTP Server Name", "XMLHttpRequest": "XML Http Request", "os.path.joinAll": "os path join All",
		"UserRepository": "User Repository", "MAX_RETRIES": "MAX RETRIES", "parseURL's": "parse URL", "utf8Decode": "utf8 Decode",
		"iPhone": "", "JavaScript": "", "word": "", "Word": "", "WORD": "", "3.1415": "", "e.g": "", "U.S.A": "", "don't": "", "x_y": "",
	} {
		if got := strings.Join(identifierParts(in), " "); got != want {
			t.Errorf("identifierParts(%q) = %q, want %q", in, got, want)
		}
	}
}

// A question finds a passage if they have terms in common.
func TestSearchTermsFindOtherForms(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ question, passage string }{
		{"user by id", "getUserById loads the row"},
		{"getUserById", "how to get a user by id"},
		{"biometrics unlocking", "unlockWithBiometrics opens the door"},
		{"retries maximum", "MAX_RETRIES=3"},
		{"http server", "type HTTPServer struct"},
		{"STRASSE", "die Straße nach Süden"},
		{"Strasse", "GROẞE STRAẞE"},
		{"Fußball", "FUSSBALL"},
		{"ΟΔΟΣ", "η οδός"},
		{"Bahnhöfe", "Der Bahnhof wurde im Jahr 1873 gebaut und ist der älteste der Stadt."},
		{"Welche Häuser stehen in der Stadt?", "Das Haus steht in der Stadt, und es ist sehr alt."},
		{"вокзалы", "Вокзал открыт в 1873 году."},
		{"Quels chevaux courent dans les courses ?", "Le cheval a gagné la course de Paris, et il est le plus rapide."},
		{"¿Cuáles son las ciudades más grandes?", "La ciudad es muy grande y está en el norte del país."},
		{"C++", "modern C++17 and its library"},
	} {
		passage := IndexTerms(c.passage, "")
		common := 0
		for _, term := range SearchTerms(c.question) {
			for _, p := range passage {
				if p == term {
					common++
					break
				}
			}
		}
		if common == 0 {
			t.Errorf("%q has the terms %q, %q has %q", c.question, SearchTerms(c.question), c.passage, passage)
		}
	}
}

func TestIndexTerms(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		in   string
		want []string
	}{
		{"The transformers were trained.", []string{"transform", "train"}},
		{"getUserById loads a row", []string{"getuserbyid", "user", "id", "load", "row"}},
		{"C and C++ and R", []string{"c", "c++", "r"}},
		{"die Straßen der Stadt", []string{"straßen", "strass", "strassen", "stadt"}},
	} {
		if diff := cmp.Diff(c.want, IndexTerms(c.in, "")); diff != "" {
			t.Errorf("IndexTerms(%q) (-want +got):\n%s", c.in, diff)
		}
	}
	if got := SearchTerms("The Who"); !cmp.Equal(got, []string{"the", "who"}) {
		t.Errorf("SearchTerms of function words = %q", got)
	}
}

func FuzzIndexTerms(f *testing.F) {
	for _, s := range []string{"getUserById C++ .NET Straße", "вокзал", "日本語です", "a_b.c'd’e", "\xff_\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		DetectLanguage(s)
		for _, term := range IndexTerms(s, "") {
			if term == "" || utf8.ValidString(s) && strings.ContainsAny(term, " \n") {
				t.Errorf("IndexTerms(%q) has %q", s, term)
			}
		}
		for _, tok := range Tokenize(s) {
			if tok.Start < 0 || tok.End <= tok.Start || tok.End > len(s) {
				t.Errorf("Tokenize(%q) has %+v", s, tok)
			}
		}
	})
}
