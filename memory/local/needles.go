package local

import (
	"context"
	"errors"
	"io"
	"math/bits"
)

// needles are pieces of what was removed, as rolling hashes. Many removals may wait for
// one another, so that what one holds depends on what it removes.
type needles struct {
	set    map[uint64]struct{}
	filter []uint64 // a bit for each hash, by its highest bits: most positions need no lookup in set
}

const (
	// bitsOfNeedle are those of the filter for each needle, at least: of what is no needle one
	// in sixteen passes it at most.
	bitsOfNeedle = 16
	leastFilter  = 1 << 12 // bits
)

func newNeedles() *needles { return &needles{set: map[uint64]struct{}{}} }

func (n *needles) full() bool { return len(n.set) >= maxNeedles }

func (n *needles) add(s string) {
	for at := 0; at+needleLen <= len(s) && !n.full(); at += needleLen {
		h := uint64(0)
		for i := range needleLen {
			h = h*hashBase + uint64(s[at+i]) + 1
		}
		n.set[h] = struct{}{}
		if len(n.set)*bitsOfNeedle > len(n.filter)*64 {
			n.filter = make([]uint64, max(leastFilter/64, len(n.filter)*2))
			for h := range n.set {
				n.mark(h)
			}
		}
		n.mark(h)
	}
}

func (n *needles) mark(h uint64) {
	bit := h >> n.shift()
	n.filter[bit/64] |= 1 << (bit % 64)
}

// shift leaves as many bits of a hash as number the bits of the filter.
func (n *needles) shift() int { return 64 - bits.TrailingZeros(uint(len(n.filter)*64)) } //nolint:gosec // it is a power of two

// search is a search for needles in a text, which may come in pieces.
type search struct {
	*needles
	found  map[uint64]struct{}
	top    uint64 // the weight of the byte that leaves the window
	h      uint64
	window [needleLen]byte
	seen   int // bytes
	by     int // shift of the filter
}

func (n *needles) search() *search {
	s := &search{needles: n, found: map[uint64]struct{}{}, top: 1}
	for range needleLen {
		s.top *= hashBase
	}
	if len(n.set) > 0 {
		s.by = n.shift()
	}
	return s
}

// read looks for needles in the next piece.
func read[Piece string | []byte](s *search, piece Piece) {
	if len(s.set) == 0 {
		return
	}
	h, seen := s.h, s.seen
	for i := range len(piece) {
		c := piece[i]
		h = h*hashBase + uint64(c) + 1
		at := seen % needleLen
		if seen >= needleLen {
			h -= s.top * (uint64(s.window[at]) + 1)
		}
		s.window[at] = c
		seen++
		bit := h >> s.by
		if s.filter[bit/64]>>(bit%64)&1 == 1 && seen >= needleLen {
			if _, ok := s.set[h]; ok {
				s.found[h] = struct{}{}
			}
		}
	}
	s.h, s.seen = h, seen
}

// inText returns the needles that a text contains.
func (n *needles) inText(text string) map[uint64]struct{} {
	s := n.search()
	read(s, text)
	return s.found
}

// in returns the needles that a stream contains.
func (n *needles) in(ctx context.Context, f io.Reader) (map[uint64]struct{}, error) {
	s := n.search()
	buf := make([]byte, 256<<10)
	for len(n.set) > 0 {
		k, err := f.Read(buf)
		read(s, buf[:k])
		if errors.Is(err, io.EOF) {
			break
		}
		if err = errors.Join(err, ctx.Err()); err != nil {
			return nil, err
		}
	}
	return s.found, nil
}
