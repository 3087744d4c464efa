package queue_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"plenary/internal/model"
	"plenary/internal/outbound/queue"
	"plenary/internal/outbound/smtpout"
	"plenary/internal/testkit/sink"
)

func (s *shaky) ClaimRetries(ctx context.Context, lease model.Chunk, now model.Instant, limit int) ([]model.Delivery, []model.Subscriber, error) {
	if err := s.gone(); err != nil {
		return nil, nil, err
	}
	return s.Store.ClaimRetries(ctx, lease, now, limit)
}

func (s *shaky) ClaimSites(ctx context.Context, sites []model.SiteRoom, lease model.Chunk, now model.Instant) (*model.SiteClaim, error) {
	if err := s.gone(); err != nil {
		return nil, err
	}
	return s.Store.ClaimSites(ctx, sites, lease, now)
}

func (s *shaky) RenewClaims(ctx context.Context, owner string, until model.Instant, rows []model.Delivery) ([]model.Delivery, error) {
	if err := s.gone(); err != nil {
		return nil, err
	}
	return s.Store.RenewClaims(ctx, owner, until, rows)
}

// TestLostRetries: a node that was cut off from the database for longer than its
// claims last leaves to another what that has claimed. What both send is what the
// first had handed out.
func TestLostRetries(t *testing.T) {
	t.Parallel()
	for name, direct := range map[string]bool{"relay": false, "direct": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			each(t, func(t *testing.T, r *rig) { lostRetries(t, r, direct) })
		})
	}
}

func lostRetries(t *testing.T, r *rig, direct bool) {
	const people, budget = 1200, 32
	r.people(r.list.ID, 1, people, "'d0.example'")
	o := sink.Options{Slow: 10 * time.Millisecond}
	var k *sink.Sink
	var engine func(change func(*queue.Options)) *queue.Engine
	site := int64(0)
	if direct {
		n := newInternet(t)
		k = n.host("127.0.0.71", o, "d0.example")
		engine = func(change func(*queue.Options)) *queue.Engine {
			return r.direct(n.router(fast, smtpout.Timeouts{}), change)
		}
		at, _ := n.router(fast, smtpout.Timeouts{}).Find(context.Background(), "d0.example", false)
		site = model.SiteKey(model.SiteNumber(model.WaitSite, at.Key()), model.LanePost)
	} else {
		k = startSink(t, o)
		engine = func(change func(*queue.Options)) *queue.Engine { return r.engine(k, change) }
	}
	id := r.distribute(r.list.ID, model.LanePost)
	r.exec(fmt.Sprintf("INSERT INTO deliveries (distribution_id, recipient_id, state, attempts, code, reply, at, next_at, site)"+
		" SELECT %d, id, 2, 1, 451, 'later', 1, 1, %d FROM subscribers", id, site))
	r.exec("UPDATE distributions SET state = 2, cursor = (SELECT max(id) FROM subscribers) WHERE id = ?", id)
	var said lines
	s := &shaky{Store: r.s}
	cut := engine(func(o *queue.Options) {
		o.Store, o.Lease, o.Node, o.Unrecorded, o.Log = s, 2*time.Second, "cut", budget, said.logger()
	})
	stopCut := run(t, cut)
	eventually(t, "it has claimed and sends", func() bool {
		return cut.Stats().Sent > 50 && r.number("SELECT count(*) FROM queue_claims WHERE owner = 'cut'") > 4*budget
	})
	s.away.Store(true)
	standstill(t, k, "nothing goes out without the database")
	other := engine(func(o *queue.Options) { o.Node, o.Connections = "other", 2 })
	stopOther := run(t, other)
	eventually(t, "the other takes over", func() bool {
		return r.number("SELECT count(*) FROM queue_claims WHERE owner = 'cut'") == 0 && other.Stats().Sent > 0
	})
	s.away.Store(false)
	r.await(id)
	stopOther()
	snap := k.Snapshot()
	if got := len(snap.Recipients()); got != people {
		t.Errorf("%d of %d people got the post", got, people)
	}
	if repeats := snap.Messages - people; repeats > budget {
		t.Errorf("%d repeats", repeats)
	}
	eventually(t, "the loss is logged", func() bool { return said.count("copies_dropped=") > 0 })
	stopCut()
}
