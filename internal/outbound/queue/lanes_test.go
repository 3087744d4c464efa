package queue

import (
	"testing"
	"time"

	"plenary/internal/model"
)

// TestLanesShareByWeight: while every lane has copies, each gets its share, the
// higher ones more, and none waits longer than its share says.
func TestLanesShareByWeight(t *testing.T) {
	l := newLanes()
	now := model.At(time.Now())
	for lane := range model.Lane(laneCount) {
		j := &job{source: &source{d: &model.Distribution{ID: int64(lane) + 1, Lane: lane}}, until: now + 1}
		for range 100_000 {
			j.units = append(j.units, &Unit{job: j, to: make([]target, 1)})
		}
		j.queued = len(j.units)
		l.add(j)
	}
	const sum = 64 + 32 + 16 + 4 + 1
	const rounds = 100
	var got, last [laneCount]int
	for n := range sum * rounds {
		lane := l.next(now, [laneCount]bool{}).job.source.d.Lane
		if gap := n - last[lane]; got[lane] > 0 && float64(gap) > 2*sum/weight(lane)+float64(laneCount) {
			t.Fatalf("lane %d waited for %d others", lane, gap)
		}
		got[lane], last[lane] = got[lane]+1, n
	}
	for lane := range model.Lane(laneCount) {
		want := int(weight(lane)) * rounds
		if got[lane] < want-rounds/10 || got[lane] > want+rounds/10 {
			t.Errorf("lane %d got %d of %d units, its share is %d", lane, got[lane], sum*rounds, want)
		}
		if lane > 0 && weight(lane) >= weight(lane-1) {
			t.Errorf("lane %d is not below lane %d", lane, lane-1)
		}
	}
}

// TestALaneThatWasAwayHasNoCredit: a lane that had nothing for a while does not
// shut the others out when it comes back.
func TestALaneThatWasAwayHasNoCredit(t *testing.T) {
	l := newLanes()
	now := model.At(time.Now())
	fill := func(lane model.Lane, n int) {
		j := &job{source: &source{d: &model.Distribution{Lane: lane}}, until: now + 1, queued: n}
		for range n {
			j.units = append(j.units, &Unit{job: j, to: make([]target, 1)})
		}
		l.add(j)
	}
	fill(model.LaneDigest, 4000)
	for range 2000 {
		l.next(now, [laneCount]bool{})
	}
	fill(model.LaneLetters, 4000)
	digests := 0
	for range 100 {
		if l.next(now, [laneCount]bool{}).job.source.d.Lane == model.LaneDigest {
			digests++
		}
	}
	if digests < 70 {
		t.Errorf("digests got %d of 100 units beside newsletters that had been away", digests)
	}
}
