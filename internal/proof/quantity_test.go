package proof

import "testing"

func TestQuantities(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"10⁶ rows", "10^6 rows", true},
		{"10⁶ rows", "1e6 rows", true},
		{"10^6 rows", "a million rows", true},
		{"some 10^6 rows", "over a million rows", true},
		{"10⁶ rows", "106 rows", false},
		{"3 × 10⁵ m", "300 km", true},
		{"1,200 users", "1200 users", true},
		{"1,200 users", "12,000 users", false},
		{"500 kB", "500 MB", false},
		{"0.5 GB", "half a gigabyte", true},
		{"5m0s", "five minutes", true},
		{"ten minutes", "ten seconds", false},
		{"90 seconds", "for a minute and a half", true},
		{"rotated daily", "rotated every day", true},
		{"rotated daily", "rotated every hour", false},
		{"76 %", "76 percent", true},
		{"about 24 %", "about a quarter of them", true},
		{"25%", "three quarters of them", false},
		{"4–7 Hz", "4 to 7 hertz", true},
		{"2024-03-05", "March 2024", true},
		{"in May 1945", "in March 1945", false},
		{"€ 20", "$20", false},
	} {
		a, b := quantities(c.a), quantities(c.b)
		if len(a) == 0 || len(b) == 0 && c.same {
			t.Errorf("quantities(%q) = %v, (%q) = %v", c.a, a, c.b, b)
			continue
		}
		got := true
		for _, q := range b {
			has := false
			for _, o := range a {
				has = has || q.same(o)
			}
			got = got && has
		}
		if got = got && len(b) > 0; got != c.same {
			t.Errorf("%q and %q are the same: %v, want %v (%+v, %+v)", c.a, c.b, got, c.same, a, b)
		}
	}
}
