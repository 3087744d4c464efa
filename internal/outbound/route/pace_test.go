package route_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"plenary/internal/outbound/queue"
	"plenary/internal/outbound/route"
)

// world simulates peers and the engine in front of them, a tick at a time.
type world struct {
	t       *testing.T
	clock   *clock
	paces   *route.Paces
	changes []route.Change
	rig     *rig
}

func newWorld(t *testing.T, tables ...string) *world {
	w := &world{t: t, clock: newClock()}
	w.rig = newRig(t, func(o *route.Options) { o.Table = table(t, tables...) })
	w.paces = route.NewPaces(w.clock.Now, func() float64 { return 0.5 }, func(c route.Change) { w.changes = append(w.changes, c) })
	return w
}

func (w *world) site(domain, host string) *route.Site {
	w.rig.dns.MX(domain, 1, host)
	w.rig.dns.Host(host, "127.0.0.9")
	return w.rig.find(w.t, domain)
}

func (w *world) log() string {
	var b strings.Builder
	for _, c := range w.changes {
		fmt.Fprintf(&b, "%s %d>%d %s; ", c.What, c.From, c.To, c.Why)
	}
	return b.String()
}

// peer is a simulated site.
type peer struct {
	pace  *route.Pace
	conns int // open connections
	most  int // connections it takes; more are refused
	reply func() queue.Result
	down  bool

	sent, refused, attempts, peak int
}

// tick lets each connection send one letter, and opens what is allowed.
func (p *peer) tick() {
	for range 100 {
		ok, _ := p.pace.Acquire()
		if !ok {
			break
		}
		p.attempts++
		if p.down || p.conns >= p.most {
			p.pace.Done(errors.New("connection refused"), false)
			continue
		}
		p.conns++
	}
	p.peak = max(p.peak, p.conns)
	for range p.conns {
		if p.pace.Leave() {
			p.conns--
			p.pace.Done(nil, true)
			continue
		}
		if n, _ := p.pace.Letters(1); n == 0 {
			continue
		}
		r := p.reply()
		if r.State == queue.OK {
			p.sent++
		} else {
			p.refused++
		}
		p.pace.Note(r)
		if r.Code == 421 {
			p.conns--
			p.pace.Done(errors.New("the peer closes the connection"), false)
		}
	}
}

func takes() queue.Result { return queue.Result{State: queue.OK, Code: 250, Reply: "2.0.0 taken"} }

func says(code int, text string) func() queue.Result {
	return func() queue.Result { return queue.Result{State: queue.Temporary, Code: code, Reply: text} }
}

func (w *world) run(d, step time.Duration, peers ...*peer) {
	for range int(d / step) {
		for _, p := range peers {
			p.tick()
		}
		w.clock.pass(step)
	}
}

func (w *world) peer(domain, host string) *peer {
	return &peer{pace: w.paces.Of(w.site(domain, host)), most: 1000, reply: takes}
}

func TestGrowsToItsCeiling(t *testing.T) {
	w := newWorld(t)
	p := w.peer("a.example", "mx.a.example")
	p.tick()
	if p.conns != 2 {
		t.Errorf("begins with %d connections", p.conns)
	}
	w.run(time.Minute, time.Second, p)
	if p.conns != 10 || p.peak != 10 {
		t.Errorf("%d connections, at most %d; %s", p.conns, p.peak, w.log())
	}
	if got := strings.Count(w.log(), "grows"); got != 8 {
		t.Errorf("%d changes logged: %s", got, w.log())
	}
}

// TestFindsAPeersOwnLimit: a peer that refuses the fifth connection is not
// down, and is not knocked at all the time.
func TestFindsAPeersOwnLimit(t *testing.T) {
	w := newWorld(t)
	p := w.peer("a.example", "mx.a.example")
	p.most = 4
	w.run(30*time.Minute, time.Second, p)
	if p.conns != 4 && p.conns != 3 {
		t.Errorf("%d connections", p.conns)
	}
	if refused := p.attempts - p.peak; refused > 31 {
		t.Errorf("knocked in vain %d times in 30 minutes", refused)
	}
	if strings.Contains(w.log(), "stops") {
		t.Errorf("stopped: %s", w.log())
	}
}

func TestCollapsesAndComesBack(t *testing.T) {
	for name, reply := range map[string]func() queue.Result{"421": says(421, "4.3.2 too busy"), "4.7.x": says(451, "4.7.650 slow down")} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			p := w.peer("a.example", "mx.a.example")
			w.run(time.Minute, time.Second, p)
			p.reply = reply
			w.run(10*time.Minute, time.Second, p)
			if st := p.pace.State(); st.Allowed != 1 || p.refused > 40 {
				t.Errorf("allowed %d, %d letters refused in 10 minutes of storm; %s", st.Allowed, p.refused, w.log())
			}
			p.reply = takes
			w.run(time.Hour, time.Second, p)
			if p.conns != 10 {
				t.Errorf("%d connections an hour later; %s", p.conns, w.log())
			}
		})
	}
}

// TestOneSignHalves: a single sign of trouble costs half, not all.
func TestOneSignHalves(t *testing.T) {
	w := newWorld(t)
	p := w.peer("a.example", "mx.a.example")
	w.run(time.Minute, time.Second, p)
	p.pace.Note(says(450, "4.7.1 too many")())
	p.pace.Note(says(450, "4.7.1 too many")()) // was on the way
	w.run(time.Second, time.Second, p)
	if p.conns != 5 {
		t.Errorf("%d connections; %s", p.conns, w.log())
	}
	before := len(w.changes)
	for _, harmless := range []queue.Result{
		says(450, "4.7.1 greylisted, come back")(), says(451, "4.3.0 disk")(), {State: queue.Permanent, Code: 550, Reply: "5.7.1 no"},
		{State: queue.Temporary, Reply: "the connection ended"}, {},
	} {
		p.pace.Note(harmless)
	}
	if len(w.changes) != before {
		t.Errorf("%s", w.log())
	}
}

// TestDownIsTriedOnce: a site that is down is knocked at by a schedule, however
// many letters wait, and the wait is told.
func TestDownIsTriedOnce(t *testing.T) {
	w := newWorld(t)
	p := w.peer("a.example", "mx.a.example")
	p.down = true
	w.run(6*time.Hour, time.Second, p)
	if p.attempts < 10 || p.attempts > 20 {
		t.Errorf("%d attempts in 6 hours", p.attempts)
	}
	if until, why, down := p.pace.Down(); !down || !until.After(w.clock.Now()) || !strings.Contains(why, "refused") {
		t.Errorf("down %v until %v, %q", down, until, why)
	}
	p.down = false
	w.run(time.Hour, time.Second, p)
	if _, _, down := p.pace.Down(); down || p.conns != 10 {
		t.Errorf("%d connections an hour after it is up; %s", p.conns, w.log())
	}
	if !strings.Contains(w.log(), "up again") {
		t.Error(w.log())
	}
}

// TestAStormSlowsNobodyElse: a provider in trouble leaves others alone.
func TestAStormSlowsNobodyElse(t *testing.T) {
	w := newWorld(t)
	calm := w.peer("a.example", "mx.a.example")
	storm := w.peer("b.example", "mx.b.example")
	storm.reply = says(421, "4.7.0 go away")
	w.run(10*time.Minute, time.Second, calm, storm)
	if calm.conns != 10 || calm.refused != 0 || storm.conns > 1 {
		t.Errorf("calm %d, storm %d", calm.conns, storm.conns)
	}
}

func TestProviderIsShared(t *testing.T) {
	w := newWorld(t)
	var tenants []*peer
	for i := range 4 {
		tenants = append(tenants, w.peer(fmt.Sprintf("t%d.example", i), fmt.Sprintf("t%d-example.mail.protection.outlook.com", i)))
	}
	total := func() (n int) {
		for _, p := range tenants {
			n += p.conns
		}
		return n
	}
	w.run(2*time.Minute, time.Second, tenants...)
	if total() != 5 {
		t.Errorf("%d connections to the provider", total())
	}
	// What it says to one holds for all.
	tenants[0].pace.Note(says(451, "4.7.650 The mail server has been temporarily rate limited due to IP reputation.")())
	sent := 0
	for _, p := range tenants {
		sent -= p.sent
	}
	w.run(80*time.Minute, time.Second, tenants...)
	for _, p := range tenants {
		sent += p.sent
	}
	if total() > 1 || sent > 90 {
		t.Errorf("%d connections, %d letters in 80 minutes at one a minute", total(), sent)
	}
	w.run(30*time.Minute, time.Second, tenants...)
	if total() != 5 {
		t.Errorf("%d connections after the 90 minutes; %s", total(), w.log())
	}
	if l := w.log(); !strings.Contains(l, "lowered 5>1") || !strings.Contains(l, "restored 1>5") {
		t.Error(l)
	}
}

func TestReactions(t *testing.T) {
	w := newWorld(t, `
[[limit]]
name = "x"
mx = [".x.example"]
  [[limit.reaction]]
  reply = '\[LATER\]'
  suspend = "2h"
  [[limit.reaction]]
  reply = 'HALF'
  halve = true
  for = "15m"
  [[limit.reaction]]
  reply = 'THRICE'
  times = 3
  connections = 1
  for = "1h"
`)
	allowed := func(p *peer, ticks int) int {
		w.run(time.Duration(ticks)*time.Second, time.Second, p)
		return p.conns
	}
	p := w.peer("x.example", "mx.x.example")
	w.run(2*time.Minute, time.Second, p)
	for range 5 {
		p.pace.Note(says(450, "4.2.0 HALF")()) // one sign, said by letters that were on the way
	}
	if n := allowed(p, 60); n != 5 {
		t.Errorf("halved: %d; %s", n, w.log())
	}
	w.clock.pass(15 * time.Minute)
	if n := allowed(p, 60); n != 10 {
		t.Errorf("restored: %d; %s", n, w.log())
	}
	p.pace.Note(says(450, "4.2.0 THRICE")())
	p.pace.Note(says(450, "4.2.0 THRICE")())
	if n := allowed(p, 5); n != 10 {
		t.Errorf("twice: %d; %s", n, w.log())
	}
	p.pace.Note(says(450, "4.2.0 THRICE")())
	if n := allowed(p, 5); n != 1 {
		t.Errorf("three times: %d; %s", n, w.log())
	}
	p.pace.Note(says(421, "4.7.0 [LATER]")())
	if until, _, down := p.pace.Down(); !down || until.Sub(w.clock.Now()) != 2*time.Hour {
		t.Errorf("suspended until %v; %s", until, w.log())
	}
	if n := allowed(p, 5); n != 0 {
		t.Errorf("suspended: %d; %s", n, w.log())
	}
}

func TestNewConnectionsAMinute(t *testing.T) {
	w := newWorld(t, "[[limit]]\nname = 'x'\nmx = ['.x.example']\nopens = 6")
	pace := w.paces.Of(w.site("x.example", "mx.x.example"))
	opened := 0
	for range 600 {
		if ok, _ := pace.Acquire(); ok {
			opened++
			pace.Note(takes())
			pace.Done(nil, true)
		}
		w.clock.pass(100 * time.Millisecond)
	}
	if opened < 11 || opened > 12 { // 6 at once, then 6 in the minute
		t.Errorf("%d connections in a minute", opened)
	}
}

func TestIdlePacesAreForgotten(t *testing.T) {
	w := newWorld(t)
	p := w.peer("a.example", "mx.a.example")
	w.run(time.Minute, time.Second, p)
	w.clock.pass(2 * time.Hour)
	w.paces.Tidy(time.Hour)
	if w.paces.Of(w.site("a.example", "mx.a.example")) != p.pace {
		t.Error("a pace with open connections is forgotten")
	}
	for range p.conns {
		p.pace.Done(nil, true)
	}
	w.clock.pass(2 * time.Hour)
	w.paces.Tidy(time.Hour)
	if w.paces.Of(w.rig.find(t, "a.example")) == p.pace {
		t.Error("an idle pace is kept")
	}
}

// TestShare: several nodes together never have more connections, new ones or
// letters than one would, whoever comes and goes.
func TestShare(t *testing.T) {
	const row = "[[limit]]\nname = 'narrow'\nmx = ['.narrow.example']\nconnections = 2\nopens = 60\nrate = 9.0\n" +
		"[[limit.reaction]]\nreply = 'slow down'\nconnections = 1\nfor = '90m'\n"
	for _, nodes := range []int{1, 2, 3, 7} {
		w := newWorld(t, row)
		site := w.site("a.example", "mx.narrow.example")
		paces := make([]*route.Pace, nodes)
		for i := range paces {
			ps := route.NewPaces(w.clock.Now, func() float64 { return 0.5 }, func(route.Change) {})
			ps.Share(i, nodes)
			paces[i] = ps.Of(site)
		}
		open := func() (n int) {
			for _, p := range paces {
				for {
					ok, wait := p.Acquire()
					if !ok {
						if _, why, down := p.Down(); down && (wait == 0 || !strings.Contains(why, "other nodes")) {
							t.Errorf("%d nodes: %v %q", nodes, wait, why)
						}
						break
					}
					n++
				}
			}
			return n
		}
		if n := open(); n != 2 {
			t.Errorf("%d nodes have %d connections, 2 are allowed", nodes, n)
		}
		letters := 0
		for range 10 {
			w.clock.pass(time.Second)
			for i, p := range paces {
				if _, _, down := p.Down(); down != (i > 1) {
					t.Errorf("node %d of %d: down is %v", i, nodes, down)
				}
				if i < 2 {
					n, _ := p.Letters(100)
					letters += n
				}
			}
		}
		if letters > 99 || letters < 80 {
			t.Errorf("%d nodes may send %d letters in ten seconds, 9 a second are allowed", nodes, letters)
		}
		leave := 0
		for _, p := range paces {
			p.Note(queue.Result{State: queue.Temporary, Code: 451, Reply: "slow down"})
			if p.Leave() {
				leave++
			}
		}
		if want := min(nodes, 2) - 1; leave != want && nodes > 1 {
			t.Errorf("%d nodes: %d leave when one connection is allowed, want %d", nodes, leave, want)
		}
	}
}

// TestFreshPacesAreForgotten soon: there is one for each domain of a long tail. What
// was learnt of a site, and what its limits have counted, stays.
func TestFreshPacesAreForgotten(t *testing.T) {
	w := newWorld(t, "[[limit]]\nname = 'few'\nmx = ['.few.example']\nper_site = true\nopens = 2")
	plain, few, down := w.site("plain.example", "mx.plain.example"), w.site("few.example", "mx.few.example"), w.site("down.example", "mx.down.example")
	before := map[*route.Site]*route.Pace{}
	for _, s := range []*route.Site{plain, few, down} {
		p := w.paces.Of(s)
		before[s] = p
		for range 2 {
			if ok, _ := p.Acquire(); !ok {
				t.Fatal("no connection")
			}
		}
		for range 2 {
			p.Done(nil, true)
		}
	}
	for range 20 {
		before[down].Note(queue.Result{State: queue.Temporary, Code: 421, Reply: "4.7.0 no"})
	}
	w.clock.pass(11 * time.Second)
	w.paces.Tidy(time.Hour)
	if w.paces.Of(plain) == before[plain] {
		t.Error("a pace that has learnt nothing is kept")
	}
	if w.paces.Of(down) != before[down] {
		t.Error("the pace of a site that was stopped is forgotten")
	}
	if ok, wait := w.paces.Of(few).Acquire(); ok || wait < 10*time.Second {
		t.Errorf("a third connection within the minute: %v, %s", ok, wait)
	}
}

// TestRefusalsToEverybody: a site that refuses whoever sends, before it knows for
// whom, is tried by one letter at a time, whatever its words.
func TestRefusalsToEverybody(t *testing.T) {
	for _, ours := range []bool{true, false} {
		w := newWorld(t)
		p := w.peer("a.example", "mx.a.example")
		p.reply = func() queue.Result {
			return queue.Result{State: queue.Temporary, Code: 451, Reply: "4.3.0 try again later", Ours: ours}
		}
		w.run(time.Hour, time.Second, p)
		if ours && p.refused > 40 || !ours && p.refused < 1000 {
			t.Errorf("about us %v: %d letters in an hour, %s", ours, p.refused, w.log())
		}
	}
}
