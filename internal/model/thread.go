package model

import (
	"crypto/sha256"
	"encoding/binary"
)

// The rules of the reference graph that do not depend on the order in which
// messages come. The store follows them as posts arrive, archive.Thread when it
// rebuilds a list from nothing.

// GhostParent chooses what an id that never arrived is taken to answer: every
// References field that has something before the id makes an offer, and the
// smallest key wins. 0 is no offer.
func GhostParent(has, offered int64) int64 {
	if has == 0 || offered != 0 && offered < has {
		return offered
	}
	return has
}

// TwinKey is the key of a post whose Message-ID an earlier post of the list has
// already: a place of its own that nobody refers to.
func TwinKey(key int64, id PostID) int64 {
	sum := sha256.Sum256(binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, uint64(key)), uint64(id)))
	return int64(binary.BigEndian.Uint64(sum[:8])>>1 | 1)
}
