package queue

import (
	"os"
	"runtime"
	"sync"
)

// Costly is what a Prepared may also say: that a letter of it takes arithmetic,
// such as a signature. Such letters are composed by a pool of workers, a little
// before a connection needs them: however many connections there are, no more
// letters than workers are in the making, and the round trips of a connection go
// by while its next letters are made.
type Costly interface {
	Costly() bool
}

const (
	// makeAhead is how many letters of a unit may be made before they are asked for.
	makeAhead = 4
	// aheadEach is how many of those wait for each worker. A connection whose letter is
	// done gets its turn only when a worker has nothing to do or has worked for long: what waits
	// here keeps both busy.
	aheadEach = 16
	// moreWorkers than processors are there. While all of Go's processors sign, it looks
	// for answers from the network every 10 ms only; ten connections that wait so long for each
	// answer are not quicker than the signatures, and an eighth of the machine was idle.
	// With more of both than the machine has, the kernel shares it out: 4 to 8 % are idle.
	moreWorkers = 2
)

// signers is the pool.
type signers struct {
	workers int
	work    chan making // a connection waits for it
	ahead   chan making
	quit    chan struct{}
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
	n := processors()
	if !processorsChosen() {
		n += moreWorkers
	}
	return &signers{workers: n, work: make(chan making, n), ahead: make(chan making, aheadEach*n), quit: make(chan struct{})}
}

// processors is how many Go had before it got more.
var processors = sync.OnceValue(func() int { return runtime.GOMAXPROCS(0) })

// moreProcessors gives Go's scheduler as many more processors as there are workers
// more than processors, once there is something to sign.
var moreProcessors = sync.OnceFunc(func() {
	if !processorsChosen() {
		runtime.GOMAXPROCS(processors() + moreWorkers)
	}
})

// processorsChosen reports whether who runs the program has said how many processors it
// may use.
func processorsChosen() bool { return os.Getenv("GOMAXPROCS") != "" }

// run is one worker; all end when quit is closed.
func (s *signers) run() {
	for {
		var m making
		select {
		case m = <-s.work:
		default:
			select {
			case m = <-s.work:
			case m = <-s.ahead:
			case <-s.quit:
				return
			}
		}
		it := &m.unit.made[m.at]
		it.letter = m.unit.compose(m.at)
		close(it.ready)
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
		case s.ahead <- making{u, k}:
		default:
			u.made[k].ready = nil // enough is to be made
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
