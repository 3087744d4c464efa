package queue

import (
	"context"
	"strings"

	"plenary/internal/model"
)

const tellAtOnce = 200 // sites in one transaction

// resultKey is a label of a site and a class of outcomes.
type resultKey struct{ site, class string }

// class is the kind of an outcome, for metrics.
func class(r Result) string {
	switch {
	case r.Lost:
		return "lost"
	case r.State == Permanent && (r.Ours || isPolicy(r.Reply)):
		return "policy"
	}
	return r.State.String()
}

// tell counts results, and writes down what copies wait for, for people.
func (d *depots) tell(ctx context.Context) {
	d.mu.Lock()
	counts := d.counts
	d.counts = map[resultKey]int{}
	var states []model.SiteState
	now := d.e.Now()
	for number, p := range d.changed {
		if len(states) == tellAtOnce {
			break
		}
		delete(d.changed, number)
		p.told = now
		st := model.SiteState{ID: number, Name: cleaned(p.site.Name()), Hosts: cleaned(strings.Join(p.site.Hosts(), " ")), At: model.At(now)}
		if until, why, down := p.site.Down(); down {
			st.Until, st.Text = model.At(until), oneLine(why)
		}
		states = append(states, st)
	}
	d.mu.Unlock()
	for k, n := range counts {
		d.e.Metrics.SiteResult(k.site, k.class, n)
	}
	if len(states) == 0 {
		return
	}
	if err := d.e.Store.NoteSites(ctx, states); err != nil {
		d.e.Log.Debug("the state of sites was not noted", "err", err)
	}
}
