package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"github.com/seed-3506548a/ratelimit/cmd/ratesim/internal/chart"
	"github.com/seed-3506548a/ratelimit/policy"
	"github.com/seed-3506548a/ratelimit/simulate"
)

// report is what a run has found.
type report struct {
	options  *options
	judged   []judged
	results  []*simulate.Result
	source   *source
	crowded  []uint64 // how often there was no room for a key
	warnings []string
}

// simulation plays traffic through policies.
func simulation(args []string, w world) error {
	o, err := parse("", args, w)
	if err != nil {
		return err
	}
	all, err := o.judgedBy()
	if err != nil {
		return err
	}
	r, err := o.play(all, w)
	if err != nil {
		return err
	}
	if err := r.print(w); err != nil {
		return err
	}
	if o.plot != "" {
		if err := plot(o.plot, chart.All(r.results)); err != nil {
			return err
		}
	}
	if o.html != "" {
		if err := r.writeHTML(o.html); err != nil {
			return err
		}
	}
	return r.gate()
}

// play runs the traffic through what is tried. A file whose requests are too far out of order is
// read again, and sorted. A pipe has nothing more to read the second time.
func (o *options) play(all []judged, w world) (*report, error) {
	r, err := o.playOnce(all, w)
	var order *simulate.OrderError
	if errors.As(err, &order) {
		if o.order != "auto" || !o.rereadable() {
			return nil, fmt.Errorf("%w, or give -order sort, which keeps all of them in memory", err)
		}
		o.order = "sort"
		r, err = o.playOnce(all, w)
	}
	if err != nil {
		return nil, err
	}
	for _, one := range r.results {
		if o.top == 0 { // for simulate.Options, 0 is the usual number
			one.Worst = one.Worst[:0]
			if one.Diff != nil {
				one.Diff.Worst, one.Diff.Examples = one.Diff.Worst[:0], one.Diff.Examples[:0]
			}
		}
		one.Late, one.LateBy = r.source.stamps.Late, simulate.Seconds(r.source.stamps.LateBy)
	}
	r.warn()
	return r, nil
}

// rereadable reports whether the trace gives the same bytes when it is opened again.
func (o *options) rereadable() bool {
	info, err := os.Stat(o.trace)
	return o.trace != "-" && err == nil && info.Mode().IsRegular()
}

func (o *options) playOnce(all []judged, w world) (*report, error) {
	if o.order != "sort" { // what is live is small, and lines of logs are much garbage
		defer debug.SetGCPercent(debug.SetGCPercent(400))
		defer debug.SetMemoryLimit(debug.SetMemoryLimit(240 << 20))
	}
	subjects, err := o.subjects(all)
	if err != nil {
		return nil, err
	}
	s, err := o.open(all, w)
	if err != nil {
		return nil, err
	}
	defer s.close()
	results, err := simulate.Run(s.requests, simulate.Options{Top: max(o.top, 1), Bin: o.bin}, subjects...)
	switch {
	case err != nil:
		return nil, err
	case s.faults.Err != nil:
		return nil, fmt.Errorf("%s: reading ended early: %w", o.trace, s.faults.Err)
	case s.order != nil:
		return nil, fmt.Errorf("%s: %w", o.trace, s.order)
	case s.stamps.Requests == 0:
		return nil, o.nothing(s)
	case o.keyGiven && !s.mapping.Keyed():
		return nil, o.keyless()
	}
	r := &report{options: o, judged: all, results: results, source: s, crowded: make([]uint64, len(all))}
	for i := range subjects {
		if judge, ok := subjects[i].Judge.(*simulate.Policy); ok {
			r.crowded[i] = crowded(judge.Stats())
		}
	}
	return r, nil
}

// crowded returns how often decisions depended on other keys.
func crowded(s policy.Stats) uint64 {
	return s.Inherited + s.Saturated + s.Full + s.Late + s.Ahead + s.Untracked + s.Forgotten + s.Unrecorded + s.Unrevoked
}

// nothing says why there are no requests.
func (o *options) nothing(s *source) error {
	switch {
	case s.skipped > 0:
		return fmt.Errorf("%s: -where, -from and -to leave none of %d requests", o.trace, s.skipped)
	case s.faults.Lost > 0:
		return fmt.Errorf("%s: no line could be read: %s", o.trace, strings.Join(s.faults.Summary(), "; "))
	case o.gen != "":
		return errors.New("-gen makes no requests: raise -rate or -duration")
	}
	return fmt.Errorf("%s has no requests", o.trace)
}

// keyless says that -key names no column of the trace, which is a mistake: all would be of one key.
func (o *options) keyless() error {
	return fmt.Errorf("%s: no line of the trace has a column %s: name one that is there with -key, or leave -key out", o.trace, strings.Join(o.key, " or "))
}

// warn collects what makes the result doubtful.
func (r *report) warn() {
	s := r.source
	_, _, rates := wanted(r.judged)
	r.warnings = append(r.warnings, s.mapping.Notes()...)
	if r.options.subseconds {
		rates = nil
	}
	if r.options.gen == "" {
		r.warnings = append(r.warnings, s.stamps.Warnings(rates...)...)
	}
	if s.faults.Lines > 0 {
		r.warnings = append(r.warnings, fmt.Sprintf("%d lines have errors, %d requests of them are lost: %s.", s.faults.Lines, s.faults.Lost, strings.Join(s.faults.Summary(), "; ")))
	}
	for i, j := range r.judged {
		if n := r.crowded[i]; n > 0 {
			r.warnings = append(r.warnings, fmt.Sprintf("%s: %d times there was no room for a key, and what others owe was counted in its place. Raise -capacity %d, and compare.", j.name, n, r.options.capacity))
		}
		if n := r.results[i].Unlimited; n > 0 && j.policy != nil {
			r.warnings = append(r.warnings, fmt.Sprintf("%s: no rule is for %d of %d requests: they are not limited.", j.name, n, r.results[i].Requests))
		}
		for _, a := range r.results[i].Actions {
			if a.Action == "missing" {
				r.warnings = append(r.warnings, fmt.Sprintf("%s: %d requests have no value for a key of the policy, and were refused for that. Name a column with -key.", j.name, a.Requests))
			}
		}
	}
}

// print writes the report to the standard output.
func (r *report) print(w world) error {
	switch {
	case r.options.json:
		return r.json(w.out)
	case r.options.bench:
		return r.bench(w.out)
	}
	for _, warning := range r.warnings {
		if _, err := fmt.Fprintln(w.out, "warning:", warning); err != nil {
			return err
		}
	}
	for i, one := range r.results {
		if i > 0 {
			_, _ = fmt.Fprintln(w.out)
		}
		if _, err := io.WriteString(w.out, one.String()); err != nil {
			return err
		}
		if isTerminal(w.out) {
			_, _ = io.WriteString(w.out, terminalPlot(one))
		}
	}
	return nil
}

// errorsOf are the lines of a trace that could not be read.
type errorsOf struct {
	Lines   int      `json:"lines"`
	Lost    int      `json:"lost"`
	Reasons []string `json:"reasons"`
}

// json writes one result as an object, and several as a list in one.
func (r *report) json(out io.Writer) error {
	type context struct {
		Trace    string   `json:"trace"`
		Seed     uint64   `json:"seed"`
		Warnings []string `json:"warnings"`
		Errors   errorsOf `json:"errors"`
	}
	c := context{r.traffic(), r.options.seed, append([]string{}, r.warnings...),
		errorsOf{r.source.faults.Lines, r.source.faults.Lost, append([]string{}, r.source.faults.Summary()...)}}
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "\t")
	encoder.SetEscapeHTML(false)
	if len(r.results) == 1 {
		return encoder.Encode(struct {
			context
			*simulate.Result
		}{c, r.results[0]})
	}
	return encoder.Encode(struct {
		Schema int `json:"schema"`
		context
		Results []*simulate.Result `json:"results"`
	}{1, c, r.results})
}

// traffic names the trace or the generator.
func (r *report) traffic() string {
	o := r.options
	if o.gen == "" {
		return o.trace
	}
	return fmt.Sprintf("%s, %v for %v", o.gen, o.rate, o.duration)
}

// bench writes rows for benchstat.
func (r *report) bench(out io.Writer) error {
	var b strings.Builder
	share := func(part, whole int64) float64 {
		if whole == 0 {
			return 0
		}
		return 100 * float64(part) / float64(whole)
	}
	for _, one := range r.results {
		name := strings.Map(func(c rune) rune {
			if c <= ' ' || c == '/' || c == '=' {
				return '-'
			}
			return c
		}, one.Name)
		fmt.Fprintf(&b, "BenchmarkPolicy/policy=%s/client=%s 1 %d requests %g %%refused %g %%keys-refused", name, one.Client,
			one.Requests, share(one.Refused, one.Offered), share(int64(one.KeysRefused), int64(one.Keys)))
		if w := one.Waits; w != nil {
			fmt.Fprintf(&b, " %g sec-wait-p50 %g sec-wait-max", time.Duration(w.Median).Seconds(), time.Duration(w.Longest).Seconds())
		}
		for _, l := range one.Limits {
			name := l.Name
			if l.Rule != "" {
				name = l.Rule + "/" + l.Name
			}
			fmt.Fprintf(&b, " %d most-in-%s", l.MostGranted, strings.ReplaceAll(name, " ", "-"))
		}
		b.WriteByte('\n')
	}
	_, err := io.WriteString(out, b.String())
	return err
}

// gate returns the gates whose conditions are true, as an error.
func (r *report) gate() error {
	var broken []string
	for _, g := range r.options.gates {
		for _, one := range r.results {
			if holds, was := g.holds(outcome{one, r.source.faults.Lost, r.source.lines}); holds {
				broken = append(broken, fmt.Sprintf("%s: -fail %s: failed, it is %s", one.Name, g.text, was))
			}
		}
	}
	if len(broken) > 0 {
		return failed{errors.New(strings.Join(broken, "\n"))}
	}
	return nil
}
