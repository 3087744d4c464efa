package queue

import (
	"context"
	"slices"
	"time"

	"plenary/internal/model"
)

const (
	sweepSites  = 256                    // looked at in one turn
	sweepRest   = 200 * time.Millisecond // between turns
	firstTry    = 64                     // copies claimed for a site without a connection
	claimSites  = 32                     // in one transaction
	claimCopies = 1024                   // the same, at most about
	ripeAt      = 16                     // copies in the store that are worth a connection
	ripeAfter   = 30 * time.Second       // or so long after the first
	dryFor      = time.Second            // a connection waits so long for copies that are in the store, while others want its place
)

// thirst tells the feeder that a depot can take more of what waits for it.
func (d *depots) thirst(p *depot) {
	for l := range p.lanes {
		if ln := &p.lanes[l]; (ln.parked || len(p.extra) > 0) && ln.n < depotLeast/4 {
			d.asked[p] = struct{}{}
			hint(d.e.lanes.room)
			return
		}
	}
}

// thirsty lists, by number and lane, what waits in the store for depots that
// asked.
func (d *depots) thirsty() (sites []int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for p := range d.asked {
		for l := range p.lanes {
			if ln := &p.lanes[l]; ln.parked && ln.n < depotLeast/4 {
				sites = append(sites, model.SiteKey(p.number, model.Lane(l)))
			}
		}
		for site := range p.extra {
			if p.lanes[laneOf(model.Lane(site&7))].n < depotLeast/4 {
				sites = append(sites, site)
			}
		}
	}
	clear(d.asked)
	return sites
}

// away is a depot without a connection that has copies in the store, since then.
type away struct {
	depot *depot
	since time.Time
}

// putAway notes that copies for a depot are in the store. Its turn comes when they
// are worth a connection, or have waited long, or there is nothing else to do: a
// site of a long tail gets a handful at once, not a connection for each.
func (d *depots) putAway(p *depot, ln *depotLane, copies int) {
	ln.parked = true
	if p.away.IsZero() {
		p.away, p.stored = d.e.Now(), 0
		d.away = append(d.away, away{p, p.away})
	}
	if p.stored < ripeAt && p.stored+copies >= ripeAt {
		d.ripe = append(d.ripe, away{p, p.away})
	}
	p.stored += copies
}

// recall asks for the copies of depots that are away, while few wait for a
// connection.
func (d *depots) recall() {
	now := d.e.Now()
	for n := len(d.slotless); n < d.e.Connections/2; {
		var a away
		switch {
		case len(d.ripe) > 0:
			a, d.ripe = d.ripe[0], d.ripe[1:]
		case len(d.away) > 0 && (now.Sub(d.away[0].since) > ripeAfter || d.hand() < handMost/8 && d.e.lanes.queued() == 0):
			a, d.away = d.away[0], d.away[1:]
		default:
			return
		}
		p := a.depot
		if p.away.IsZero() || !p.away.Equal(a.since) {
			continue // it was called by the other list
		}
		p.away = time.Time{}
		if p.live+p.opening > 0 {
			continue // it asks by itself
		}
		n++
		d.thirst(p)
	}
}

// claimRoom is how many copies may be claimed for a site.
func (d *depots) claimRoom(site int64) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	l := model.Lane(laneOf(model.Lane(site & 7)))
	room := handMost - d.waiting[l]
	if d.asking[site&^7] {
		return 0
	}
	p := d.byNumber[site&^7]
	if p == nil {
		return min(room, firstTry)
	}
	if _, _, down := p.site.Down(); down {
		return 0
	}
	if p.live+p.opening == 0 {
		room = min(room, firstTry)
	}
	return min(room, d.room(p, l))
}

// parked notes whether more waits in the store for a site.
func (d *depots) parked(site int64, more bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if p := d.byNumber[site&^7]; p != nil {
		ln := &p.lanes[laneOf(model.Lane(site&7))]
		if ln.parked = more; more && p.live+p.opening == 0 {
			d.putAway(p, ln, ripeAt)
		}
		return
	}
	if more {
		return
	}
	if p := d.extras[site]; p != nil {
		delete(p.extra, site)
		delete(d.extras, site)
	}
}

// sites claims copies that wait for sites: of those that have little in hand,
// and with whole of others in turn.
func (f *feeder) sites(ctx context.Context, whole bool) (n int, err error) {
	d := f.e.depots
	if n, err = f.claimAll(ctx, d.thirsty()); err != nil {
		return n, err
	}
	if !whole || f.e.Now().Sub(f.swept) < sweepRest {
		return n, nil
	}
	f.swept = f.e.Now()
	found, err := f.e.Store.WaitingSites(ctx, model.At(f.e.Now()), f.siteTurn, sweepSites)
	if err != nil {
		return n, err
	}
	if f.siteTurn = -1; len(found) == sweepSites {
		f.siteTurn = found[len(found)-1].Site
	}
	var due []int64
	for _, s := range found {
		if s.Due {
			due = append(due, s.Site)
		}
	}
	k, err := f.claimAll(ctx, due)
	return n + k, err
}

// claimAll claims what sites have room for, those of many in one transaction.
func (f *feeder) claimAll(ctx context.Context, sites []int64) (n int, err error) {
	slices.Sort(sites) // nodes that claim at once must not wait for each other in a ring
	for len(sites) > 0 && f.e.lanes.queued() <= handMost/2 {
		var rooms []model.SiteRoom
		all := 0
		for len(sites) > 0 && len(rooms) < claimSites && all < claimCopies {
			if room := min(f.e.depots.claimRoom(sites[0]), retryBatch); room > 0 {
				rooms = append(rooms, model.SiteRoom{Site: sites[0], Room: room})
				all += room
			}
			sites = sites[1:]
		}
		if len(rooms) == 0 {
			break
		}
		k, err := f.claim(ctx, rooms)
		if err != nil {
			return n, err
		}
		n += k
	}
	return n, nil
}

// claim claims copies of some sites.
func (f *feeder) claim(ctx context.Context, sites []model.SiteRoom) (n int, err error) {
	lease := f.e.lease()
	got, err := f.e.Store.ClaimSites(ctx, sites, lease, model.At(f.e.Now()))
	if err != nil {
		return 0, err
	}
	bySite := map[int64]int{}
	rows := map[int64][]model.Delivery{}
	for _, r := range got.Rows {
		bySite[r.Site]++
		rows[r.DistributionID] = append(rows[r.DistributionID], r)
	}
	for _, s := range sites {
		f.e.depots.parked(s.Site, bySite[s.Site] == s.Room)
	}
	for i := range got.Distributions {
		d := &got.Distributions[i]
		if len(rows[d.ID]) == 0 {
			continue
		}
		src, err := f.open(ctx, d)
		if err != nil || src == nil {
			if rerr := f.e.Store.ReleaseClaims(ctx, f.e.Node, rows[d.ID]); rerr != nil || err != nil {
				return n, cmpErr(err, rerr)
			}
			continue
		}
		k, err := f.claimedRows(ctx, src, lease, rows[d.ID], got.People)
		if err != nil {
			return n, err
		}
		n += k
	}
	return n, nil
}

func cmpErr(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

// unclaimed leaves out copies that are in hand already. Of some the claim had run
// out while the store was away: they are ours again. Others were just recorded
// as waiting and are not forgotten yet: they are given back, to be read anew;
// those whose row knows of more tries need not be: we or another node had tried
// them, and what is in hand of them is over.
func (f *feeder) unclaimed(ctx context.Context, src *source, rows []model.Delivery) ([]model.Delivery, error) {
	have := f.e.lanes.claimed(src)
	var twice, fresh, over []model.Delivery
	for _, r := range rows {
		n, ok := have[r.RecipientID]
		if ok && r.Attempts <= n {
			twice = append(twice, r)
			continue
		}
		if fresh = append(fresh, r); ok {
			over = append(over, r)
		}
	}
	if len(over) > 0 {
		jobs, _, _ := f.e.lanes.held()
		f.e.lanes.disown(jobs, over)
	}
	if len(twice) == 0 {
		return fresh, nil
	}
	select {
	case f.e.writing <- struct{}{}:
		<-f.e.writing
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	have = f.e.lanes.claimed(src)
	twice = slices.DeleteFunc(twice, func(r model.Delivery) bool { _, still := have[r.RecipientID]; return still })
	return fresh, f.e.Store.ReleaseClaims(ctx, f.e.Node, twice)
}

// claimedRows makes a job of claimed copies of one distribution.
func (f *feeder) claimedRows(ctx context.Context, src *source, lease model.Chunk, rows []model.Delivery, subs []model.Subscriber) (int, error) {
	people := make(map[int64]*model.Subscriber, len(subs))
	for i := range subs {
		people[subs[i].ID] = &subs[i]
	}
	rows, err := f.unclaimed(ctx, src, rows)
	if len(rows) == 0 || err != nil {
		return 0, err
	}
	j := &job{source: src, claims: make(map[int64]int, len(rows)), left: len(rows), fresh: model.At(f.e.Now()), until: f.e.handOutUntil(lease.LeaseUntil)}
	var to []target
	var skips []model.Delivery
	for _, r := range rows {
		j.claims[r.RecipientID] = r.Attempts
		refused := r.Code >= 500 && isPolicy(r.Reply)
		if src.d.Kind == model.DistributeLetter {
			to = append(to, target{Recipient{Address: src.d.Recipient}, r.Attempts, refused})
			continue
		}
		why := "the subscriber is not known any more"
		sub := people[r.RecipientID]
		if sub != nil {
			why = src.spare(sub)
		}
		if why != "" {
			skips = append(skips, model.Delivery{DistributionID: src.d.ID, RecipientID: r.RecipientID, State: model.DeliverySkipped,
				Attempts: r.Attempts, Reply: why, Claimed: f.e.Node})
			continue
		}
		to = append(to, target{recipient(sub), r.Attempts, refused})
	}
	f.e.cut(j, to)
	f.e.lanes.add(j)
	return 1, f.skip(ctx, j, skips)
}
