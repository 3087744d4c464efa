package app

import (
	"context"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"time"

	"plenary/internal/config"
	"plenary/internal/fault"
	"plenary/internal/list/keys"
	"plenary/internal/list/posting"
	"plenary/internal/model"
	"plenary/internal/outbound/queue"
	"plenary/internal/outbound/route"
	"plenary/internal/outbound/smtpout"
	"plenary/internal/token"
)

// tlsCountsEvery is how often counts of TLS sessions are written down.
const tlsCountsEvery = time.Minute

// policiesAtOnce bounds the looks at kept policies: hundreds of domains are looked
// up at once, and each connection to the database has memory of its own.
const policiesAtOnce = 2

// relayTLS maps the configuration's words.
func relayTLS(c *config.Config) smtpout.TLSMode {
	if c.Outbound.RelayTLS == "opportunistic" {
		return smtpout.TLSOpportunistic
	}
	return smtpout.TLSMode(c.Outbound.RelayTLS)
}

// newQueue makes the engine with the configured way out.
func (a *App) newQueue(tokens *token.Keyring) (*queue.Engine, error) {
	o := a.Config.Outbound
	a.keys = keys.New(keys.Deps{Store: a.Store})
	opts := queue.Options{
		Store: a.Store, Composer: &posting.Composer{Store: a.Store, Tokens: tokens, Keys: a.keys, Log: a.Log}, Node: a.Node,
		Metrics: a.Metrics, Log: a.Log, Connections: o.Connections, StaleAge: o.HoldOlder, NewsLife: o.NewsletterTries, Lease: o.Lease, Now: a.Store.Clock,
	}
	switch o.Mode {
	case "relay":
		relays, err := o.Relays()
		if err != nil {
			return nil, err
		}
		for _, r := range relays {
			way := &smtpout.Relay{Addr: r.Addr, TLS: relayTLS(a.Config), Username: o.RelayUsername, Password: o.RelayPassword, Hello: a.Config.Hostname,
				Known: &smtpout.Known{}, InClear: a.inClear(r.Addr)}
			opts.Outlets = append(opts.Outlets, queue.Outlet{Name: r.Addr, Weight: r.Weight, Connect: way.Connect})
		}
	case "direct":
		way, err := a.direct()
		if err != nil {
			return nil, err
		}
		opts.Router, opts.Connections = way, o.DirectConnections
	default:
		opts.Connect = (&smtpout.Catcher{Keep: a.Store.SaveCaught}).Connect
	}
	return queue.New(opts), nil
}

// inClear tells now and then that a relay offers TLS and has none.
func (a *App) inClear(relay string) func(error) {
	var mu sync.Mutex
	var said time.Time
	return func(why error) {
		mu.Lock()
		defer mu.Unlock()
		if time.Since(said) > time.Hour {
			said = time.Now()
			a.Log.Warn("TLS does not work with the relay, letters go to it in clear; outbound.relay_tls = \"required\" would hold them back", "relay", relay, "err", why)
		}
	}
}

// direct makes the way out to the mail hosts of each domain.
func (a *App) direct() (*route.Direct, error) {
	o := a.Config.Outbound
	table, err := limitsTable(o.Providers)
	if err != nil {
		return nil, err
	}
	var names route.DNS = route.System{}
	if servers := o.Resolvers(); len(servers) > 0 {
		names = &route.Stub{Servers: servers, Validates: loopback(servers)}
	}
	a.tlsCounts = &route.Tally{}
	if a.tlsReports, err = a.newTLSReporter(names); err != nil {
		return nil, err
	}
	ownNames, own := a.ourselves().mailHost(a.Config.SMTP.Listen, o.MXPort)
	r, err := route.New(route.Options{
		Names: ownNames, Own: own, Local: a.isLocal,
		Table: table, Hello: a.Config.Hostname, DNS: names, Reports: a.tlsCounts, Log: a.Log, Port: o.MXPort, TLSConfig: a.outTLS,
		STS:          &route.STS{DNS: names, Fetcher: &stsFetcher{a.https()}, Store: policies{a, make(chan struct{}, policiesAtOnce)}, Reports: a.tlsCounts, Log: a.Log},
		AllowPrivate: o.MXPrivate == "yes", NoIPv4: o.IP == "6", NoIPv6: o.IP == "4",
	})
	if err != nil {
		return nil, err
	}
	a.paces = route.NewPaces(time.Now, rand.Float64, a.paceChanged)
	return &route.Direct{Router: r, Paces: a.paces}, nil
}

// ProviderLimits is the built-in table of what providers bear, as TOML.
func ProviderLimits() string { return route.DefaultTable() }

// limitsTable reads the built-in table of providers and the postmaster's own.
func limitsTable(file string) (*route.Table, error) {
	texts := []string{route.DefaultTable()}
	if file != "" {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, fault.Wrap(fault.Invalid, err, "outbound.providers cannot be read")
		}
		texts = append(texts, string(text))
	}
	return route.ReadTable(config.Decode, texts...)
}

// loopback reports whether all servers are on this machine.
func loopback(servers []string) bool {
	for _, s := range servers {
		host, _, _ := net.SplitHostPort(s)
		if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
			return false
		}
	}
	return true
}

// paceChanged logs what the program changed by itself.
func (a *App) paceChanged(c route.Change) {
	args := []any{"site", c.Site, "provider", c.Provider, "from", c.From, "to", c.To}
	if !c.Until.IsZero() {
		args = append(args, "until", c.Until.Format(time.RFC3339))
	}
	if c.Why != "" {
		args = append(args, "why", c.Why)
	}
	if c.What == "stops" || c.What == "lowered" {
		a.Log.Warn("sending to a site "+c.What, args...)
		return
	}
	a.Log.Info("sending to a site: "+c.What, args...)
}

// countTLS writes the counts of TLS sessions down until ctx ends.
func (a *App) countTLS(ctx context.Context) {
	if a.tlsCounts == nil {
		return
	}
	tick := time.NewTicker(tlsCountsEvery)
	defer tick.Stop()
	for ctx.Err() == nil {
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
		a.writeTLSCounts(context.WithoutCancel(ctx))
	}
}

func (a *App) writeTLSCounts(ctx context.Context) {
	counts, lost := a.tlsCounts.Drain()
	rows := make([]model.TLSCount, len(counts))
	for i, c := range counts {
		rows[i] = model.TLSCount{Day: c.Day, Domain: c.Domain, Policy: string(c.Policy), MXHost: c.MXHost, IP: c.IP, Result: c.Result, Sessions: c.Sessions}
	}
	if err := a.Store.AddTLSCounts(ctx, rows); err != nil {
		a.Log.Warn("counts of TLS sessions are lost", "err", err, "sessions", len(rows))
	}
	if lost > 0 {
		a.Log.Warn("there were more TLS sessions than could be counted", "lost", lost)
	}
}

// policies keeps MTA-STS policies; it is a route.PolicyStore.
type policies struct {
	app  *App
	turn chan struct{} // holds one for each look
}

// LoadPolicy implements route.PolicyStore.
func (p policies) LoadPolicy(ctx context.Context, domain string) (*route.Policy, error) {
	p.turn <- struct{}{}
	s, err := p.app.Store.FindSTSPolicy(ctx, domain)
	<-p.turn
	if s == nil || err != nil {
		return nil, err
	}
	return &route.Policy{Domain: s.Domain, ID: s.PolicyID, Mode: route.Mode(s.Mode), MX: s.Patterns(),
		MaxAge: time.Duration(s.MaxAge) * time.Second, Fetched: s.Fetched.Time()}, nil
}

// SavePolicy implements route.PolicyStore.
func (p policies) SavePolicy(ctx context.Context, s *route.Policy) error {
	row := &model.STSPolicy{Domain: s.Domain, PolicyID: s.ID, Mode: string(s.Mode), MaxAge: int64(s.MaxAge / time.Second), Fetched: model.At(s.Fetched)}
	row.SetPatterns(s.MX)
	return p.app.Store.SaveSTSPolicy(ctx, row)
}
