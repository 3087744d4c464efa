package main

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"
)

// server is one of those measured. The first given is ours, the second the one
// it is held against.
type server struct {
	name, addr, user, password, mailbox string
	pids                                []int
	c                                   *client
	pages                               bool // offers PARTIAL
}

// row is one line of the table.
type row struct {
	name     string
	need     string   // what the first server must reach
	commands []string // one is timed often; of several each is, and the 95th percentile told
	pages    bool     // asks for a page of the result (RFC 9394): only of servers that offer it
}

// script is the table, in order. Words are filled in from the archive.
func script(words, authors, subjects []string) []row {
	each := func(before string, of []string, after string) (all []string) {
		for _, w := range of {
			all = append(all, before+w+after)
		}
		return all
	}
	var since []string
	for year := 2003; year < 2026; year++ {
		since = append(since, fmt.Sprintf("SEARCH SINCE 1-Jun-%d", year))
	}
	const newest = "UID SEARCH RETURN (PARTIAL -1:-50) "
	var late []string
	for _, command := range since {
		late = append(late, newest+strings.TrimPrefix(command, "SEARCH "))
	}
	rows := []row{
		{name: "SELECT", need: "1 ms", commands: []string{"SELECT %s"}},
		{name: "STATUS", need: "1 ms", commands: []string{"STATUS %s (MESSAGES UIDNEXT UNSEEN)"}},
		{name: "1:* (UID FLAGS)", need: "1.0", commands: []string{"UID FETCH 1:* (UID FLAGS)"}},
		{name: "1:* HEADER.FIELDS (3)", need: "1.0", commands: []string{"UID FETCH 1:* (BODY.PEEK[HEADER.FIELDS (SUBJECT FROM DATE)])"}},
		{name: "1:* BODYSTRUCTURE", need: "1.0", commands: []string{"UID FETCH 1:* (BODYSTRUCTURE)"}},
		{name: "1:* all headers", need: "1.0", commands: []string{"UID FETCH 1:* (BODY.PEEK[HEADER])"}},
		{name: "1:* ENVELOPE", need: "0.4", commands: []string{"UID FETCH 1:* (UID ENVELOPE)"}},
		{name: "1:* all bodies", need: "1.0", commands: []string{"UID FETCH 1:* (BODY.PEEK[])"}},
		{name: "one body", need: "", commands: []string{"UID FETCH 1777 (BODY.PEEK[])"}},
		{name: "newest 100 ENVELOPE", need: "", commands: []string{"FETCH %n (UID FLAGS RFC822.SIZE ENVELOPE)"}},
		{name: "THREAD REFERENCES", need: "0.5", commands: []string{"THREAD REFERENCES UTF-8 ALL"}},
		{name: "SORT (DATE)", need: "0.5", commands: []string{"SORT (DATE) UTF-8 ALL"}},
		{name: "SORT (SUBJECT)", need: "1.5", commands: []string{"SORT (SUBJECT) UTF-8 ALL"}},
		{name: "newest 50 TEXT word, p95", need: "2 ms", commands: each(newest+"TEXT ", words, ""), pages: true},
		{name: "newest 50 BODY word, p95", need: "2 ms", commands: each(newest+"BODY ", words, ""), pages: true},
		{name: "newest 50 FROM, p95", need: "2 ms", commands: each(newest+"FROM \"", authors, "\""), pages: true},
		{name: "newest 50 SUBJECT, p95", need: "2 ms", commands: each(newest+"SUBJECT \"", subjects, "\""), pages: true},
		{name: "newest 50 SINCE, p95", need: "2 ms", commands: late, pages: true},
		{name: "SEARCH TEXT word, p95", need: "", commands: each("SEARCH TEXT ", words, "")},
		{name: "SEARCH BODY word, p95", need: "", commands: each("SEARCH BODY ", words, "")},
		{name: "SEARCH FROM, p95", need: "", commands: each("SEARCH FROM \"", authors, "\"")},
		{name: "SEARCH SUBJECT, p95", need: "", commands: each("SEARCH SUBJECT \"", subjects, "\"")},
		{name: "SEARCH SINCE, p95", need: "", commands: since},
	}
	return rows
}

// run times the script on all servers, one after another for each command, so
// that whatever else the machine does meets all alike.
func run(fs *flag.FlagSet, args []string) error {
	var servers []*server
	fs.Func("server", "NAME,ADDRESS,USER,PASSWORD,MAILBOX,PID[+PID]", func(v string) error {
		f := strings.Split(v, ",")
		if len(f) != 6 {
			return fmt.Errorf("six values, not %d", len(f))
		}
		s := &server{name: f[0], addr: f[1], user: f[2], password: f[3], mailbox: f[4]}
		for p := range strings.SplitSeq(f[5], "+") {
			pid, err := strconv.Atoi(p)
			if err != nil {
				return err
			}
			s.pids = append(s.pids, pid)
		}
		servers = append(servers, s)
		return nil
	})
	rounds := fs.Int("rounds", 5, "times each command is given")
	only := fs.String("only", "", "rows whose name contains this")
	not := fs.String("not", "none", "and not this")
	cold := fs.Bool("first", false, "once each, nothing before")
	_ = fs.Parse(args)
	if len(servers) == 0 {
		return fmt.Errorf("no server")
	}
	for _, s := range servers {
		var err error
		if s.c, err = dial(s); err != nil {
			return err
		}
		offers, err := s.c.text("CAPABILITY")
		if err != nil {
			return err
		}
		s.pages = strings.Contains(offers, " PARTIAL")
	}
	b := &bench{servers: servers, rounds: *rounds, first: *cold}
	words, authors, subjects := []string{"word"}, []string{"a"}, []string{"b"}
	if !*cold {
		var err error
		if words, authors, subjects, err = sought(servers[0]); err != nil {
			return err
		}
	}
	b.heading()
	for _, r := range script(words, authors, subjects) {
		if strings.Contains(r.name, *only) && !strings.Contains(r.name, *not) {
			b.row(r)
		}
	}
	for _, s := range servers {
		fmt.Printf("memory of %s: %d MB\n", s.name, resident(s.pids...)>>20)
	}
	return nil
}

type bench struct {
	servers []*server
	rounds  int
	first   bool
}

func (b *bench) heading() {
	fmt.Printf("%-26s %-6s", "ms (processor ms)", "needs")
	for _, s := range b.servers {
		fmt.Printf(" %22s", s.name)
	}
	for _, s := range b.servers[1:] {
		fmt.Printf(" %18s", b.servers[0].name+":"+s.name)
	}
	fmt.Println()
}

// fewWords are enough searches for the others, some of which need seconds each.
const fewWords = 6

// errNoPages says that a server gives no pages.
var errNoPages = errors.New("no PARTIAL")

// timing is what one server took.
type timing struct {
	wall   []float64 // milliseconds of each command
	cpu    float64   // milliseconds of a processor, the mean
	octets int
	err    error
}

func (b *bench) row(r row) {
	all := make([]timing, len(b.servers))
	rounds := b.rounds
	if len(r.commands) > 1 && !b.first {
		rounds = 1
	}
	many := len(r.commands) > 1
	before := make([]time.Duration, len(b.servers))
	for i, s := range b.servers {
		before[i] = busy(s.pids...)
	}
	for at, command := range r.commands {
		for round := range rounds + 1 {
			if b.first {
				if round > 0 {
					break
				}
			} else if round == 0 && many && command != r.commands[0] {
				continue // warm
			}
			for i, s := range b.servers {
				if r.pages && !s.pages {
					all[i].err = errNoPages
				}
				if i > 0 && at >= fewWords && !s.pages {
					continue
				}
				if all[i].err == nil {
					b.time(&all[i], s, command, round > 0 || b.first)
				}
			}
		}
	}
	// What a process has used is read from files of all processes, which leaves the
	// caches cold and the processors half asleep: not between commands that are timed.
	for i, s := range b.servers {
		n := len(all[i].wall)
		if !many && !b.first {
			n, before[i] = rounds, busy(s.pids...)
			for range rounds {
				b.time(&all[i], s, r.commands[0], false)
			}
		}
		if n > 0 {
			all[i].cpu = float64((busy(s.pids...) - before[i]).Microseconds()) / 1000 / float64(n)
		}
	}
	middle := func(v []float64) float64 { return v[len(v)/2] }
	if many {
		middle = func(v []float64) float64 { return v[len(v)*95/100] }
	}
	fmt.Printf("%-26s %-6s", r.name, r.need)
	for _, t := range all {
		if t.err != nil {
			fmt.Printf(" %22s", "-")
			continue
		}
		slices.Sort(t.wall)
		fmt.Printf(" %22s", fmt.Sprintf("%.2f (%.2f)", middle(t.wall), t.cpu))
	}
	for _, t := range all[1:] {
		if t.err != nil || all[0].err != nil {
			fmt.Printf(" %18s", "-")
			continue
		}
		fmt.Printf(" %18s", fmt.Sprintf("%.2f (%.2f)", middle(all[0].wall)/middle(t.wall), all[0].cpu/t.cpu))
	}
	fmt.Println()
	for i, t := range all {
		if t.err != nil && t.err != errNoPages {
			fmt.Printf("    %s: %v\n", b.servers[i].name, t.err)
		}
	}
}

// time gives a server one command; what it took is kept where it counts.
func (b *bench) time(t *timing, s *server, command string, counts bool) {
	if t.err != nil {
		return
	}
	command = strings.ReplaceAll(command, "%s", s.mailbox)
	if strings.Contains(command, "%n") {
		n, err := s.messages()
		if t.err = err; err != nil {
			return
		}
		command = strings.ReplaceAll(command, "%n", fmt.Sprintf("%d:%d", max(1, n-99), n))
	}
	start := time.Now()
	t.octets, t.err = s.c.do(command)
	if counts && t.err == nil {
		t.wall = append(t.wall, float64(time.Since(start).Microseconds())/1000)
	}
}

func (s *server) messages() (n int, err error) {
	text, err := s.c.text("STATUS " + s.mailbox + " (MESSAGES)")
	if err != nil {
		return 0, err
	}
	_, text, _ = strings.Cut(text, "(MESSAGES ")
	text, _, _ = strings.Cut(text, ")")
	return strconv.Atoi(text)
}

// sought takes words of bodies, of authors and of subjects from a hundred
// messages at random: each different word of them is as likely, so that most are
// neither frequent nor rare, as what people search for.
func sought(s *server) (words, authors, subjects []string, err error) {
	r := rand.New(rand.NewPCG(1, 2))
	most, err := s.messages()
	if err != nil {
		return nil, nil, nil, err
	}
	found := [3]map[string]bool{{}, {}, {}}
	for range 100 {
		n := 1 + r.IntN(most)
		for i, item := range []string{"TEXT]<0.3000>", "HEADER.FIELDS (FROM)]", "HEADER.FIELDS (SUBJECT)]"} {
			text, err := s.c.text(fmt.Sprintf("FETCH %d (BODY.PEEK[%s)", n, item))
			if err != nil {
				return nil, nil, nil, err
			}
			_, text, _ = strings.Cut(text, "\r\n") // what the response begins with
			if i > 0 {
				_, text, _ = strings.Cut(text, ":")
				text, _, _ = strings.Cut(text, "\r\n")
			}
			gather(found[i], text)
		}
	}
	var out [3][]string
	for i, set := range found {
		out[i] = slices.Sorted(maps.Keys(set))
		r.Shuffle(len(out[i]), func(a, b int) { out[i][a], out[i][b] = out[i][b], out[i][a] })
		if out[i] = out[i][:min(len(out[i]), 60)]; len(out[i]) == 0 {
			return nil, nil, nil, fmt.Errorf("no words found")
		}
	}
	return out[0], out[1], out[2], nil
}

// gather adds the words of a text that are letters only.
func gather(to map[string]bool, text string) {
	for _, w := range strings.Fields(text) {
		w = strings.Trim(w, ".,;:()<>\"'")
		if len(w) >= 4 && len(w) <= 14 && strings.Trim(w, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") == "" {
			to[w] = true
		}
	}
}
