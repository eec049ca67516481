package bert

import (
	"math/bits"
	"strings"
)

// pieceTable finds the pieces of a vocabulary. A map of strings would take 2 MB for
// 30,000 pieces; this takes 0.6 MB beside the text of the vocabulary, and looks up all
// beginnings of a word in one pass.
type pieceTable struct {
	vocab string   // one piece a line
	ends  []uint32 // of the lines, by id
	slots []slot   // a hash table with linear probing; its size is a power of 2
}

type slot struct {
	hash uint32 // of the piece
	id   int32  // + 1; 0 if the slot is free
}

func newPieceTable(vocab string) pieceTable {
	vocab = strings.TrimRight(vocab, "\n")
	n := strings.Count(vocab, "\n") + 1
	t := pieceTable{vocab: vocab, ends: make([]uint32, 0, n), slots: make([]slot, 1<<bits.Len(uint(2*n)))}
	for at := 0; len(t.ends) < n; {
		end := len(vocab)
		if i := strings.IndexByte(vocab[at:], '\n'); i >= 0 {
			end = at + i
		}
		t.ends = append(t.ends, uint32(end)) //nolint:gosec // a vocabulary is smaller than 4 GB
		id := int32(len(t.ends) - 1)         //nolint:gosec // of a line in it
		piece := t.piece(id)
		hash := hashPiece(hashStart, piece)
		*t.find(hash, "", piece) = slot{hash, id + 1} // the last of equal pieces counts
		at = end + 1
	}
	return t
}

// piece returns the text of an id.
func (t *pieceTable) piece(id int32) string {
	start := uint32(0)
	if id > 0 {
		start = t.ends[id-1] + 1
	}
	return strings.TrimSuffix(t.vocab[start:t.ends[id]], "\r")
}

// id returns the id of a piece.
func (t *pieceTable) id(piece string) (int32, bool) {
	found := t.find(hashPiece(hashStart, piece), "", piece).id - 1
	return max(found, 0), found >= 0
}

// longest returns the length of the longest piece in bytes.
func (t *pieceTable) longest() int {
	out := 0
	for id := range t.ends {
		out = max(out, len(t.piece(int32(id)))) //nolint:gosec // as above
	}
	return out
}

// longestPrefix returns the piece that is prefix and the longest beginning of s, and the
// length of that beginning, at least 1.
func (t *pieceTable) longestPrefix(prefix, s string) (id int32, end int, found bool) {
	var known [64]uint32 // the hash of prefix and each beginning of s
	hashes, h := known[:0], hashPiece(hashStart, prefix)
	for i := range len(s) {
		h = hashPiece(h, s[i:i+1])
		hashes = append(hashes, h)
	}
	for end := len(s); end > 0; end-- {
		if id := t.find(hashes[end-1], prefix, s[:end]).id; id > 0 {
			return id - 1, end, true
		}
	}
	return 0, 0, false
}

// find returns the slot of a piece, prefix + rest, with its hash: that which has it, or
// the free one where it belongs.
func (t *pieceTable) find(hash uint32, prefix, rest string) *slot {
	mask := uint32(len(t.slots) - 1) //nolint:gosec // at most four times the lines
	for at := hash & mask; ; at = (at + 1) & mask {
		s := &t.slots[at]
		if s.id == 0 || s.hash == hash && t.is(s.id-1, prefix, rest) {
			return s
		}
	}
}

func (t *pieceTable) is(id int32, prefix, rest string) bool {
	after, ok := strings.CutPrefix(t.piece(id), prefix)
	return ok && after == rest
}

// hashPiece continues an FNV-1a hash.
const hashStart uint32 = 2166136261

func hashPiece(h uint32, s string) uint32 {
	for i := range len(s) {
		h = (h ^ uint32(s[i])) * 16777619
	}
	return h
}
