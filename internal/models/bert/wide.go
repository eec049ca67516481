package bert

// wideWords is a token table in float32.
type wideWords struct {
	values []float32 // one row of width a token
	width  int
}

func (t wideWords) add(row []float32, id int) {
	for i, v := range t.values[id*t.width : (id+1)*t.width] {
		row[i] += v
	}
}
