package text

import (
	"hash/fnv"
	"math/bits"
)

// SimHash is a 64-bit fingerprint of the word 3-grams of a text (of its words, if
// it has fewer than three). Those of near-duplicates differ in few bits. It is 0
// for a text without words.
func SimHash(s string) uint64 {
	tokens := Tokenize(s)
	n := min(3, len(tokens))
	if n == 0 {
		return 0
	}
	var weight [64]int
	for i := 0; i+n <= len(tokens); i++ {
		h := fnv.New64a()
		for _, t := range tokens[i : i+n] {
			h.Write([]byte(t.Word)) // never fails
			h.Write([]byte{0})
		}
		sum := mix(h.Sum64())
		for b := range weight {
			weight[b] += int(sum>>b&1)*2 - 1
		}
	}
	var out uint64
	for b, w := range weight {
		if w > 0 {
			out |= 1 << b
		}
	}
	return out
}

// mix spreads FNV's weak high bits (the finalizer of MurmurHash3).
func mix(h uint64) uint64 {
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}

// Distance is the number of bits in which two fingerprints differ.
func Distance(a, b uint64) int { return bits.OnesCount64(a ^ b) }

// NearDuplicate is the largest Distance between near-duplicates.
const NearDuplicate = 6
