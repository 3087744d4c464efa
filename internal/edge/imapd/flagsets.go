package imapd

import (
	"sync"

	"plenary/internal/fault"
	"plenary/internal/model"
)

// flagSets keeps people's flags as they were after a change of theirs: each
// change has a number, so that one small question tells whether they are still
// the same. Mail programs ask for the state of their folders all day long.
type flagSets struct {
	mu     sync.Mutex
	known  map[flagsKey]knownFlags
	octets int
}

type flagsKey struct{ account, list int64 }

type knownFlags struct {
	last  model.FlagChange
	flags Flags
}

// maxFlagSets bounds what is kept, in octets; when there is more all is forgotten.
const maxFlagSets = 8 << 20

func (k *flagSets) find(key flagsKey, last model.FlagChange) (Flags, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	have, ok := k.known[key]
	return have.flags, ok && have.last.Seq == last.Seq
}

func (k *flagSets) keep(key flagsKey, last model.FlagChange, f Flags) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if had, ok := k.known[key]; ok {
		k.octets -= had.flags.Octets()
	}
	if k.octets += f.Octets(); k.octets > maxFlagSets || k.known == nil {
		k.known, k.octets = map[flagsKey]knownFlags{}, f.Octets()
	}
	k.known[key] = knownFlags{last, f}
}

// settle is how often a person's flags are read again because they were changed
// meanwhile.
const settle = 10

// flagsOf gives the person's flags on a list and the last change that is in them,
// and what the list's next UID was then; 0 when it was not asked for. g is a glance at
// them from a moment ago, or nil.
func (s *session) flagsOf(list int64, g *model.Glance) (f Flags, last model.FlagChange, next model.UID, err error) {
	if !s.mayMark() {
		return noFlags{}, last, 0, nil
	}
	opt, sets, key := &s.front.srv.opt, &s.front.srv.flagSets, flagsKey{s.who.AccountID, list}
	if !s.condstore() {
		f, err = opt.Archive.Flags(s.ctx, s.who.AccountID, list)
		return f, last, 0, err
	}
	if g != nil && g.NextUID != 0 {
		if f, ok := sets.find(key, g.Last); ok {
			return f, g.Last, g.NextUID, nil
		}
	}
	for range settle {
		if last, next, err = opt.Changes.LastFlagChange(s.ctx, s.who.AccountID, list); err != nil {
			return nil, last, 0, err
		}
		if f, ok := sets.find(key, last); ok {
			return f, last, next, nil
		}
		if f, err = opt.Archive.Flags(s.ctx, s.who.AccountID, list); err != nil {
			return nil, last, 0, err
		}
		again, next, err := opt.Changes.LastFlagChange(s.ctx, s.who.AccountID, list)
		if err != nil {
			return nil, last, 0, err
		}
		if again.Seq == last.Seq {
			sets.keep(key, last, f)
			return f, last, next, nil
		}
	}
	return nil, last, 0, fault.New(fault.Temporary, "your marks are being changed all the time, please try again")
}
