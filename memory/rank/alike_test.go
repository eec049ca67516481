package rank

import "testing"

func TestAlike(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"recieve", "receive", true},
		{"citatoin", "citation", true},
		{"gorutine", "goroutines", true},
		{"hauser", "haus", true},
		{"bank", "datenbankverwaltung", true},
		{"kirjastossa", "kirjasto", true},
		{"москве", "москва", true},
		{"首都東京", "東京都庁", true},
		{"castle", "cascade", false},
		{"medieval", "retrieval", false},
		{"banana", "canal", false},
		{"the", "weather", false}, // too short for a part
		{"smoothie", "smallest", false},
		{"москве", "париже", false},
		{"首都東京", "大阪城", false},
	} {
		for _, pair := range [][2]string{{c.a, c.b}, {c.b, c.a}} {
			if got := alike(newForm(pair[0]), newForm(pair[1])); got != c.want {
				t.Errorf("alike(%s, %s) = %v, want %v", pair[0], pair[1], got, c.want)
			}
		}
	}
}
