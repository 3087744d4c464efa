// Command archive is the client half of the archive benchmark: archive.sh sets
// up servers with one and the same archive, and this program measures them side
// by side. It makes the archive (mail), times the commands of an IMAP script on
// each server in turn (run), holds many idle connections (idle) and posts
// messages one by one (post), and tells how fast the machine is (pace).
package main

import (
	"flag"
	"fmt"
	"os"
)

func main() {
	verbs := map[string]func(*flag.FlagSet, []string) error{"mail": mail, "bulk": bulkMail, "run": run, "idle": idle, "post": post, "cpu": cpu, "pace": tellPace}
	if len(os.Args) < 2 || verbs[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: archive mail|bulk|run|idle|post|cpu|pace ...")
		os.Exit(2)
	}
	if err := verbs[os.Args[1]](flag.NewFlagSet(os.Args[1], flag.ExitOnError), os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, "archive:", err)
		os.Exit(1)
	}
}
