// Command report writes the tables and draws the pictures of the documentation.
//
//	go run . measure                      runs all benchmarks, writes tables, draws pictures
//	go run . measure stores http          runs some: see parts in measure.go
//	go run . clients                      compares HTTP clients, and writes their table
//	go run . pictures                     draws the pictures
//	go run . log -rate 60/min access.log  compares the limiters on a log, in compare.svg
//
// It runs in its folder and is a module of its own, so that nobody else depends on what it takes.
package main

import (
	"flag"
	"fmt"
	"log"
	"os"
	"strings"

	"github.com/seed-3506548a/ratelimit"
)

const docs = "../../docs/"

func main() {
	log.SetFlags(0)
	if err := run(os.Args[1:]); err != nil {
		log.Fatal(err)
	}
}

func run(args []string) error {
	switch command := strings.Join(args, " "); {
	case command == "measure":
		if err := measure(nil); err != nil {
			return err
		}
		if err := writeClients(); err != nil {
			return err
		}
		return pictures()
	case len(args) > 1 && args[0] == "measure":
		if err := measure(args[1:]); err != nil {
			return err
		}
		return pictures()
	case command == "clients":
		return writeClients()
	case command == "pictures":
		return pictures()
	case len(args) > 0 && args[0] == "log":
		flags := flag.NewFlagSet("log", flag.ExitOnError)
		rate := ratelimit.PerMinute(60)
		flags.TextVar(&rate, "rate", rate, "rate to limit the log to")
		if err := flags.Parse(args[1:]); err != nil {
			return err
		}
		if flags.NArg() != 1 {
			return fmt.Errorf("log has the arguments %q, want one access log in the Common or Combined Log Format", flags.Args())
		}
		return compareLog(flags.Arg(0), rate)
	default:
		return fmt.Errorf("the arguments are %q, want measure, clients, pictures or log", args)
	}
}
