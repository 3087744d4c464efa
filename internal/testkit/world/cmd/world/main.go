// Command world runs the mail world of package world. It prints the addresses of
// its name server and the port of its mail hosts as one line of JSON, and when
// everybody in a good domain has a copy, or it is interrupted, what it saw as
// another.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"plenary/internal/testkit/world"
)

func main() {
	var p world.Plan
	flag.IntVar(&p.People, "people", 100_000, "recipients")
	flag.IntVar(&p.Domains, "domains", 1000, "domains they are in")
	flag.Parse()
	w, err := world.Start(p)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	out := json.NewEncoder(os.Stdout)
	_ = out.Encode(struct{ Resolver, Port string }{w.Resolver(), w.Port})
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, os.Interrupt, syscall.SIGTERM)
	select {
	case <-w.Done():
	case <-stop:
	}
	_ = out.Encode(w.Summary())
	<-stop // copies of others may still come
	_ = out.Encode(w.Summary())
	_ = w.Close()
}
