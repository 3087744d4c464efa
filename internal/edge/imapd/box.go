package imapd

import (
	"context"
	"sync"
	"time"

	"plenary/internal/model"
)

// lookAgain is the wait after the database did not answer.
const lookAgain = 2 * time.Second

// box is one list that sessions have selected, shared by them. Its goroutine
// takes in what arrives, once for all of them, and wakes them.
type box struct {
	srv   *Server
	key   boxKey
	index Index
	texts Archive // where its messages are read
	stop  context.CancelFunc
	ready sync.Once
	err   error

	users int // under srv.mu

	mu      sync.Mutex
	members map[*selected]struct{}
}

// boxKey names a box: a list's archive, a year of it, or what waits on it.
type boxKey struct {
	list int64
	held bool
	year int // 0: the whole list
}

// open gives the list's box to one more session, who refreshes its index.
func (s *Server) open(ctx context.Context, n node) (*box, error) {
	l, key := n.list, boxKey{n.list.ID, n.held, n.year}
	s.mu.Lock()
	b := s.boxes[key]
	if b == nil {
		b = &box{srv: s, key: key, members: map[*selected]struct{}{}}
		s.boxes[key] = b
	}
	b.users++
	s.mu.Unlock()
	b.ready.Do(func() { b.err = b.start(ctx, l) })
	if b.err != nil {
		b.release()
		return nil, b.err
	}
	return b, nil
}

// start registers for news first and looks then, so that nothing falls between.
func (b *box) start(ctx context.Context, l *model.List) error {
	wake, cancel := b.srv.opt.Archive.Watch(l.ID)
	if b.key.held {
		p := newPending(b.srv.opt.Moderation, l)
		b.index, b.texts = p, Over(p.reader)
	} else {
		index, err := b.srv.opt.Archive.Open(ctx, l.ID, 1) // refreshed by whom it is for
		if err != nil {
			cancel()
			return err
		}
		b.index, b.texts = index, b.srv.opt.Archive
		if b.key.year != 0 {
			b.index = &yearly{Index: index, year: yearNumber(b.key.year)}
		}
	}
	run, stop := context.WithCancel(b.srv.ctx)
	b.stop = stop
	b.srv.boxed.Add(1)
	go func() {
		defer b.srv.boxed.Done()
		defer cancel()
		b.run(run, wake)
	}()
	return nil
}

func (b *box) run(ctx context.Context, wake <-chan struct{}) {
	tick := time.NewTicker(b.srv.times.look)
	defer tick.Stop()
	var again <-chan time.Time // after a failure: the news it was about comes only once
	for {
		select {
		case <-ctx.Done():
			return
		case <-wake:
		case <-tick.C:
		case <-again:
		}
		again = nil
		if err := b.index.Refresh(ctx, 0); err != nil && ctx.Err() == nil {
			b.srv.opt.Log.Warn("imap: cannot look for new posts", "list", b.key.list, "error", err)
			again = time.After(lookAgain)
		}
		b.vouch(ctx)
		b.tell()
	}
}

// refused is when nobody may be vouched for.
const refused = -1

// vouch looks for all sessions at once who may still read the list: thousands
// that idle would ask one by one. Who may not looks for herself, and ends.
func (b *box) vouch(ctx context.Context) {
	if b.key.held { // those who moderate are few: each looks for herself
		b.mu.Lock()
		defer b.mu.Unlock()
		for sel := range b.members {
			sel.vouched.Store(refused)
		}
		return
	}
	b.mu.Lock()
	members := make([]*selected, 0, len(b.members))
	people := make([]model.Actor, 0, len(b.members))
	for sel := range b.members {
		members, people = append(members, sel), append(people, sel.who)
	}
	b.mu.Unlock()
	now := b.srv.opt.Now().UnixNano()
	may, err := b.srv.opt.Archive.MayReadEach(ctx, people, b.key.list)
	if err != nil {
		return // each looks for herself
	}
	for i, sel := range members {
		if may[i] {
			sel.vouched.Store(now)
		} else {
			sel.vouched.Store(refused)
		}
	}
}

// release gives the box back; the last one ends its goroutine.
func (b *box) release() {
	b.srv.mu.Lock()
	defer b.srv.mu.Unlock()
	if b.users--; b.users > 0 {
		return
	}
	if b.srv.boxes[b.key] == b {
		delete(b.srv.boxes, b.key)
	}
	if b.stop != nil {
		b.stop()
	}
}

func (b *box) join(sel *selected) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.members[sel] = struct{}{}
}

func (b *box) part(sel *selected) {
	b.mu.Lock()
	delete(b.members, sel)
	b.mu.Unlock()
	b.release()
}

// tell wakes the sessions in the box.
func (b *box) tell() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for sel := range b.members {
		select {
		case sel.wake <- struct{}{}:
		default: // it is awake already
		}
	}
}
