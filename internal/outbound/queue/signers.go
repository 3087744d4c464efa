package queue

import "runtime"

// Costly is what a Prepared may also say: that a letter of it takes arithmetic,
// such as a signature. Such letters are composed by a pool of workers, one for
// each processor, a little before a connection needs them: however many
// connections there are, no more letters than processors are in the making, and
// the round trips of a connection go by while its next letters are made.
type Costly interface {
	Costly() bool
}

// makeAhead is how many letters of a unit are made before they are asked for, as
// far as workers are free.
const makeAhead = 4

// signers is the pool.
type signers struct {
	work chan making
	quit chan struct{}
}

// making is one letter for a worker.
type making struct {
	unit *Unit
	at   int
}

// made is a letter that a worker has in hand, or had.
type made struct {
	ready  chan struct{} // closed when letter is there; nil: nobody was asked yet
	letter Letter
}

func newSigners() *signers {
	n := runtime.GOMAXPROCS(0)
	return &signers{work: make(chan making, n), quit: make(chan struct{})}
}

// run is one worker; all end when quit is closed.
func (s *signers) run() {
	for {
		select {
		case m := <-s.work:
			it := &m.unit.made[m.at]
			it.letter = m.unit.compose(m.at)
			close(it.ready)
		case <-s.quit:
			return
		}
	}
}

// letter gives letter i of a unit and has those behind it made. When the pool has
// ended the caller makes it.
func (s *signers) letter(u *Unit, i int) Letter {
	if u.made == nil {
		u.made = make([]made, len(u.to))
	}
	if u.made[i].ready == nil {
		u.made[i].ready = make(chan struct{})
		select {
		case s.work <- making{u, i}:
		case <-s.quit:
			return u.compose(i)
		}
	}
ahead:
	for k := i + 1; k < len(u.to) && k <= i+makeAhead; k++ {
		if u.made[k].ready != nil {
			continue
		}
		ready := make(chan struct{})
		u.made[k].ready = ready
		select {
		case s.work <- making{u, k}:
		default:
			u.made[k].ready = nil // all are busy
			break ahead
		}
	}
	select {
	case <-u.made[i].ready:
		l := u.made[i].letter
		u.made[i] = made{} // who asks again has it made again
		return l
	case <-s.quit:
		return u.compose(i)
	}
}
