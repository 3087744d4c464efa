package main

import (
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"plenary/internal/testkit/bench/pace"
)

// fan is what one fan-out showed.
type fan struct {
	rate, cpu, sinkCPU float64 // copies/s; CPU s per 1,000 copies
	first              time.Duration
	peak               float64 // MB
}

// order is one post to a list.
type order struct {
	list     string
	copies   int // after which the run ends
	size     int // of the post; 3 kB
	sinkArgs []string
}

// fanout sends one post and measures until the sink has the last copy.
func (b *bench) fanout(s *site, o order) (*fan, error) {
	s, err := b.fresh(s)
	if err != nil {
		return nil, err
	}
	defer s.remove()
	k, err := b.sink(o.copies, o.sinkArgs...)
	if err != nil {
		return nil, err
	}
	p, err := b.serve(s, k.addr, "SMTP")
	if err != nil {
		return nil, err
	}
	defer p.stop()
	if o.size == 0 {
		o.size = 3000
	}
	before := p.cpu()
	accepted, err := post(p.addr, address(o.list), o.list, o.size)
	if err != nil {
		return nil, err
	}
	sum, err := k.summary()
	if err != nil {
		return nil, err
	}
	if sum.Messages < int64(o.copies) {
		return nil, fmt.Errorf("%d of %d copies arrived", sum.Messages, o.copies)
	}
	time.Sleep(300 * time.Millisecond) // the last records
	return &fan{rate: sum.rate(), cpu: (p.cpu() - before).Seconds() * 1000 / float64(o.copies), sinkCPU: sum.cpu(),
		first: sum.First.Sub(accepted), peak: p.peak()}, nil
}

// smtpSource gives the rate of Postfix's load generator, which waits for each
// reply and only repeats bytes, and its CPU s per 1,000 messages; 0 without it.
func (b *bench) smtpSource(n int, args ...string) (rate, cpu float64, err error) {
	if b.source == "" {
		return 0, 0, nil
	}
	k, err := b.sink(n, args...)
	if err != nil {
		return 0, 0, err
	}
	cmd := exec.Command(b.source, "-d", "-s", "10", "-l", "3000", "-m", strconv.Itoa(n), "-f", "a@example.org", "-t", "b@example.org", k.addr)
	if err := cmd.Start(); err != nil {
		return 0, 0, err
	}
	sum, err := k.summary()
	_ = cmd.Wait()
	if err != nil {
		return 0, 0, err
	}
	used := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	return sum.rate(), used.Seconds() * 1000 / float64(n), nil
}

func sinkArgs(way string) []string {
	if way == "DATA" {
		return []string{"-no-chunking"}
	}
	return nil
}

// maxCPU is the limit of our CPU s per 1,000 copies by DATA.
const maxCPU = 0.03

// against compares a way with smtp-source, runs interleaved.
func (b *bench) against(way, dialect string, required float64) error {
	s, err := b.prepare(dialect, map[string]int{"bench": b.copies})
	if err != nil {
		return err
	}
	var ratios, rates, sources, cpus, sourceCPUs, sinks, firsts, peaks []float64
	for range b.runs {
		source, sourceCPU, err := b.smtpSource(min(b.copies, 50_000), sinkArgs(way)...)
		if err != nil {
			return err
		}
		f, err := b.fanout(s, order{list: "bench", copies: b.copies, sinkArgs: sinkArgs(way)})
		if err != nil {
			return err
		}
		rates, sources, cpus, sinks = append(rates, f.rate), append(sources, source), append(cpus, f.cpu), append(sinks, f.sinkCPU)
		sourceCPUs = append(sourceCPUs, sourceCPU)
		firsts, peaks = append(firsts, f.first.Seconds()*1000), append(peaks, f.peak)
		if source > 0 {
			ratios = append(ratios, f.rate/source)
		}
	}
	name := fmt.Sprintf("%s, %s, ", way, dialect)
	if len(ratios) > 0 {
		row(name+"times smtp-source", fmt.Sprintf("%.2f", median(ratios)), fmt.Sprintf("%.1f", required), "%.0f copies/s, smtp-source %.0f/s, medians of %d",
			median(rates), median(sources), b.runs)
	} else {
		row(name+"copies/s", fmt.Sprintf("%.0f", median(rates)), "-", "smtp-source is not installed")
	}
	limit := "-"
	if dialect == "sqlite" && way == "DATA" {
		limit = fmt.Sprintf("<= %.2f", maxCPU)
	}
	row(name+"CPU s per 1,000, ours", fmt.Sprintf("%.4f", median(cpus)), limit, "the sink's %.4f, smtp-source's %.4f", median(sinks), median(sourceCPUs))
	if limit != "-" && len(ratios) > 0 {
		row(name+"the same over smtp-source's", fmt.Sprintf("%.2f", median(cpus)/median(sourceCPUs)), fmt.Sprintf("<= %.2f", maxCPU/pace.SourceCPU),
			"the limit was set where smtp-source takes %.3f", pace.SourceCPU)
	}
	row(name+"first copy after the 250", fmt.Sprintf("%.1f ms", median(firsts)), "< 20 ms", "list of %d", b.copies)
	row(name+"peak memory", fmt.Sprintf("%.0f MB", median(peaks)), "< 80 MB", "%d recipients", b.copies)
	return nil
}

// dkim compares signed copies with bare signatures.
func (b *bench) dkim() error {
	domain := strings.TrimPrefix(address(""), "@")
	s, err := b.prepare("sqlite", map[string]int{"bench": b.copies}, []string{"dkim", "create", domain}, []string{"dkim", "activate", domain, "--force"})
	if err != nil {
		return err
	}
	var ratios, firsts, cpus, bares []float64
	before, err := pace.Signatures(2 * time.Second)
	if err != nil {
		return err
	}
	for range b.runs {
		f, err := b.fanout(s, order{list: "bench", copies: min(b.copies, 10_000), sinkArgs: sinkArgs("DATA")})
		if err != nil {
			return err
		}
		after, err := pace.Signatures(2 * time.Second)
		if err != nil {
			return err
		}
		bare := (before + after) / 2 // the machine's speed changes
		ratios, firsts = append(ratios, f.rate/bare), append(firsts, f.first.Seconds()*1000)
		cpus, bares = append(cpus, f.cpu), append(bares, bare)
		before = after
	}
	row("DKIM rsa-2048, of bare signatures", fmt.Sprintf("%.2f", median(ratios)), "0.85", "%.4f CPU s per 1,000; bare signing %.0f/s on all cores", median(cpus), median(bares))
	row("DKIM, first copy after the 250", fmt.Sprintf("%.1f ms", median(firsts)), "< 50 ms", "list of %d", b.copies)
	return nil
}

// slowNet adds 20 ms to each round trip.
func (b *bench) slowNet() error {
	s, err := b.prepare("sqlite", map[string]int{"bench": b.copies})
	if err != nil {
		return err
	}
	for _, w := range []struct {
		way      string
		copies   int
		required float64
	}{{"DATA", 2_000, 4}, {"BDAT", 20_000, 30}} {
		args := append(sinkArgs(w.way), "-latency", "20ms")
		source, _, err := b.smtpSource(2000, args...) // as many as ours by DATA: first and last weigh the same
		if err != nil {
			return err
		}
		f, err := b.fanout(s, order{list: "bench", copies: min(w.copies, b.copies), sinkArgs: args})
		if err != nil {
			return err
		}
		measured := "-"
		if source > 0 {
			measured = fmt.Sprintf("%.1f", f.rate/source)
		}
		row(w.way+" with 20 ms a round trip, times a waiting one", measured, fmt.Sprintf("%.0f", w.required), "%.0f copies/s, smtp-source %.0f/s", f.rate, source)
	}
	return nil
}
