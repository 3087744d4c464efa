// Command sink runs the counting SMTP server of package sink until it is
// interrupted, then prints what it saw as one line of JSON.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"

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
	flag.Parse()
	s, err := sink.Start(o)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Fprintln(os.Stderr, "listening on", s.Addr())
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, os.Interrupt)
	<-stop
	snap := s.Snapshot()
	people := len(snap.Recipients())
	most := 0
	for _, n := range snap.Letters {
		most = max(most, n)
	}
	snap.Letters = nil
	_ = json.NewEncoder(os.Stdout).Encode(struct {
		sink.Snapshot
		Recipients, MostOfOneLetter int
	}{snap, people, most})
	_ = s.Close()
}
