// Command plenary runs discussion lists and newsletters: `plenary help` lists
// what it does.
package main

import (
	"os"

	"plenary/internal/cli"
)

func main() { os.Exit(cli.Main(os.Args[1:], os.Environ())) }
