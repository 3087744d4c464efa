package store

import (
	"context"
	"strconv"
	"strings"

	"plenary/internal/model"
)

// QueueStatus is what the queue holds.
type QueueStatus struct {
	Paused      string        `json:"paused,omitempty"`       // who paused everything; empty: not paused
	PausedLists []int64       `json:"paused_lists,omitempty"` // lists paused by themselves
	PausedTo    []string      `json:"paused_to,omitempty"`    // destinations paused by themselves
	Refused     []Refusal     `json:"refused,omitempty"`      // distributions that wait because a site refuses them for reasons of policy
	Sites       []WaitingSite `json:"sites,omitempty"`        // what copies wait for, with limit above 0
	Active      int64         `json:"active"`                 // distributions with recipients not handed out yet
	Waiting     int64         `json:"waiting"`                // distributions whose last copies are under way or wait for another try
	Held        int64         `json:"held"`                   // distributions paused by a person, or that could not be composed
	Stale       int64         `json:"stale"`                  // distributions paused because of their age: `queue resume` lets them go
	Retries     int64         `json:"retries"`                // copies that wait for another try
	Leased      int64         `json:"leased"`                 // ranges and letters some node works on
	Oldest      model.Instant `json:"oldest"`                 // when the oldest undone distribution was made; 0: none
	Nodes       []QueueNode   `json:"nodes,omitempty"`        // nodes whose way out does not work
	Entries     []QueueEntry  `json:"entries"`                // the undone distributions by lane and age, up to the limit asked
}

// QueueNode is a node with trouble on its way out; one that is not heard of any more is
// left out.
type QueueNode struct {
	Name  string        `json:"name"`
	Text  string        `json:"text"`
	Since model.Instant `json:"since"`
}

// QueueEntry is one undone distribution.
type QueueEntry struct {
	model.Distribution
	Why       string `json:"why,omitempty"` // why it is paused, when not by a person
	Audience  int64  `json:"audience"`
	Sent      int64  `json:"sent"`
	Retry     int64  `json:"retry"`
	Failed    int64  `json:"failed"`
	Skipped   int64  `json:"skipped"`
	LastReply string `json:"last_reply,omitempty"` // of a copy that waits for another try
}

// QueueStatus counts the queue and lists up to limit undone distributions.
func (s *Store) QueueStatus(ctx context.Context, limit int) (*QueueStatus, error) {
	st := &QueueStatus{}
	db := s.read(ctx)
	var notes []struct {
		Name, Text string
		At         model.Instant
	}
	if err := db.Raw("SELECT name, text, at FROM queue_notes ORDER BY name").Scan(&notes).Error; err != nil {
		return nil, s.fault(err)
	}
	why := map[int64]string{}
	heard := map[string]model.Instant{} // of nodes; their names come before the kind "node"
	gone := s.queueNow().Add(-nodeGone)
	for _, n := range notes {
		kind, rest, _ := strings.Cut(n.Name, "/")
		switch {
		case n.Name == "pause":
			st.Paused = n.Text
		case strings.HasPrefix(rest, "to/") && kind == "pause":
			st.PausedTo = append(st.PausedTo, strings.TrimPrefix(rest, "to/"))
		case kind == "refused":
			id, site, _ := strings.Cut(rest, "/")
			number, _ := strconv.ParseInt(id, 10, 64)
			st.Refused = append(st.Refused, Refusal{number, site, n.Text, n.At})
		case kind == "pause":
			id, _ := strconv.ParseInt(strings.TrimPrefix(rest, "list/"), 10, 64)
			st.PausedLists = append(st.PausedLists, id)
		case kind == noteAtWork:
			heard[rest] = n.At
		case kind == "node" && max(n.At, heard[rest]) > gone:
			st.Nodes = append(st.Nodes, QueueNode{rest, n.Text, n.At})
		case kind == "stale", kind == "stopped":
			id, _ := strconv.ParseInt(rest, 10, 64)
			why[id] = n.Text
			if kind == "stale" {
				st.Stale++
			}
		}
	}
	const undone = "(state IN (0, 1) OR state = 2 AND done_at = 0)"
	var counts []struct {
		State model.DistributionState
		N     int64
		At    model.Instant
	}
	if err := db.Raw("SELECT state, count(*) AS n, min(created_at) AS at FROM distributions WHERE " + undone + " GROUP BY state").Scan(&counts).Error; err != nil {
		return nil, s.fault(err)
	}
	for _, c := range counts {
		switch c.State {
		case model.DistributionActive:
			st.Active = c.N
		case model.DistributionDone:
			st.Waiting = c.N
		default:
			st.Held = c.N - st.Stale
		}
		if st.Oldest == 0 || c.At < st.Oldest {
			st.Oldest = c.At
		}
	}
	if err := db.Raw("SELECT (SELECT count(*) FROM deliveries WHERE state = 2), (SELECT count(*) FROM chunks WHERE lease_until > 0)").
		Row().Scan(&st.Retries, &st.Leased); err != nil {
		return nil, s.fault(err)
	}
	if limit == 0 {
		return st, nil
	}
	var err error
	if st.Sites, err = s.waitingSites(ctx, limit); err != nil {
		return nil, s.fault(err)
	}
	var ds []model.Distribution
	if err := db.Raw("SELECT * FROM distributions WHERE "+undone+" ORDER BY lane, id LIMIT ?", limit).Scan(&ds).Error; err != nil {
		return nil, s.fault(err)
	}
	for i := range ds {
		e, err := s.queueEntry(ctx, &ds[i])
		if err != nil {
			return nil, err
		}
		e.Why = why[e.ID]
		st.Entries = append(st.Entries, *e)
	}
	return st, nil
}

// QueueEntryOf gives a distribution, done or not, with the counts of its
// outcomes.
func (s *Store) QueueEntryOf(ctx context.Context, id int64) (*QueueEntry, error) {
	d, err := s.GetDistribution(ctx, id)
	if err != nil {
		return nil, err
	}
	return s.queueEntry(ctx, d)
}

func (s *Store) queueEntry(ctx context.Context, d *model.Distribution) (*QueueEntry, error) {
	e := &QueueEntry{Distribution: *d}
	var err error
	if e.Audience, err = s.Audience(ctx, d); err != nil {
		return nil, err
	}
	var counts []struct {
		State model.DeliveryState
		N     int64
	}
	db := s.read(ctx)
	if err := db.Raw("SELECT state, count(*) AS n FROM deliveries WHERE distribution_id = ? GROUP BY state", d.ID).Scan(&counts).Error; err != nil {
		return nil, s.fault(err)
	}
	for _, c := range counts {
		switch c.State {
		case model.DeliverySent:
			e.Sent = c.N
		case model.DeliveryRetry:
			e.Retry = c.N
		case model.DeliveryFailed:
			e.Failed = c.N
		case model.DeliverySkipped:
			e.Skipped = c.N
		}
	}
	var packed int64
	if err := db.Raw("SELECT COALESCE(sum(copies), 0) FROM delivery_packs WHERE distribution_id = ?", d.ID).Row().Scan(&packed); err != nil {
		return nil, s.fault(err)
	}
	e.Sent += packed
	if d.DoneAt != 0 {
		if err := s.foldCounts(ctx, e); err != nil {
			return nil, err
		}
	}
	if e.Retry > 0 {
		err = db.Raw("SELECT reply FROM deliveries WHERE distribution_id = ? AND state = 2 LIMIT 1", d.ID).Scan(&e.LastReply).Error
	}
	return e, s.fault(err)
}
