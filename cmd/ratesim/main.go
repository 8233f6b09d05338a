// Command ratesim says what a rate limit would have done to traffic: that of a log, or of a
// generator.
//
//	ratesim -policy trakt -trace access.log
//	ratesim -limit 'gcra 90/min burst 10' -key host -trace access.log.gz -html report.html
//	ratesim -compare trakt,trakt-2026-10 -trace access.log
//	ratesim -policy limits.json -gen poisson -rate 2000/s -duration 10m -keys 5000
//	ratesim -policy limits.json -trace access.log -fail 'refused>1%'
//	ratesim suggest -trace access.log -share 1%
//	ratesim explain trakt
//	ratesim check limits.json
//
// The exit status is 1 if the condition of a -fail is true, or if check finds faults. It is 2 if
// something else is wrong, such as a flag, or a trace that cannot be read to its end. ratesim -h
// lists the flags.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/seed-3506548a/ratelimit/policy"
)

func main() {
	os.Exit(run(os.Args[1:], world{os.Stdin, os.Stdout, os.Stderr}))
}

// world is what a command reads and writes.
type world struct {
	in       io.Reader
	out, err io.Writer
}

// failed is an error that ends with exit status 1: a result, and no mistake of the caller's.
type failed struct{ error }

func run(args []string, w world) int {
	command := simulation
	if len(args) > 0 {
		switch args[0] {
		case "explain":
			command, args = explain, args[1:]
		case "check":
			command, args = check, args[1:]
		case "suggest":
			command, args = suggest, args[1:]
		}
	}
	err := command(args, w)
	var result failed
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
		return 0
	case errors.As(err, &result):
		_, _ = fmt.Fprintln(w.err, "ratesim:", err)
		return 1
	default:
		_, _ = fmt.Fprintln(w.err, "ratesim:", strings.TrimSpace(err.Error()))
		return 2
	}
}

const commands = `Other commands:
  ratesim explain POLICY
    	what a policy of the catalog or a file promises, in words
  ratesim check FILE
    	all faults of a policy; exit status 1 if there are any
  ratesim suggest -trace FILE
    	the least limits for a trace; ratesim suggest -h lists its flags
`

// explain prints what a policy does.
func explain(args []string, w world) error {
	if len(args) != 1 {
		return errors.New("explain takes one policy: a name of the catalog, a file, or a limit")
	}
	p, err := loadPolicy(args[0])
	if err != nil {
		return err
	}
	_, err = io.WriteString(w.out, p.Explain())
	return err
}

// check prints the faults of a policy.
func check(args []string, w world) error {
	if len(args) != 1 {
		return errors.New("check takes one policy: a name of the catalog, or a file")
	}
	p, err := loadPolicy(args[0])
	var faults *policy.Faults
	switch {
	case errors.As(err, &faults):
		return failed{err}
	case err != nil:
		return err // nothing was checked, and a job must not take that for a fault
	}
	rules := "rules"
	if len(p.Rules) == 1 {
		rules = "rule"
	}
	_, err = fmt.Fprintf(w.out, "%s: no faults, %d %s\n", args[0], len(p.Rules), rules)
	return err
}
