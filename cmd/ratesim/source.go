package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"iter"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/seed-3506548a/ratelimit/policy"
	"github.com/seed-3506548a/ratelimit/simulate"
	"github.com/seed-3506548a/ratelimit/simulate/logs"
)

// source is where requests come from, and what was found out while they came.
type source struct {
	requests iter.Seq[simulate.Request]
	faults   logs.Faults
	mapping  logs.Mapping
	stamps   simulate.Stamps
	order    error // requests were too far out of order
	lines    int   // of requests, lost ones too
	skipped  int   // requests, by -where, -from and -to
	close    func()
}

// asTheyCome is the order of requests that are not put in order.
const asTheyCome = "as they come"

// reordered is how many requests are kept to put them in order.
const reordered = 1 << 16

// open returns the requests of the trace or of the generator.
func (o *options) open(all []judged, w world) (*source, error) {
	s := &source{close: func() {}}
	if o.gen != "" {
		return s, o.generate(s, all)
	}
	input := w.in
	var size int64 = -1
	if o.trace != "-" {
		file, err := os.Open(o.trace)
		if err != nil {
			return nil, err
		}
		s.close = func() { _ = file.Close() }
		input = file
		if info, err := file.Stat(); err == nil && info.Mode().IsRegular() {
			size = info.Size()
		}
	}
	shown, end := progress(input, size, w.err)
	closeFile := s.close
	s.close = func() { end(); closeFile() }
	plain, err := decompressed(shown)
	if err != nil {
		return nil, err
	}
	attributes, amounts, _ := wanted(all)
	method, path := example(all)
	s.mapping = logs.Mapping{Key: o.key, Attributes: attributes, Amounts: amounts, AsUser: o.keyGiven, Method: method, Path: path}
	// What is wanted is told after counts are spread: their interval is that of all lines.
	records := s.wanted(o, logs.Spread(s.good(logs.Read(plain, o.format)), o.format.Every, o.seed))
	s.requests = s.stamps.Watch(func(yield func(simulate.Request) bool) {
		for r := range records {
			q, err := s.mapping.Request(&r)
			s.faults.Add(&r, err)
			if !yield(q) {
				return
			}
		}
	})
	if o.order == "refuse" { // what the trace has, and not what is spread below
		s.requests = simulate.Reorder(s.requests, 0, &s.order)
	}
	if o.subseconds {
		s.requests = simulate.Subseconds(s.requests, o.seed)
	}
	switch o.order {
	case asTheyCome:
	case "sort":
		s.requests = simulate.Sorted(s.requests)
	default:
		s.requests = simulate.Reorder(s.requests, reordered, &s.order)
	}
	return s, nil
}

// good returns the records that can be used.
func (s *source) good(read iter.Seq2[logs.Record, error]) iter.Seq[logs.Record] {
	return func(yield func(logs.Record) bool) {
		for r, err := range read {
			s.lines++
			if s.faults.Add(&r, err) && !yield(r) {
				return
			}
		}
	}
}

// wanted returns the records that -where, -from and -to leave.
func (s *source) wanted(o *options, records iter.Seq[logs.Record]) iter.Seq[logs.Record] {
	return func(yield func(logs.Record) bool) {
		for r := range records {
			unwanted := !o.from.IsZero() && r.At.Before(o.from) || !o.to.IsZero() && !r.At.Before(o.to) ||
				slices.ContainsFunc(o.where, func(c condition) bool { return !c.holds(&r) })
			if unwanted {
				s.skipped++
				continue
			}
			if !yield(r) {
				return
			}
		}
	}
}

// decompressed returns what an input holds that is compressed by zstd. Package logs knows gzip.
func decompressed(r io.Reader) (io.Reader, error) {
	buffered := bufio.NewReaderSize(r, 1<<16)
	if magic, _ := buffered.Peek(4); !bytes.Equal(magic, []byte{0x28, 0xb5, 0x2f, 0xfd}) {
		return buffered, nil
	}
	d, err := zstd.NewReader(buffered, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(1<<28))
	if err != nil {
		return nil, err
	}
	return d.IOReadCloser(), nil
}

// generate makes the requests.
func (o *options) generate(s *source, all []judged) error {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	if !o.from.IsZero() {
		start = o.from
	}
	var events iter.Seq[simulate.Event]
	var err error
	switch o.gen {
	case "poisson":
		events, err = simulate.Poisson(start, o.rate, o.seed)
	case "constant":
		events, err = simulate.Constant(start, o.rate)
	case "onoff": // on a tenth of the time, at ten times the rate
		rate := o.rate
		rate.Per = max(rate.Per/10, 1)
		events, err = simulate.OnOff(start, rate, o.duration/100+1, o.duration*9/100, o.seed)
	case "flashcrowd": // a tenth of the rate, the rate itself at the peak
		usual := o.rate
		usual.Per *= 10
		events, err = simulate.FlashCrowd(start, simulate.Crowd{Usual: usual, Peak: o.rate, After: o.duration / 5, Rise: o.duration / 20, Decay: o.duration / 5}, o.seed)
	default:
		return fmt.Errorf("-gen is %q, want poisson, constant, onoff or flashcrowd", o.gen)
	}
	if err != nil {
		return err
	}
	attributes, _, _ := wanted(all)
	method, path := example(all)
	as := simulate.Request{Method: method, Path: path, Status: 200}
	if i := slices.Index(attributes, "route"); i >= 0 {
		attributes = slices.Delete(attributes, i, i+1)
		as.Attrs = []policy.Attr{{Name: "route", Value: method + " " + path}}
	}
	requests, err := simulate.Crowded(simulate.Until(events, start.Add(o.duration)), o.keys, o.skew, o.seed, as, attributes...)
	if err != nil {
		return err
	}
	s.requests = s.stamps.Watch(requests)
	return nil
}

// example returns a request that a rule is for: a GET, if there is one.
func example(all []judged) (method, path string) {
	method, path = "GET", "/"
	var patterns []string
	for _, j := range all {
		if j.policy == nil {
			continue
		}
		for _, r := range j.policy.Rules {
			if len(r.Match) == 0 && r.Mode != policy.Exempt {
				return method, path
			}
			if r.Mode != policy.Exempt {
				patterns = append(patterns, r.Match...)
			}
		}
	}
	for _, pattern := range patterns {
		m, p, ok := strings.Cut(pattern, " ")
		if !ok {
			m, p = "GET", pattern
		}
		p = strings.NewReplacer("{$}", "", "{", "", "...}", "", "}", "").Replace(p)
		if m == "GET" {
			return m, p
		}
		if pattern == patterns[0] {
			method, path = m, p
		}
	}
	return method, path
}
