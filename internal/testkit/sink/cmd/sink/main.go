// Command sink runs the counting SMTP server of package sink until it is
// interrupted, then prints what it saw as one line of JSON.
package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"plenary/internal/testkit/sink"
)

func main() {
	var o sink.Options
	flag.StringVar(&o.Addr, "listen", "127.0.0.1:2526", "address")
	flag.Uint64Var(&o.Seed, "seed", 1, "seed of the faults")
	flag.Float64Var(&o.Temporary, "temporary", 0, "share of attempts answered 4yz")
	flag.Float64Var(&o.Permanent, "permanent", 0, "share of recipients answered 5yz")
	flag.Float64Var(&o.DropBefore, "drop-before", 0, "share of attempts whose connection ends before the message is taken")
	flag.Float64Var(&o.DropAfter, "drop-after", 0, "share of attempts whose message is taken and never answered")
	flag.DurationVar(&o.Latency, "latency", 0, "time before each burst of replies")
	flag.BoolVar(&o.NoPipelining, "no-pipelining", false, "do not offer PIPELINING")
	flag.BoolVar(&o.NoChunking, "no-chunking", false, "do not offer CHUNKING")
	flag.BoolVar(&o.ForgetLetters, "count-only", false, "do not record each letter")
	until := flag.Int64("until", 0, "end by itself after so many messages")
	list := flag.String("until-list", "", "count for -until-list-copies the messages with this address in their header To")
	copies := flag.Int64("until-list-copies", 0, "end by itself after so many of them")
	flag.Parse()
	stop := make(chan os.Signal, 1)
	if *list != "" {
		var n atomic.Int64
		o.OnMessage = func(m sink.Message) {
			if bytes.Contains(m.Data[:min(len(m.Data), 4096)], []byte("To: "+*list)) && n.Add(1) == *copies {
				stop <- os.Interrupt
			}
		}
	}
	s, err := sink.Start(o)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Fprintln(os.Stderr, "listening on", s.Addr())
	signal.Notify(stop, os.Interrupt)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for done := false; !done; {
		select {
		case <-stop:
			done = true
		case <-tick.C:
			done = *until > 0 && s.Messages() >= *until
		}
	}
	snap := s.Snapshot()
	var used syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &used)
	people := len(snap.Recipients())
	most := 0
	for _, n := range snap.Letters {
		most = max(most, n)
	}
	snap.Letters = nil
	_ = json.NewEncoder(os.Stdout).Encode(struct {
		sink.Snapshot
		Recipients, MostOfOneLetter int
		CPU                         time.Duration // user and system
	}{snap, people, most, time.Duration(used.Utime.Nano() + used.Stime.Nano())})
	_ = s.Close()
}
