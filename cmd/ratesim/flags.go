package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/simulate"
	"github.com/seed-3506548a/ratelimit/simulate/logs"
)

// options are the flags.
type options struct {
	policy, limit, compare string

	trace      string
	format     logs.Format
	key        []string
	keyGiven   bool
	where      []condition
	from, to   time.Time
	order      string
	subseconds bool

	gen      string
	rate     ratelimit.Rate
	duration time.Duration
	keys     int
	skew     float64

	seed     uint64
	client   simulate.Client
	capacity int

	bin   time.Duration
	top   int
	json  bool
	bench bool
	plot  string
	html  string
	gates []gate
	share float64 // of suggest
}

// kind is -gen, which may have a value or not.
type kind struct{ to *string }

func (k kind) String() string { return "" }

// Set takes "true", which is what -gen alone is, for the default.
func (k kind) Set(s string) error {
	if s == "true" {
		s = "poisson"
	}
	*k.to = s
	return nil
}

// IsBoolFlag lets -gen stand alone.
func (k kind) IsBoolFlag() bool { return true }

// parse reads the flags of a command.
func parse(name string, args []string, w world) (*options, error) {
	o := &options{rate: ratelimit.PerSecond(100)}
	f := flag.NewFlagSet(strings.TrimSpace("ratesim "+name), flag.ContinueOnError)
	f.SetOutput(io.Discard) // it would print each error, and so does run
	if name == "" {
		f.StringVar(&o.policy, "policy", "", "the `policy` that is tried: a name of the catalog, a file, or a limit")
		f.StringVar(&o.limit, "limit", "", "a `limit` that is tried, for each key: 'gcra 90/min burst 10'")
		f.StringVar(&o.compare, "compare", "", "`several` policies and limits, with commas between them: each is compared with the first")
		f.Func("client", "what a `client` does that is refused: open (nothing), obeying, backoff, impatient", func(s string) (err error) {
			o.client, err = simulate.ParseClient(s)
			return err
		})
		f.DurationVar(&o.bin, "bin", 0, "the `length` of the bins over time; 0: chosen")
		f.IntVar(&o.top, "top", 10, "how many `keys` are listed")
		f.BoolVar(&o.json, "json", false, "print JSON")
		f.BoolVar(&o.bench, "bench", false, "print rows for benchstat")
		f.StringVar(&o.html, "html", "", "write a report with pictures into the `file`")
		f.IntVar(&o.capacity, "capacity", 0, "room for so many live `keys` of a limit; 0: enough for 262144, or for all generated ones")
		f.Func("fail", "a `gate`: exit status 1 if the condition is true, as 'refused>1%' or 'wait>30s'; may be given again", func(s string) error {
			g, err := parseGate(s)
			o.gates = append(o.gates, g)
			return err
		})
		f.StringVar(&o.order, "order", "auto", "what is done about requests out of `order`: auto, sort (all in memory), refuse")
	} else {
		o.share, o.order = 0.01, asTheyCome // a Demand sorts by itself
		f.Func("share", "the `share` of keys that may be refused (default 1%)", func(s string) (err error) {
			o.share, err = parseShare(s)
			return err
		})
	}
	f.StringVar(&o.plot, "plot", "", "draw pictures into the `folder`, as SVG and PNG")
	f.StringVar(&o.trace, "trace", "", "the log or trace: a `file`, or - for the standard input; may be compressed by gzip or zstd")
	f.Func("format", "the `format` of the trace: auto, access, json, csv, tsv, counts; with columns, as in csv:time=when,host=who", func(s string) (err error) {
		o.format, err = logs.ParseFormat(s)
		return err
	})
	key := f.String("key", "user|ip", "the `columns` of which the first that is there says who makes a request")
	f.Func("where", "a `condition` on requests of the trace: method=POST, status=4xx, user, !user, path=/v1/*, host!=a|b; may be given again", func(s string) error {
		c, err := parseCondition(s)
		o.where = append(o.where, c)
		return err
	})
	instant := func(to *time.Time) func(string) error {
		return func(s string) (err error) {
			*to, err = logs.ParseTime(s)
			return err
		}
	}
	f.Func("from", "only requests from this `time` on", instant(&o.from))
	f.Func("to", "only requests before this `time`", instant(&o.to))
	subsecond := f.String("subsecond", "as-is", "`how` times that are whole seconds are taken: as-is, or uniform (spread at random over the second)")
	f.Var(kind{&o.gen}, "gen", "generate traffic: `kind` is poisson, constant, onoff or flashcrowd")
	f.TextVar(&o.rate, "rate", o.rate, "the `rate` of generated requests, of all keys together")
	f.DurationVar(&o.duration, "duration", time.Minute, "the `length` of generated traffic")
	f.IntVar(&o.keys, "keys", 1, "how many `keys` generated requests have")
	f.Float64Var(&o.skew, "skew", 1, "how unequal generated keys are: the nth makes 1/n^`skew` as many requests; 0: all the same")
	f.Uint64Var(&o.seed, "seed", 1, "the `seed` of all that is random")
	switch err := f.Parse(joinGen(args)); {
	case errors.Is(err, flag.ErrHelp):
		f.SetOutput(w.err)
		f.Usage()
		if name == "" {
			_, _ = io.WriteString(w.err, commands)
		}
		return nil, err
	case err != nil:
		return nil, fmt.Errorf("%w; %s -h lists the flags", err, f.Name())
	}
	var idle []string // flags that would do nothing
	f.Visit(func(f *flag.Flag) {
		o.keyGiven = o.keyGiven || f.Name == "key"
		if slices.Contains(ofTraces, f.Name) && o.gen != "" || slices.Contains(ofGenerators, f.Name) && o.trace != "" {
			idle = append(idle, "-"+f.Name)
		}
	})
	o.key = strings.Split(*key, "|")
	switch {
	case f.NArg() > 0:
		return nil, fmt.Errorf("%q is left over: ratesim takes flags, which ratesim -h lists, or first explain, check or suggest", f.Arg(0))
	case *subsecond != "as-is" && *subsecond != "uniform":
		return nil, fmt.Errorf("-subsecond is %q, want as-is or uniform", *subsecond)
	case name == "" && o.order != "auto" && o.order != "sort" && o.order != "refuse":
		return nil, fmt.Errorf("-order is %q, want auto, sort or refuse", o.order)
	}
	o.subseconds = *subsecond == "uniform"
	if err := o.check(); err != nil {
		return nil, err
	}
	switch list := strings.Join(idle, ", "); {
	case list != "" && o.gen != "":
		return nil, fmt.Errorf("%s: not for -gen, but for a -trace", list)
	case list != "":
		return nil, fmt.Errorf("%s: not for a -trace, but for -gen", list)
	}
	return o, nil
}

// Flags that are for one kind of traffic only. -from is for both: generated traffic begins then.
var (
	ofTraces     = []string{"format", "key", "where", "to", "order", "subsecond"}
	ofGenerators = []string{"rate", "duration", "keys", "skew"}
)

// joinGen lets the kind follow -gen as another argument.
func joinGen(args []string) []string {
	joined := make([]string, 0, len(args))
	for i := 0; i < len(args); i++ {
		if (args[i] == "-gen" || args[i] == "--gen") && i+1 < len(args) && !strings.HasPrefix(args[i+1], "-") {
			joined = append(joined, "-gen="+args[i+1])
			i++
			continue
		}
		joined = append(joined, args[i])
	}
	return joined
}

func (o *options) check() error {
	switch {
	case o.trace == "" && o.gen == "":
		return errors.New("there is no traffic: give -trace FILE, -trace - for the standard input, or -gen")
	case o.trace != "" && o.gen != "":
		return errors.New("-trace and -gen are both given: take one")
	case o.json && o.bench:
		return errors.New("-json and -bench are both given: take one")
	case o.compare == "" && slices.ContainsFunc(o.gates, func(g gate) bool { return g.metric == "newly_refused" }):
		return errors.New("-fail newly_refused is about what the first of several policies has not refused: give them with -compare")
	case o.top < 0:
		return fmt.Errorf("-top is %d, want 0 or more", o.top)
	case o.bin < 0:
		return fmt.Errorf("-bin is %v, want 0s or more", o.bin)
	case o.capacity < 0:
		return fmt.Errorf("-capacity is %d, want 0 or more", o.capacity)
	case o.gen != "" && o.duration <= 0:
		return fmt.Errorf("-duration is %v, want more than 0s", o.duration)
	}
	if o.capacity == 0 {
		o.capacity = 1 << 18
		if o.gen != "" {
			o.capacity = min(max(4*o.keys, 1<<10), 1<<28)
		}
	}
	return nil
}
