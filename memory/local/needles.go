package local

import (
	"context"
	"errors"
	"io"
)

// needles are pieces of what was removed, as rolling hashes.
type needles struct {
	set    map[uint64]struct{}
	filter []uint64 // a bit for each hash: most positions need no lookup in set
}

const filterBits = 1 << 25

func newNeedles() *needles {
	return &needles{set: map[uint64]struct{}{}, filter: make([]uint64, filterBits/64)}
}

func (n *needles) full() bool { return len(n.set) >= maxNeedles }

func (n *needles) add(s string) {
	for at := 0; at+needleLen <= len(s) && !n.full(); at += needleLen {
		h := uint64(0)
		for i := range needleLen {
			h = h*hashBase + uint64(s[at+i]) + 1
		}
		n.set[h] = struct{}{}
		bit := h >> 40 % filterBits
		n.filter[bit/64] |= 1 << (bit % 64)
	}
}

// in returns the needles that a stream contains.
func (n *needles) in(ctx context.Context, f io.Reader) (map[uint64]struct{}, error) {
	if len(n.set) == 0 {
		return nil, nil
	}
	found := map[uint64]struct{}{}
	top := uint64(1) // the weight of the byte that leaves the window
	for range needleLen {
		top *= hashBase
	}
	var h uint64
	var window [needleLen]byte
	at, seen := 0, 0
	buf := make([]byte, 1<<20)
	for {
		k, err := f.Read(buf)
		for _, c := range buf[:k] {
			h = h*hashBase + uint64(c) + 1
			if seen >= needleLen {
				h -= top * (uint64(window[at]) + 1)
			} else {
				seen++
			}
			window[at] = c
			at = (at + 1) % needleLen
			bit := h >> 40 % filterBits
			if n.filter[bit/64]>>(bit%64)&1 == 1 && seen == needleLen {
				if _, ok := n.set[h]; ok {
					found[h] = struct{}{}
				}
			}
		}
		if errors.Is(err, io.EOF) {
			return found, nil
		}
		if err = errors.Join(err, ctx.Err()); err != nil {
			return nil, err
		}
	}
}
