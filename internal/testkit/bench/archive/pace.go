package main

import (
	"flag"
	"fmt"
	"time"

	"plenary/internal/testkit/bench/pace"
)

// tellPace prints how fast this machine computes at the moment, beside the one on
// which limits of so many a second were set.
func tellPace(fs *flag.FlagSet, args []string) error {
	_ = fs.Parse(args)
	rate, err := pace.Signatures(2 * time.Second)
	if err != nil {
		return err
	}
	fmt.Printf("%.2f\n", pace.Of(rate))
	return nil
}
