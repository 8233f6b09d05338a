package redislimit

import (
	"math"
	"strconv"
	"time"

	"github.com/seed-3506548a/ratelimit"
)

// buckets are charged together, all or none. A GCRA has one.
type buckets struct {
	all   []bucket
	least int      // the smallest burst
	one   []string // arguments of the quick script for one event

	since time.Time // what was granted until then drained at other rates; zero if there were none
}

func newBuckets(all []bucket) *buckets {
	b := &buckets{all: all, least: math.MaxInt}
	for i := range all {
		if all[i].rate.Events == 0 {
			b.least = 0
		}
		b.least = min(b.least, all[i].burst)
	}
	if b.least > 0 {
		b.one = all[0].take(1)
	}
	return b
}

func (b *buckets) script() *Script { return bucketScript }

func (b *buckets) quick(n int) (*Script, []string) {
	switch {
	case len(b.all) > 1 || b.all[0].perMicro > math.MaxInt32:
		return nil, nil
	case n == 1:
		return takeScript, b.one
	default:
		return takeScript, b.all[0].take(n)
	}
}

func (b *buckets) limit() int { return b.least }

func (b *buckets) shown() (r ratelimit.Rate) {
	if len(b.all) == 1 {
		r = b.all[0].rate
	}
	return r
}

func (b *buckets) args(to []string) []string {
	to = append(to, strconv.Itoa(len(b.all)))
	for i := range b.all {
		to = b.all[i].args(to)
	}
	return to
}

func (b *buckets) decide(ds []ratelimit.Decision, reply []int64, op operation, ns []int) bool {
	if len(reply) != 1+2*len(b.all) {
		return false
	}
	var few [4]uint64
	owed := few[:0]
	for i := range b.all {
		owed = append(owed, b.all[i].owed(reply[1+2*i], reply[2+2*i]))
	}
	for i := range ds {
		b.step(&ds[i], owed, ns[i], op != charge)
	}
	return true
}

// step sets d to the decision on n events, and adds them to what is owed if they are granted and to
// be charged. It does what the script does.
func (b *buckets) step(d *ratelimit.Decision, owed []uint64, n int, charged bool) {
	ok := 0 <= n && n <= b.least
	for i := range b.all {
		ok = ok && (n == 0 || b.all[i].fits(owed[i], n))
	}
	if ok && charged {
		for i := range b.all {
			owed[i] += uint64(n) * b.all[i].perEvent
		}
	}
	if len(b.all) == 1 {
		b.all[0].decide(d, owed[0], n, ok)
		return
	}
	for i := range b.all {
		of := &b.all[i]
		var m ratelimit.Decision
		fits := 0 <= n && n <= of.burst && of.fits(owed[i], n) // then it would have granted
		of.decide(&m, owed[i], n, ok || fits)
		and(d, i, &m)
	}
}

// and adds the decision of the bucket with an index to those of the ones before it, as
// [ratelimit.All] does.
func and(d *ratelimit.Decision, index int, m *ratelimit.Decision) {
	if index == 0 {
		*d = *m
		return
	}
	if m.RetryAfter > d.RetryAfter || d.RetryAfter == 0 && m.Remaining < d.Remaining {
		d.By = index
	}
	d.OK = d.OK && m.OK
	d.Limit = min(d.Limit, m.Limit)
	d.Remaining = min(d.Remaining, m.Remaining)
	d.RetryAfter = max(d.RetryAfter, m.RetryAfter)
	d.ResetAfter = max(d.ResetAfter, m.ResetAfter)
}

func (b *buckets) still(d *ratelimit.Decision, r *refused, n int, after time.Duration) bool {
	var few [4]uint64
	owed := few[:0]
	for i := range b.all {
		now := b.all[i].owed(r.reply[1+2*i], r.reply[2+2*i])
		owed = append(owed, now-min(now, b.all[i].drained(after)))
	}
	b.step(d, owed, n, false)
	return !d.OK
}
