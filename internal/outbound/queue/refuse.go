package queue

import (
	"context"
	"errors"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"plenary/internal/fault"
	"plenary/internal/model"
)

// Refusals for reasons of policy or spam are about us, not about a person (law
// 10 of the design): they alarm the postmaster, and when a site means a whole
// distribution, its copies wait instead of being burnt one by one.
const (
	policyRow   = 10        // refusals in a row that stop a distribution at a site
	policyOne   = 5         // of them, at most of one domain: a site that refuses one may take others
	policyOurs  = 3         // the same when the sender was refused
	policyRest  = time.Hour // then one copy tries again
	policyAlarm = time.Hour // between alarms about a site
	refusalMost = 10_000    // remembered
)

// refusal is how often in a row a site has refused copies of a distribution, all of
// them or those of one domain. One that sees its domain refused policyRow times
// waits alone; several stop the whole distribution at the site.
type refusal struct {
	row   int
	until time.Time // nothing before that
	reply string
	said  bool // it was noted in the store since until was set, and may stand there
}

type refusalKey struct {
	distribution, site int64
	domain             string // empty: the whole site
}

// cleared is a refusal that is over. What was put off because of it is made due, also
// what was still on its way to the store.
type cleared struct {
	reply string
	at    model.Instant // what waits since later waits for another reason
	until time.Time     // nothing of it can turn up after that
	woken bool          // what was in the store already
}

// refusals are the refusals of an engine.
type refusals struct {
	any    atomic.Bool // by holds something: almost always it does not
	mu     sync.Mutex
	by     map[refusalKey]*refusal
	over   map[refusalKey]cleared
	alarms map[string]time.Time // by site
}

func newRefusals() *refusals {
	return &refusals{by: map[refusalKey]*refusal{}, over: map[refusalKey]cleared{}, alarms: map[string]time.Time{}}
}

// held gives until when a site must not get copies of a distribution for a domain,
// and why.
func (r *refusals) held(key refusalKey, now time.Time) (time.Time, string, bool) {
	if !r.any.Load() {
		return time.Time{}, "", false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, k := range [...]refusalKey{key.whole(), key} {
		if h := r.by[k]; h != nil && now.Before(h.until) {
			return h.until, h.reply, true
		}
	}
	return time.Time{}, "", false
}

// whole is the key of the whole site.
func (k refusalKey) whole() refusalKey { return refusalKey{k.distribution, k.site, ""} }

// forget lets a site be tried again; 0 is all.
func (r *refusals) forget(site int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for k, h := range r.by {
		if site == 0 || k.site == site {
			h.until, h.row = time.Time{}, 0
		}
	}
}

// again lets sites be tried once more with copies of a distribution: the next refusal
// stops them again.
func (r *refusals) again(distribution int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for k, h := range r.by {
		if k.distribution == distribution {
			h.until = time.Time{}
		}
	}
}

// stopped is a distribution that a site refuses, or (reply empty) takes again.
type stopped struct {
	distribution int64
	site, reply  string
}

// isPolicy finds the enhanced status 5.7.x (RFC 3463 3.8). Some servers put it
// behind words, in brackets or behind #; what stands behind another status is
// only talk.
func isPolicy(reply string) bool {
	if first, _, _ := strings.Cut(reply, " "); enhanced(first) {
		return strings.HasPrefix(first, "5.7.")
	}
	for word := range strings.FieldsSeq(reply) {
		if word = strings.Trim(word, "()[]<>#:;,.-"); strings.HasPrefix(word, "5.7.") && enhanced(word) {
			return true
		}
	}
	return false
}

// enhanced reports whether a word is a status of RFC 3463 2.
func enhanced(word string) bool {
	class, rest, _ := strings.Cut(word, ".")
	subject, detail, ok := strings.Cut(rest, ".")
	digits := func(s string) bool {
		return s != "" && len(s) <= 3 && strings.Trim(s, "0123456789") == ""
	}
	return ok && (class == "2" || class == "4" || class == "5") && digits(subject) && digits(detail)
}

// policy looks at an outcome for what it says about us. It reports that the copy
// must not fail for it, and until when it waits.
func (e *Engine) policy(b *batch, o Outcome) (ours bool, until time.Time) {
	f, u, r := e.refusals, o.Unit, o.Result
	refused := r.State == Permanent && (r.Ours || isPolicy(r.Reply))
	if !refused && (r.State != OK || !f.any.Load()) {
		return false, time.Time{}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	defer func() { f.any.Store(len(f.by) > 0) }()
	name, number := e.siteOf(u)
	domain := refusalKey{u.job.source.d.ID, number, domainOf(u.to[o.Index].Address)}
	site := domain.whole()
	now := e.Now()
	if !refused {
		f.clear(b, site, name, now)
		f.clear(b, domain, domain.domain, now)
		return false, time.Time{}
	}
	b.policy++
	if f.alarm(name, now) {
		e.Log.Error("a site refuses our mail for reasons of policy: this is about this server, not about the recipient", "site", name,
			"distribution", site.distribution, "code", r.Code, "reply", oneLine(r.Reply))
	}
	one := 0 // refusals of the domain
	if e.depots != nil && !r.Ours {
		one = f.count(domain)
	}
	if h := f.by[site]; one <= policyOne || h != nil && h.row >= policyRow { // also the copy that tries again after a rest
		if row := f.count(site); row >= policyRow || r.Ours && row >= policyOurs {
			return true, e.hold(b, site, name, r)
		}
	}
	if one >= policyRow {
		return true, e.hold(b, domain, domain.domain, r)
	}
	return r.Ours, time.Time{}
}

// count adds a refusal to a row; f.mu is held.
func (f *refusals) count(key refusalKey) int {
	h := f.by[key]
	if h == nil {
		if len(f.by) >= refusalMost {
			maps.DeleteFunc(f.by, func(_ refusalKey, h *refusal) bool { return h.until.IsZero() })
		}
		if len(f.by) >= refusalMost {
			clear(f.by)
		}
		h = &refusal{}
		f.by[key] = h
	}
	h.row++
	return h.row
}

// hold lets a distribution wait at a site, or for one domain of it, under this name;
// refusals.mu is held.
func (e *Engine) hold(b *batch, key refusalKey, name string, r Result) time.Time {
	h, now := e.refusals.by[key], e.Now()
	if !now.Before(h.until) {
		h.until, h.said = now.Add(e.wait([]time.Duration{policyRest}, 0)), false
	}
	delete(e.refusals.over, key)
	if !h.said {
		h.said, h.reply = true, oneLine(r.Reply)
		b.stopped = append(b.stopped, stopped{key.distribution, name, h.reply})
		if e.depots == nil {
			delete(e.refusals.by, key) // it is paused, and counts anew when it is resumed
		}
	}
	return h.until
}

// clear ends a row, because a copy was taken; f.mu is held.
func (f *refusals) clear(b *batch, key refusalKey, name string, now time.Time) {
	h := f.by[key]
	if h == nil {
		return
	}
	delete(f.by, key)
	if h.said {
		b.stopped = append(b.stopped, stopped{key.distribution, name, ""})
		f.over[key] = cleared{reply: h.reply, at: model.At(now.Add(time.Second)), until: now.Add(wakeFor)}
	}
}

// wakeCleared makes due what was put off because of refusals that are over: at once, and
// when nothing more of it can be on its way to the store.
func (e *Engine) wakeCleared(ctx context.Context) {
	f := e.refusals
	f.mu.Lock()
	now, due := e.Now(), map[refusalKey]cleared{}
	for k, c := range f.over {
		switch last := !now.Before(c.until); {
		case last:
			delete(f.over, k)
			due[k] = c
		case !c.woken:
			due[k] = c
			c.woken = true
			f.over[k] = c
		}
	}
	f.mu.Unlock()
	for k, c := range due {
		if err := e.Store.WakeRefused(ctx, k.distribution, k.site, c.reply, c.at); err != nil && ctx.Err() == nil {
			e.Log.Warn("what waited for a refusal is not due yet", "distribution", k.distribution, "err", err)
		}
	}
}

// alarm reports whether it is time to speak about a site; f.mu is held.
func (f *refusals) alarm(site string, now time.Time) bool {
	if now.Sub(f.alarms[site]) < policyAlarm {
		return false
	}
	if len(f.alarms) >= refusalMost {
		clear(f.alarms)
	}
	f.alarms[site] = now
	return true
}

// refusedUs looks at why a connection failed: 5yz at the door is about us like
// 5.7.x to a letter. No letter was tried, so nobody has failed.
func (e *Engine) refusedUs(site string, err error) {
	var r *Refusal
	if !errors.As(err, &r) || r.Code < 500 {
		return
	}
	e.counters.policy.Add(1)
	e.Metrics.Delivered("policy", 1)
	e.refusals.mu.Lock()
	due := e.refusals.alarm(site, e.Now())
	e.refusals.mu.Unlock()
	switch {
	case due && r.Login:
		e.Log.Error("a relay refuses our user and password, it is paused: see outbound.relay_username and outbound.relay_password", "site", site,
			"code", r.Code, "reply", oneLine(r.Reply), "next_try_in", loginRest.String())
	case due:
		e.Log.Error("a site refuses our connections: this is about this server, not about any recipient", "site", site, "code", r.Code, "reply", oneLine(r.Reply))
	}
}

// siteOf names where a unit went.
func (e *Engine) siteOf(u *Unit) (name string, number int64) {
	switch {
	case u.link != nil:
		return u.link.site.Name(), u.link.depot.number // the depot may get a fresher one meanwhile
	case u.outlet != nil:
		return u.outlet.Name, 0
	}
	return "the relay", 0
}

// stop tells the store which distributions a site refuses. With one way out for
// all, the distribution is paused: there is nobody else it could go to.
func (e *Engine) stop(ctx context.Context, b *batch) {
	for _, s := range b.stopped {
		var err error
		switch {
		case e.depots != nil:
			err = e.Store.NoteRefusal(ctx, s.distribution, s.site, s.reply)
		case s.reply != "":
			e.Log.Error("a distribution is paused, because the way out refuses it for reasons of policy", "distribution", s.distribution, "reply", s.reply)
			err = e.Store.PauseDistribution(ctx, s.distribution, s.site+" refuses it for reasons of policy: "+s.reply)
		}
		if err != nil && !fault.Is(err, fault.Conflict) { // somebody was quicker
			e.Log.Warn("a refusal was not noted", "distribution", s.distribution, "err", err)
		}
	}
	if e.depots != nil && len(b.stopped) > 0 {
		e.depots.parkRefused()
	}
}

// withhold takes out of a unit who may get nothing now, because a person paused
// his domain. The unit's budget shrinks with it.
func (e *Engine) withhold(u *Unit) {
	st := e.stops.Load()
	if st == nil || len(st.paused) == 0 {
		return
	}
	s := skipped{job: u.job}
	keep := u.to[:0]
	for _, t := range u.to {
		if name := domainOf(t.Address); st.paused[name] {
			s.rows = append(s.rows, e.later(u.job, t, pauseOf(name)))
			continue
		}
		keep = append(keep, t)
	}
	if u.to = keep; len(s.rows) > 0 {
		s.out = len(s.rows)
		e.skips <- s // the recorder outlives this goroutine
		e.budget.give(s.out)
	}
}

func domainOf(address string) string {
	return strings.ToLower(address[strings.LastIndexByte(address, '@')+1:])
}

// wait is what a copy waits for.
type wait struct {
	site int64
	next model.Instant
	why  string
}

func pauseOf(name string) wait {
	return wait{model.SiteNumber(model.WaitPause, name), model.Never, "sending to " + name + " is paused"}
}

// later is what is recorded of a copy that waits without having been tried.
func (e *Engine) later(j *job, t target, w wait) model.Delivery {
	row := model.Delivery{DistributionID: j.source.d.ID, RecipientID: t.ID, State: model.DeliveryRetry, Attempts: t.attempts,
		Reply: oneLine(w.why), At: model.At(e.Now()), NextAt: w.next, Claimed: e.claimant(j),
		Site: model.SiteKey(w.site, j.source.d.Lane)}
	life := e.lifetime(j.source.d.Lane)
	if t.attempts == 0 && j.source.d.Lane == model.LaneLetters {
		life = max(life, untriedNews)
	}
	if end := j.source.d.CreatedAt.Add(life); row.At > end && w.next != model.Never {
		row.State, row.NextAt, row.Site = model.DeliveryFailed, 0, 0
	}
	return row
}
