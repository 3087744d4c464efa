package queue

import (
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// arithmetic makes letters that take a while, and notes how many are in the
// making at once.
type arithmetic struct{ now, most, made atomic.Int64 }

func (a *arithmetic) Letter(r Recipient) Letter {
	if n := a.now.Add(1); n > a.most.Load() {
		a.most.Store(n)
	}
	time.Sleep(time.Millisecond)
	a.now.Add(-1)
	a.made.Add(1)
	return Letter{Recipient: strconv.FormatInt(r.ID, 10)}
}

func (a *arithmetic) Costly() bool { return true }

func costlyUnit(p Prepared, s *signers, n int) *Unit {
	u := &Unit{prepared: p, job: &job{source: &source{signers: s}}}
	for i := range n {
		u.to = append(u.to, target{Recipient: Recipient{ID: int64(i)}})
	}
	return u
}

// TestSigners: many connections ask at once; each gets its letters in order, no
// more are in the making than there are processors, and none is made twice.
func TestSigners(t *testing.T) {
	s, p := newSigners(), &arithmetic{}
	var workers, connections sync.WaitGroup
	for range s.workers {
		workers.Go(s.run)
	}
	for range 10 {
		connections.Go(func() {
			u := costlyUnit(p, s, 16)
			for i := range u.Len() {
				if got := u.Letter(i).Recipient; got != strconv.Itoa(i) {
					t.Errorf("letter %d is %q's", i, got)
				}
			}
		})
	}
	connections.Wait()
	if most := p.most.Load(); most > int64(s.workers) {
		t.Errorf("%d letters in the making at once", most)
	}
	if made := p.made.Load(); made != 160 {
		t.Errorf("%d letters made for 160", made)
	}
	u := costlyUnit(p, s, 3)
	for range 2 { // a repeat is the same letter
		if got := u.Letter(1).Recipient; got != "1" {
			t.Errorf("asked again: %q", got)
		}
	}
	close(s.quit)
	workers.Wait()
	for i := range 3 { // whoever still asks makes it
		if got := u.Letter(i).Recipient; got != strconv.Itoa(i) {
			t.Errorf("after the end: letter %d is %q's", i, got)
		}
	}
}

// TestSignersWorkAhead: while a connection has the first letter in hand the next
// ones are made.
func TestSignersWorkAhead(t *testing.T) {
	s, p := newSigners(), &arithmetic{}
	var workers sync.WaitGroup
	workers.Go(s.run)
	u := costlyUnit(p, s, 16)
	u.Letter(0)
	for deadline := time.Now().Add(10 * time.Second); p.made.Load() < 2; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("nothing is made ahead")
		}
	}
	close(s.quit)
	workers.Wait()
}
