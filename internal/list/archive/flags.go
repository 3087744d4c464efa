package archive

import (
	"context"
	"encoding/binary"
	"math/bits"
	"slices"

	"plenary/internal/model"
)

// flagPage is the number of UIDs of one page of a bitmap.
const flagPage = 8192

// pageOverhead is what a page takes beside its bits, about.
const pageOverhead = 100

// FlagSet is a person's flags on one list at one moment. It does not change.
type FlagSet struct {
	pages map[string]map[int64][]byte
	names []string
	count map[string]int

	octets int
}

// Flags gives the account's flags on the list as they are now.
func (r *Reader) Flags(ctx context.Context, account, listID int64) (*FlagSet, error) {
	f := &FlagSet{pages: map[string]map[int64][]byte{}, count: map[string]int{}}
	if account == 0 {
		return f, nil // nobody in particular has no flags
	}
	err := r.store.FlagPages(ctx, account, listID, func(flag string, page int64, b []byte) {
		if f.pages[flag] == nil {
			f.pages[flag] = map[int64][]byte{}
			f.names = append(f.names, flag)
		}
		f.pages[flag][page] = slices.Clone(b)
		f.count[flag] += ones(b)
		f.octets += len(b) + pageOverhead
	})
	slices.Sort(f.names)
	return f, err
}

// ones counts the bits that are set.
func ones(b []byte) (n int) {
	for ; len(b) >= 8; b = b[8:] {
		n += bits.OnesCount64(binary.LittleEndian.Uint64(b))
	}
	for _, o := range b {
		n += bits.OnesCount8(o)
	}
	return n
}

// Has reports whether the post carries the flag.
func (f *FlagSet) Has(flag string, uid model.UID) bool {
	if f == nil {
		return false
	}
	page := f.pages[flag][int64(uid/flagPage)]
	at := uid % flagPage
	return int(at/8) < len(page) && page[at/8]&(1<<(at%8)) != 0
}

// Names gives the flags that any post carries, sorted.
func (f *FlagSet) Names() []string { return f.names }

// Count tells how many posts carry the flag.
func (f *FlagSet) Count(flag string) int { return f.count[flag] }

// Octets is what the set takes in memory, about.
func (f *FlagSet) Octets() int { return f.octets + pageOverhead }

// SetFlag sets or clears a personal flag of the account on posts of the list.
// UIDs that do not exist are left out. Flags are told apart octet by octet: the
// caller folds their case (RFC 9051 2.3.2). Nobody in particular (account 0) has
// no flags: nothing happens.
func (r *Reader) SetFlag(ctx context.Context, m model.Mark, uids []model.UID, on bool) error {
	if m.Account == 0 || len(uids) == 0 {
		return nil
	}
	ix, err := r.Open(ctx, m.List)
	if err != nil {
		return err
	}
	rows := ix.Rows()
	real := make([]model.UID, 0, len(uids))
	for _, u := range uids {
		if _, ok := find(rows, u); ok {
			real = append(real, u)
		}
	}
	return r.store.SetFlag(ctx, m, real, on)
}
