package text

import "math/bits"

// SimHash is a 64-bit fingerprint of the word 3-grams of a text (of its words, if
// it has fewer than three). Those of near-duplicates differ in few bits. It is 0
// for a text without words.
func SimHash(s string) uint64 {
	tokens := Tokenize(s)
	n := min(3, len(tokens))
	if n == 0 {
		return 0
	}
	var ones bitCounts
	for i := 0; i+n <= len(tokens); i++ {
		sum := fnvStart
		for _, t := range tokens[i : i+n] {
			sum = fnvAdd(sum, t.Word)
		}
		ones.add(mix(sum))
	}
	return ones.majority()
}

// bitCounts counts how often each bit is set in a sequence of numbers.
type bitCounts struct {
	added  int
	lanes  [8]uint64 // the counts since the last flush, in bytes: lane l has those of bits 8l to 8l+7
	counts [64]int   // until then
}

func (c *bitCounts) add(x uint64) {
	if c.added++; c.added%256 == 0 {
		c.flush() // a count in a lane goes up to 255
	}
	for l := range c.lanes {
		// Copy the byte to all eight, keep bit i of byte i, and move it to bit 0.
		spread := (x >> (8 * l) & 0xff) * 0x0101010101010101 & 0x8040201008040201
		c.lanes[l] += (spread + 0x7f7f7f7f7f7f7f7f) >> 7 & 0x0101010101010101
	}
}

func (c *bitCounts) flush() {
	for l, lane := range c.lanes {
		for i := range 8 {
			c.counts[8*l+i] += int(lane >> (8 * i) & 0xff)
		}
		c.lanes[l] = 0
	}
}

// majority returns the bits that are set in more than half of the numbers.
func (c *bitCounts) majority() uint64 {
	c.flush()
	var out uint64
	for b, n := range c.counts {
		if 2*n > c.added {
			out |= 1 << b
		}
	}
	return out
}

// FNV-1a with 64 bits, as hash/fnv has it, without an allocation for each word.
const (
	fnvStart uint64 = 14695981039346656037
	fnvPrime uint64 = 1099511628211
)

// fnvAdd adds a word and a zero byte to a hash.
func fnvAdd(h uint64, word string) uint64 {
	for i := range len(word) {
		h = (h ^ uint64(word[i])) * fnvPrime
	}
	return h * fnvPrime
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
