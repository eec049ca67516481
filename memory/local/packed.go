package local

// blockFloats is the size of the blocks that loaded vectors are packed into: a MiB. Go
// rounds what is allocated for one document up, by an eighth of it at the most.
const blockFloats = 1 << 18

// packer hands out parts of blocks. A block is free when none of its parts is in use.
type packer struct {
	left     []float32
	expected int // how many numbers are still to come, at most
}

func (p *packer) take(n int) []float32 {
	p.expected -= n
	if n > blockFloats/8 { // so that little of a block is left over
		return make([]float32, n)
	}
	if n > len(p.left) {
		p.left = make([]float32, min(blockFloats, max(n, n+p.expected)))
	}
	out := p.left[:n:n]
	p.left = p.left[n:]
	return out
}

// loose is the part of a space, as one of so many, from which on vectors that are gone and
// still have their place in a block are worth packing the others anew.
const loose = 8

// pack packs the vectors anew if many that were loaded with them are gone. pause is called
// often; it may wait.
func (s *space) pack(pause func()) error {
	s.mu.RLock()
	gone := s.gone
	due := gone > blockFloats && gone > s.n*s.model.Dims/loose
	s.mu.RUnlock()
	if !due {
		return nil
	}
	docs := s.snapshot()
	p, n := packer{expected: blockFloats}, 0
	for doc, sl := range docs {
		if !sl.packed {
			continue
		}
		if n++; n%pauseAfter == 1 {
			pause()
		}
		if err := s.move(doc, sl, &p); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gone -= gone
	return nil
}

// move gives the vectors of a document another place, unless they have changed.
func (s *space) move(doc int64, was slab, p *packer) error {
	v := p.take(len(was.v))
	copy(v, was.v)
	s.mu.Lock()
	defer s.mu.Unlock()
	now, ok := s.docs[doc]
	if !ok || !sameSlab(now, was) {
		return nil
	}
	now.v = v
	s.docs[doc] = now
	_, err := s.cells.add(doc, now, s.model.Dims) // in the place of the same
	return err
}
