package route

import (
	"context"
	"time"

	"plenary/internal/outbound/queue"
)

// forgetPace is how long the pace of a site that is not used is remembered.
const forgetPace = time.Hour

// Direct is the direct way out for an engine: sites from a Router, each at its
// Pace. It is a queue.Router.
type Direct struct {
	Router *Router
	Paces  *Paces
}

// Find implements queue.Router.
func (d *Direct) Find(ctx context.Context, domain string, anyway bool) (queue.Site, queue.Result) {
	s, fail := d.Router.Find(ctx, domain, anyway)
	if s == nil {
		return nil, fail
	}
	return &paced{d, s}, queue.Result{}
}

// Tidy implements queue.Router.
func (d *Direct) Tidy() {
	d.Paces.Tidy(forgetPace)
	d.Router.Tidy()
}

// paced is a site at its pace; it is a queue.Site. The pace is asked for each
// time, because it may have been forgotten meanwhile.
type paced struct {
	direct *Direct
	site   *Site
}

func (p *paced) pace() *Pace { return p.direct.Paces.Of(p.site) }

// Key implements queue.Site.
func (p *paced) Key() string { return p.site.Key }

// Name implements queue.Site.
func (p *paced) Name() string { return p.site.Provider }

// Label implements queue.Site: the row of the table of providers.
func (p *paced) Label() string { return p.site.Limits.Name }

// Hosts implements queue.Site.
func (p *paced) Hosts() []string {
	names := make([]string, len(p.site.Hosts))
	for i := range p.site.Hosts {
		names[i] = p.site.Hosts[i].Name
	}
	return names
}

// Pool implements queue.Site.
func (p *paced) Pool() string { return p.site.PaceKey() }

// Batch implements queue.Site.
func (p *paced) Batch() int { return p.site.Limits.Batch }

// Life implements queue.Site.
func (p *paced) Life() int { return p.site.Limits.Letters }

// Connect implements queue.Site.
func (p *paced) Connect(ctx context.Context) (queue.Courier, error) {
	return p.direct.Router.Connector(p.site)(ctx)
}

// Leave implements queue.Site.
func (p *paced) Leave() bool { return p.pace().Leave() }

// Acquire implements queue.Site.
func (p *paced) Acquire() (bool, time.Duration) { return p.pace().Acquire() }

// Done implements queue.Site.
func (p *paced) Done(err error, useful bool) { p.pace().Done(err, useful) }

// Note implements queue.Site.
func (p *paced) Note(r queue.Result) { p.pace().Note(r) }

// Letters implements queue.Site.
func (p *paced) Letters(n int) (int, time.Duration) { return p.pace().Letters(n) }

// Down implements queue.Site.
func (p *paced) Down() (time.Time, string, bool) { return p.pace().Down() }

// Reset implements queue.Site.
func (p *paced) Reset() { p.pace().Reset() }
