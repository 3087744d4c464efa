package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

const million = 1_000_000

// memory shows the peak of large lists and of a large post.
func (b *bench) memory() error {
	for _, m := range []struct {
		people, copies, size int
		limit                string
	}{{100_000, 100_000, 3000, "< 80 MB"}, {million, million, 3000, "< 80 MB"}, {100_000, 10_000, 200_000, "< 120 MB"}} {
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

// flat compares the time a copy takes on lists of different sizes.
func (b *bench) flat() error {
	var times []float64
	text := ""
	for _, n := range []int{1000, 100_000, million} {
		s, err := b.prepare("sqlite", map[string]int{"bench": n})
		if err != nil {
			return err
		}
		runs := b.runs
		if n == million {
			runs = 1
		}
		var rates []float64
		cpu := 0.0
		for range runs {
			f, err := b.fanout(s, order{list: "bench", copies: n, sinkArgs: sinkArgs("DATA")})
			if err != nil {
				return err
			}
			rates, cpu = append(rates, f.rate), f.cpu
		}
		times = append(times, 1e6/median(rates))
		text += fmt.Sprintf("%d: %.1f us, %.4f CPU s per 1,000; ", n, 1e6/median(rates), cpu)
	}
	row("time a copy, slowest over quickest list", fmt.Sprintf("%.2f", slices.Max(times)/slices.Min(times)), "1.2", "%s", text+"DATA")
	return nil
}

// beside times a post to ten people behind a newsletter to a million.
func (b *bench) beside() error {
	s, err := b.prepare("sqlite", map[string]int{"news": million, "ten": 10}, []string{"list", "set", address("news"), "kind=newsletter"})
	if err != nil {
		return err
	}
	if s, err = b.fresh(s); err != nil {
		return err
	}
	defer s.remove()
	k, err := b.sink(10*million, "-until-list", address("ten"), "-until-list-copies", "10")
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
	row("post to 10 beside a newsletter to 1,000,000", ms(sum.Last.Sub(accepted)), "< 1000 ms", "all ten delivered; BDAT")
	return nil
}

// release lets go what a moderator must see first.
func (b *bench) release(s *site) error {
	out, err := b.plenary(s, "held", "ls", "--json")
	if err != nil {
		return err
	}
	var held []struct{ ID int64 }
	if err := json.Unmarshal(out, &held); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	for _, h := range held {
		if _, err := b.plenary(s, "held", "approve", fmt.Sprint(h.ID)); err != nil {
			return err
		}
	}
	return nil
}
