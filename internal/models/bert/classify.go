package bert

import "math"

// head is the classifier of a cross-encoder: a pooler over [CLS] and one logit.
type head struct {
	pooler     []float32 // Width × Width, row-major: output × input
	poolerBias []float32
	weight     []float32 // Width
	bias       float32
}

// Classifies reports whether the model has a classifier, as a cross-encoder has.
func (m *Model) Classifies() bool { return m.head != nil }

// Scores returns one logit for each pair. ok is false for a model without a
// classifier.
func (m *Model) Scores(batch []Input) (scores []float64, ok bool, err error) {
	if m.head == nil {
		return nil, false, nil
	}
	if err := m.check(batch); err != nil {
		return nil, true, err
	}
	s := scratchPool.Get().(*scratch)
	defer scratchPool.Put(s)
	x := m.forward(batch, s)
	row := 0
	for _, in := range batch {
		scores = append(scores, m.head.logit(x[row*m.shape.Width:(row+1)*m.shape.Width]))
		row += len(in.IDs)
	}
	return scores, true, nil
}

func (h *head) logit(cls []float32) float64 {
	sum := float64(h.bias)
	for o, b := range h.poolerBias {
		dot := float64(b)
		for i, w := range h.pooler[o*len(cls) : (o+1)*len(cls)] {
			dot += float64(w) * float64(cls[i])
		}
		sum += math.Tanh(dot) * float64(h.weight[o])
	}
	return sum
}
