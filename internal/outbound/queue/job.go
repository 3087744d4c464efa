package queue

import "plenary/internal/model"

// job is one leased range, one house letter, or one batch of retries of a
// distribution. Its fields are guarded by lanes.mu.
type job struct {
	source *source
	chunk  *model.Chunk  // nil for retries
	claims map[int64]int // retries that are ours and whose outcome is not recorded: attempts, by recipient

	units  []*Unit       // not handed out
	queued int           // copies in units
	out    int           // copies handed out, outcome not recorded
	left   int           // copies not decided, in units or out or dropped
	ended  bool          // the last outcome is being recorded
	halted bool          // what is not handed out was dropped
	lost   bool          // the lease is not ours any more
	slim   bool          // little more than what is out is left: it takes no room
	fresh  model.Instant // when its recipients were read
	until  model.Instant // when the lease ends; nothing is handed out after that
}

// kind is what a job is.
type kind uint8

const (
	aRange kind = iota
	aLetter
	aRetry // of either
)

func (j *job) kind() kind {
	switch {
	case j.claims != nil:
		return aRetry
	case j.source.d.Kind == model.DistributeLetter:
		return aLetter
	}
	return aRange
}

// rows names the claims in hand.
func (j *job) rows() []model.Delivery {
	out := make([]model.Delivery, 0, len(j.claims))
	for id := range j.claims {
		out = append(out, model.Delivery{DistributionID: j.source.d.ID, RecipientID: id})
	}
	return out
}

// halt drops what is not handed out of the jobs that match, and gives those
// that have nothing out: they can be released now. lost says that the lease is
// another's.
func (l *lanes) halt(match func(*job) bool, lost bool) (idle []*job) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range l.all {
		for _, j := range l.all[i].jobs {
			if j.halted || !match(j) {
				continue
			}
			l.move(j, -j.queued)
			j.units, j.halted, j.lost = nil, true, lost
			if j.out == 0 && !j.ended {
				idle = append(idle, j)
			}
		}
	}
	return idle
}

// holds reports whether a range is in hand: then its lease had only run out
// while the store was away, and nobody else has had it.
func (l *lanes) holds(c *model.Chunk, until model.Instant) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range l.all {
		for _, j := range l.all[i].jobs {
			if j.chunk != nil && !j.lost && j.chunk.DistributionID == c.DistributionID && j.chunk.FirstID == c.FirstID {
				j.until = until
				hint(l.more)
				return true
			}
		}
	}
	return false
}

// claimed gives the copies of a distribution that are in hand as retries, with
// the tries they had when they were claimed.
func (l *lanes) claimed(s *source) map[int64]int {
	l.mu.Lock()
	defer l.mu.Unlock()
	ids := map[int64]int{}
	for _, j := range l.all[laneOf(s.d.Lane)].jobs {
		if j.source == s {
			for id, c := range j.claims {
				ids[id] = max(ids[id], c)
			}
		}
	}
	return ids
}

// prolong notes that the leases in hand last until then.
func (l *lanes) prolong(jobs []*job, until model.Instant) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, j := range jobs {
		if !j.lost {
			j.until = max(j.until, until)
		}
	}
	hint(l.more)
}

// settle notes that n copies of j that were handed out are recorded. It
// reports whether j waits for nothing more and should be dropped or released.
func (l *lanes) settle(j *job, out, decided int) (idle bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	j.out -= out
	j.left -= decided
	return j.left <= 0 || j.halted && j.out == 0
}

// drop forgets a job.
func (l *lanes) drop(j *job) {
	l.mu.Lock()
	defer l.mu.Unlock()
	ln := &l.all[laneOf(j.source.d.Lane)]
	for i, have := range ln.jobs {
		if have == j {
			l.move(j, -j.queued)
			ln.jobs = append(ln.jobs[:i], ln.jobs[i+1:]...)
			if j.slim {
				ln.slim--
			}
			j.source.jobs--
			hint(l.room)
			return
		}
	}
}

// claimant is whose claim ends with the outcome of a copy; empty: there is none.
func (e *Engine) claimant(j *job) string {
	if j.claims == nil {
		return ""
	}
	return e.Node
}

// disown takes claims that are not ours any more off these jobs: what of that waits
// is left out when its turn comes (ours).
func (l *lanes) disown(jobs []*job, rows []model.Delivery) {
	l.mu.Lock()
	defer l.mu.Unlock()
	by := map[int64][]int64{}
	for _, r := range rows {
		by[r.DistributionID] = append(by[r.DistributionID], r.RecipientID)
	}
	for _, j := range jobs {
		for _, id := range by[j.source.d.ID] {
			delete(j.claims, id)
		}
	}
}

// ours leaves out of a unit whose turn has come the copies that another node has
// claimed meanwhile, and gives their number. It reports whether the job waits for
// nothing more.
func (l *lanes) ours(u *Unit) (dropped int, idle bool) {
	j := u.job
	if j.claims == nil {
		return 0, false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	keep := u.to[:0]
	for _, t := range u.to {
		if _, ok := j.claims[t.ID]; ok {
			keep = append(keep, t)
		}
	}
	if dropped = len(u.to) - len(keep); dropped == 0 {
		return 0, false
	}
	u.to = keep
	j.out -= dropped
	j.left -= dropped
	l.dropped[j.source.d.ID] += dropped
	return dropped, j.left <= 0 || j.halted && j.out == 0
}

// takeDropped gives how many copies of each distribution were left out since the last
// look.
func (l *lanes) takeDropped() map[int64]int {
	l.mu.Lock()
	defer l.mu.Unlock()
	was := l.dropped
	l.dropped = map[int64]int{}
	return was
}

// forget takes decided retries off a job's claims.
func (l *lanes) forget(j *job, rows []model.Delivery) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range rows {
		delete(j.claims, rows[i].RecipientID)
	}
}
