package proof

// Quantity is a number in a text.
type Quantity struct {
	Start, End int    // byte offsets
	Dim        string // "time", "data", "share", "year", "month", "ordinal", "dollar", …; "" for a bare number
}

// Quantities returns the numbers of s, in figures and in words, in order.
func Quantities(s string) []Quantity {
	var out []Quantity
	for _, q := range quantities(s) {
		if !q.one {
			out = append(out, Quantity{Start: q.start, End: q.end, Dim: q.dim})
		}
	}
	return out
}

// UnitDimension returns the dimension of a unit by its name in lower case, singular or
// plural, of more than one letter, or "".
func UnitDimension(name string) string {
	if len(name) < 2 || !isUnit(name) {
		return ""
	}
	return units()[unitName(name)].dim
}
