package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"plenary/internal/model"
	"plenary/internal/store"
	"plenary/internal/testkit/world"
)

// unlimited lifts the limits of providers: the hosts are on this machine, and
// what is measured is the program.
const unlimited = "[[limit]]\nname = 'default'\nopens = 1000000\nrate = 1000000.0\nletters = 1000\n"

// earth is a world as a process.
type earth struct {
	*process
	Resolver, Port string
	lines          *bufio.Reader
	patience       time.Duration // for its next line
}

func (b *bench) earth(plan world.Plan) (*earth, error) {
	e := &earth{process: &process{}, patience: patience + time.Duration(plan.People)*time.Millisecond}
	e.cmd = exec.Command(filepath.Join(b.bin, "world"), "-people", strconv.Itoa(plan.People), "-domains", strconv.Itoa(plan.Domains))
	e.cmd.Stderr = os.Stderr
	e.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := e.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := e.cmd.Start(); err != nil {
		return nil, err
	}
	e.lines = bufio.NewReader(out)
	return e, e.read(e)
}

// read reads the next line of the world.
func (e *earth) read(into any) error {
	timer := time.AfterFunc(e.patience, func() { _ = e.cmd.Process.Signal(os.Interrupt) })
	defer timer.Stop()
	line, err := e.lines.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("the world said nothing: %w", err)
	}
	return json.Unmarshal(line, into)
}

// directMode sends a post straight to the mail hosts of many domains.
func (b *bench) directMode() error {
	plan := world.Plan{People: b.direct, Domains: cmp.Or(b.domains, max(10, b.direct/100))}
	for _, dialect := range strings.Split(b.directOn, ",") {
		s, err := b.prepare(dialect, nil, []string{"config"})
		if err != nil {
			return err
		}
		if err := b.list(s, "bench", plan.People, plan.Address); err != nil {
			return err
		}
		if err := b.directOnce(dialect, s, plan); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) directOnce(dialect string, s *site, plan world.Plan) error {
	e, err := b.earth(plan)
	if err != nil {
		return err
	}
	defer e.stop()
	limits := filepath.Join(s.dir, "limits.toml")
	if err := os.WriteFile(limits, []byte(unlimited), 0o600); err != nil {
		return err
	}
	p, err := b.serveWith(s, "SMTP", "PLENARY_OUTBOUND_MODE=direct", "PLENARY_OUTBOUND_RESOLVER="+e.Resolver, "PLENARY_OUTBOUND_MX_PORT="+e.Port,
		"PLENARY_OUTBOUND_MX_PRIVATE=yes", "PLENARY_OUTBOUND_PROVIDERS="+limits)
	if err != nil {
		return err
	}
	most := watch(p)
	before := p.cpu()
	accepted, err := postFrom(plan.Address(0), p.addr, address("bench"), "bench", 3000)
	if err != nil {
		p.stop()
		return err
	}
	var sum world.Summary
	err = e.read(&sum)
	cpu, peak := p.cpu()-before, p.peak()
	p.stop()
	files := <-most
	if err != nil {
		return err
	}
	_ = e.cmd.Process.Signal(os.Interrupt)
	if err := e.read(&sum); err != nil { // with what came meanwhile
		return err
	}
	took := sum.Last.Sub(sum.First)
	name := "direct, " + dialect + ", "
	row(name+"copies/s", fmt.Sprintf("%.0f", float64(sum.Got)/took.Seconds()), "-", "%d people in %d domains, %.1f s, %.1f us a copy, CPU s per 1,000 ours %.4f",
		plan.People, plan.Domains, took.Seconds(), took.Seconds()*1e6/float64(sum.Got), cpu.Seconds()*1000/float64(sum.Got))
	row(name+"first copy after the 250", ms(sum.First.Sub(accepted)), "-", "with the look-up of its domain")
	row(name+"peak memory", fmt.Sprintf("%.0f MB", peak), "< 80 MB", "%d files open at most", files)
	row(name+"questions to DNS a domain", fmt.Sprintf("%.2f", float64(sum.Questions)/float64(plan.Domains)), "-", "the same one %d times at most", sum.MostAsked)
	row(name+"connections", fmt.Sprint(sum.Connections[world.Good.String()]), "-", "to good hosts; the largest took %d copies in %d; mute %d, slow %d, stormy %d with %d refusals",
		sum.LargestSite, sum.LargestConns, sum.Connections[world.Mute.String()], sum.Connections[world.Slow.String()], sum.Connections[world.Storm.String()], sum.Refused)
	return b.account(name, s, plan, &sum)
}

// account compares the record of each recipient with how his domain is.
func (b *bench) account(name string, s *site, plan world.Plan, sum *world.Summary) error {
	ctx := context.Background()
	dsn := s.dsn
	if dsn == "" {
		dsn = "sqlite:" + filepath.Join(s.dir, "plenary.db")
	}
	db, err := store.Open(ctx, dsn, nil)
	if err != nil {
		return err
	}
	defer db.Close()
	tally := map[world.Kind]map[model.DeliveryState]int{}
	wrong, rows, seen := 0, 0, 0
	for after := int64(-1); ; {
		got, err := db.DeliveriesOf(ctx, 1, after, 10_000)
		if err != nil {
			return err
		}
		if len(got) == 0 {
			break
		}
		after = got[len(got)-1].RecipientID
		ids := make([]int64, len(got))
		for i := range got {
			ids[i] = got[i].RecipientID
		}
		people := map[int64]string{}
		for len(ids) > 0 {
			n := min(len(ids), 500)
			subs, err := db.Recipients(ctx, ids[:n])
			if err != nil {
				return err
			}
			for _, p := range subs {
				people[p.ID] = p.Email
			}
			ids = ids[n:]
		}
		for _, d := range got {
			i := plan.Number(people[d.RecipientID])
			if i < 0 {
				return fmt.Errorf("%q is not of the plan", people[d.RecipientID])
			}
			k := plan.Kind(plan.Domain(i))
			if tally[k] == nil {
				tally[k] = map[model.DeliveryState]int{}
			}
			tally[k][d.State]++
			seen++
			if !fits(k, d.State) {
				wrong++
			}
			if d.Attempts != 1 || d.State != model.DeliverySent {
				rows++
			}
		}
	}
	missing := 0 // of those whose domain lets them be decided
	for i := range plan.People {
		if k := plan.Kind(plan.Domain(i)); k != world.Slow && k != world.Mute {
			missing++
		}
	}
	var parts []string
	for k := world.Good; k <= world.NoDNS; k++ {
		of := tally[k]
		if k != world.Slow && k != world.Mute {
			for _, n := range of {
				missing -= n
			}
		}
		parts = append(parts, fmt.Sprintf("%s: %d sent, %d wait, %d failed", k, of[model.DeliverySent], of[model.DeliveryRetry], of[model.DeliveryFailed]))
	}
	row(name+"accounted for", fmt.Sprintf("%d of %d", seen, plan.People), "-", "the rest is of slow and mute hosts and was in hand; %s; %d rows beside packs", strings.Join(parts, "; "), rows)
	if wrong > 0 || missing > 0 || sum.Got != sum.Good || sum.Repeats > 0 || sum.Strange > 0 || int64(tally[world.Good][model.DeliverySent]) != sum.Good {
		return fmt.Errorf("%d records are wrong, %d are missing; %+v", wrong, missing, *sum)
	}
	return nil
}

// fits reports whether a recipient in a domain of this kind may be in this state.
func fits(k world.Kind, s model.DeliveryState) bool {
	switch k {
	case world.Good:
		return s == model.DeliverySent
	case world.Null:
		return s == model.DeliveryFailed
	case world.Slow:
		return s == model.DeliverySent || s == model.DeliveryRetry
	}
	return s == model.DeliveryRetry
}

// watch counts the open files of a process until it ends, and gives the most.
func watch(p *process) <-chan int {
	out := make(chan int, 1)
	go func() {
		most := 0
		for {
			files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.cmd.Process.Pid))
			if err != nil {
				out <- most
				return
			}
			most = max(most, len(files))
			time.Sleep(50 * time.Millisecond)
		}
	}()
	return out
}
