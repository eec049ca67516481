package proof

import "testing"

// A number is the same in every spelling of its power of ten, and another number
// without it.
func TestPowersOfTen(t *testing.T) {
	t.Parallel()
	for _, s := range []string{
		"10⁶", "10^6", "1e6", "1E+6", "1×10⁶", "1 × 10^6", "1 x 10^6", "1·10⁶", "1 ⋅ 10^6", "10**6", "10^{6}", "10^(6)", "$10^{6}$", `$1 \times 10^{6}$`,
		"1,000,000", "1 000 000", "1\u202f000\u202f000", "1 million",
	} {
		got := parse("The mice received " + s + " cells.").quantities
		if len(got) != 1 || got[0].value != 1e6 {
			t.Errorf("%s is read as %+v, want 1000000", s, got)
		}
	}
	for s, want := range map[string]float64{"106": 106, "10 6": 10, "2³²": 1 << 32, "2.5×10⁻³": 0.0025, "2.5 × 10^{−3}": 0.0025} {
		got := parse("The mice received " + s + " cells.").quantities
		if len(got) == 0 || got[0].value < want*(1-1e-9) || got[0].value > want*(1+1e-9) {
			t.Errorf("%s is read as %+v, want %v", s, got, want)
		}
	}
}
