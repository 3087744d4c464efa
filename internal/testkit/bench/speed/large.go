package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// memory shows the peak of large lists and of a large post.
func (b *bench) memory() error {
	for _, m := range []struct {
		people, copies, size int
		limit                string
	}{{100_000, 100_000, 3000, "< 80 MB"}, {b.large, b.large, 3000, "< 80 MB"}, {100_000, 10_000, 200_000, "< 120 MB"}} {
		s, err := b.prepare("sqlite", map[string]int{"bench": m.people})
		if err != nil {
			return err
		}
		f, err := b.fanout(s, order{list: "bench", copies: m.copies, size: m.size})
		if err != nil {
			return err
		}
		row(fmt.Sprintf("peak memory, %d recipients, %d kB", m.people, m.size/1000), fmt.Sprintf("%.0f MB", f.peak), m.limit, "BDAT, %d copies sent", m.copies)
	}
	return nil
}

// flat compares the time a copy takes on lists of different sizes: from the
// first to the last, so that the way to the first copy, which has a row of its
// own, is not in it. The sizes take turns, since the machine's speed changes.
func (b *bench) flat() error {
	type list struct {
		people, times int // runs in a turn
		site          *site
		rates, cpus   []float64
	}
	lists := []*list{{people: 1000, times: 3}, {people: 100_000, times: 1}, {people: b.large, times: 1}}
	for _, l := range lists {
		var err error
		if l.site, err = b.prepare("sqlite", map[string]int{"bench": l.people}); err != nil {
			return err
		}
	}
	for turn := range b.runs {
		for _, l := range lists {
			if l.people == b.large && turn != b.runs/2 { // once: it takes longest
				continue
			}
			for range l.times { // 20 ms of a small one say little
				f, err := b.fanout(l.site, order{list: "bench", copies: l.people, sinkArgs: sinkArgs("DATA")})
				if err != nil {
					return err
				}
				l.rates, l.cpus = append(l.rates, f.rate), append(l.cpus, f.cpu)
			}
		}
	}
	var times []float64
	text := ""
	for _, l := range lists {
		times = append(times, 1e6/median(l.rates))
		text += fmt.Sprintf("%d: %.1f us (median of %d), %.4f CPU s per 1,000; ", l.people, 1e6/median(l.rates), len(l.rates), median(l.cpus))
	}
	row("time a copy, slowest over quickest list", fmt.Sprintf("%.2f", slices.Max(times)/slices.Min(times)), "1.2", "%s", text+"DATA, from the first copy to the last")
	return nil
}

// beside times a post to ten people behind a newsletter to a million.
func (b *bench) beside() error {
	s, err := b.prepare("sqlite", map[string]int{"news": b.large, "ten": 10}, []string{"list", "set", address("news"), "kind=newsletter"},
		[]string{"subscriber", "add", address("news"), "reader1@example.org", "--role", "moderator"})
	if err != nil {
		return err
	}
	if s, err = b.fresh(s); err != nil {
		return err
	}
	defer s.remove()
	k, err := b.sink(100*b.large, "-until-list", address("ten"), "-until-list-copies", "10")
	if err != nil {
		return err
	}
	p, err := b.serve(s, k.addr, "SMTP")
	if err != nil {
		return err
	}
	defer p.stop()
	if _, err := post(p.addr, address("news"), "news", 3000); err != nil {
		return err
	}
	if err := b.release(s); err != nil {
		return err
	}
	time.Sleep(time.Second) // it is under way
	accepted, err := post(p.addr, address("ten"), "ten", 3000)
	if err != nil {
		return err
	}
	sum, err := k.summary()
	if err != nil {
		return err
	}
	row("post to 10 beside a newsletter", ms(sum.Last.Sub(accepted)), "< 1000 ms", "all ten delivered; %d newsletter copies queued; BDAT", b.large)
	return nil
}

// release lets go what a moderator must see first.
func (b *bench) release(s *site) error {
	out, err := b.plenary(s, "held", "ls", "--json")
	if err != nil {
		return err
	}
	for lines := json.NewDecoder(bytes.NewReader(out)); lines.More(); {
		var h struct{ ID int64 }
		if err := lines.Decode(&h); err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		if _, err := b.plenary(s, "held", "approve", fmt.Sprint(h.ID)); err != nil {
			return err
		}
	}
	return nil
}
