package model

import (
	"cmp"
	"slices"
)

// FlagEdit sets or clears one personal flag on posts.
type FlagEdit struct {
	Flag string // lower case, with the backslash of system flags
	UIDs []UID
	On   bool
}

// Marking changes flags of one person on one list, all at once or not at all.
// Where it is Conditional, posts of Guard with a FlagChange after Since are left
// alone (RFC 7162 3.1.3).
type Marking struct {
	Account, List int64
	Edits         []FlagEdit
	Conditional   bool
	Guard         []UID
	Since         uint64 // mod-sequence, as FlagChange has it
}

// FlagChange is what changed at once of a person's flags on one list.
type FlagChange struct {
	Seq     uint64 // how many changes there were, this one included
	UIDNext UID    // the list's, at the time
	Runs    []UIDRun
}

// Glance is what is asked of a person's flags on a list along with something else: one
// question for both.
type Glance struct {
	Account, ListID int64
	Last            FlagChange // the last, without its posts
	NextUID         UID        // the list's; 0: it was not told
}

// UIDRun is a run of UIDs, both ends included.
type UIDRun struct{ From, To UID }

// ModSeq is the mod-sequence of the change (RFC 7162 3.1): it grows with the
// changes and with the posts that come, so that one number orders both without
// anything being written for each reader when a post comes.
func (c FlagChange) ModSeq() uint64 { return uint64(c.UIDNext) + c.Seq }

// RunsOf makes sorted runs without overlap of UIDs in any order.
func RunsOf(uids []UID) []UIDRun {
	runs := make([]UIDRun, len(uids))
	for i, u := range uids {
		runs[i] = UIDRun{u, u}
	}
	return JoinRuns(runs)
}

// JoinRuns sorts runs and joins what overlaps or touches. It works in place.
func JoinRuns(runs []UIDRun) []UIDRun {
	if !slices.IsSortedFunc(runs, func(a, b UIDRun) int { return cmp.Compare(a.From, b.From) }) {
		slices.SortFunc(runs, func(a, b UIDRun) int { return cmp.Compare(a.From, b.From) })
	}
	out := runs[:0]
	for _, r := range runs {
		if n := len(out); n > 0 && uint64(r.From) <= uint64(out[n-1].To)+1 {
			out[n-1].To = max(out[n-1].To, r.To)
			continue
		}
		out = append(out, r)
	}
	return out
}
