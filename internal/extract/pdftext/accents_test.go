package pdftext

import "testing"

func TestAccentsStandOnTheirLetters(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"Na¨ıve caf´e":        "Naïve café",
		"G¨odel, Erd˝os":      "Gödel, Erdős",
		"Fran¸cois, Hoˇrava":  "François, Hořava",
		"voil`a":              "voilà",
		"the `a` key and `b'": "the `a` key and `b'",
		"x ¨ y, 5´, ´q":       "x ¨ y, 5´, ´q",
		"Ångstr¨om ˚A":        "Ångström Å",
		"¨":                   "¨",
	} {
		if got := composeAccents(in); got != want {
			t.Errorf("composeAccents(%q) = %q, want %q", in, got, want)
		}
	}
}

func FuzzComposeAccents(f *testing.F) {
	f.Add("Na¨ıve")
	f.Fuzz(func(t *testing.T, s string) {
		if got := composeAccents(s); len(got) > 3*len(s) {
			t.Errorf("%q grew to %q", s, got)
		}
	})
}
