// Command speed prints the delivery engine's figures, each beside the one it is
// to reach: whole programs as processes (plenary serve, the counting sink of
// package sink, Postfix's smtp-source), on one machine, runs interleaved.
// fanout.sh builds what it needs and calls it.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/signal"
	"sort"
	"syscall"
	"time"
)

// bench is what the parts share.
type bench struct {
	bin     string // folder of plenary and sink
	work    string // folder of everything made here
	copies  int
	large   int
	runs    int
	direct  int
	domains int

	directOn string           // dialects
	seen     map[string]*site // prepared databases
	source   string           // smtp-source, empty when it is not there
	stops    []func()
}

// part is one group of rows.
type part struct {
	name string
	doc  string
	run  func(*bench) error
}

func parts() []part {
	return []part{
		{"data", "DATA on SQLite at full sync beside smtp-source", func(b *bench) error { return b.against("DATA", "sqlite", 2.5) }},
		{"bdat", "the same by BDAT", func(b *bench) error { return b.against("BDAT", "sqlite", 7) }},
		{"postgres", "DATA on PostgreSQL beside smtp-source", func(b *bench) error { return b.against("DATA", "postgres", 2) }},
		{"dkim", "rsa-2048 on each copy beside bare signatures", (*bench).dkim},
		{"rtt", "20 ms a round trip beside a client that waits for each reply", (*bench).slowNet},
		{"memory", "peak memory at 100,000 and 1,000,000 recipients and with 200 kB", (*bench).memory},
		{"flat", "time a copy at 1,000, 100,000 and 1,000,000 recipients", (*bench).flat},
		{"small", "a post to ten people while 1,000,000 newsletter copies wait", (*bench).beside},
		{"direct", "straight to the mail hosts of many domains, some of them down, slow or mute", (*bench).directMode},
		{"ingest", "posts taken over four LMTP connections", (*bench).ingest},
	}
}

func main() {
	b := &bench{seen: map[string]*site{}}
	flag.StringVar(&b.bin, "bin", ".", "folder of the programs plenary and sink")
	flag.IntVar(&b.copies, "copies", 100_000, "recipients of the usual post")
	flag.IntVar(&b.large, "large", 1_000_000, "recipients of the largest lists")
	flag.IntVar(&b.runs, "runs", 3, "interleaved runs of a row that is compared")
	flag.IntVar(&b.direct, "direct", 100_000, "recipients of the post that goes straight to mail hosts; of domains there are a hundredth")
	flag.IntVar(&b.domains, "domains", 0, "domains of that part; 0: a hundredth of the recipients")
	flag.StringVar(&b.directOn, "direct-on", "sqlite,postgres", "databases of that part")
	flag.Parse()
	if err := b.main(flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func (b *bench) main(names []string) (err error) {
	if b.work, err = os.MkdirTemp("", "plenary-speed-"); err != nil {
		return err
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, os.Interrupt, syscall.SIGTERM)
	go func() { <-stop; b.clean(); os.Exit(1) }()
	defer b.clean()
	if _, err := os.Stat("/usr/sbin/smtp-source"); err == nil {
		b.source = "/usr/sbin/smtp-source"
	}
	fmt.Printf("%-44s %14s %14s   %s\n", "what", "measured", "required", "conditions")
	known := map[string]bool{}
	for _, p := range parts() {
		known[p.name] = true
		if len(names) > 0 && !contains(names, p.name) {
			continue
		}
		if err := p.run(b); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	for _, n := range names {
		if !known[n] {
			return fmt.Errorf("there is no part %q", n)
		}
	}
	return nil
}

func (b *bench) clean() {
	for _, f := range b.stops {
		f()
	}
	_ = os.RemoveAll(b.work)
}

func contains(all []string, s string) bool {
	for _, a := range all {
		if a == s {
			return true
		}
	}
	return false
}

// row prints one line of the table.
func row(what, measured, required, conditions string, args ...any) {
	fmt.Printf("%-44s %14s %14s   %s\n", what, measured, required, fmt.Sprintf(conditions, args...))
}

func ms(d time.Duration) string { return fmt.Sprintf("%.1f ms", d.Seconds()*1000) }

func median(v []float64) float64 {
	s := append([]float64(nil), v...)
	sort.Float64s(s)
	return s[len(s)/2]
}
