package text

import (
	"testing"
	"unicode/utf8"
)

func TestLinearNumbers(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"$10^{6}$ cells":             "10^6 cells",
		`about $1 \times 10^{6}$.`:   "about 1×10^6.",
		`$2.5 \cdot 10^{-9}$ M`:      "2.5×10^-9 M",
		"2.5 × 10^(−9) M":            "2.5×10^-9 M",
		"3 ⋅ 10⁵":                    "3×10⁵",
		"10^{+3}":                    "10^3",
		"1\u202f000\u202f000 people": "1,000,000 people",
		"1\u00a0250 and 1 000 000":   "1,250 and 1,000,000",
		"10⁶, 1e6 and 10^6":          "10⁶, 1e6 and 10^6",
		"106 cells":                  "106 cells",
		"from $10 to $20, $5 - $6":   "from $10 to $20, $5 - $6",
		"in 2019 120 people":         "in 2019 120 people",
		"no numbers $x$":             "no numbers $x$",
		"call 555 123":               "call 555 123",
	} {
		if got := LinearNumbers(in); got != want {
			t.Errorf("LinearNumbers(%q) = %q, want %q", in, got, want)
		}
	}
}

func FuzzLinearNumbers(f *testing.F) {
	for _, s := range []string{`$1 \times 10^{6}$`, "10^(-9)", "1 000 000", "$5 - $6", "10⁶\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if got := LinearNumbers(s); utf8.ValidString(s) && !utf8.ValidString(got) {
			t.Errorf("LinearNumbers(%q) = %q", s, got)
		}
	})
}
