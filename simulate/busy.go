package simulate

import "time"

// Busy are the events of a key in its first busy period. That begins with the first refusal, and
// ends with the last one that comes before a pause of about its own length. A pause of twice the
// longest period of the rates, or of two minutes, does not end it.
type Busy struct {
	From  time.Time // of the first refusal
	First int64     // events of the request that was refused first
	Width Seconds   // of the bins
	Bins  []Cells   // the last has the last refusal
}

// busyBins is how many bins a busy period has at most. As many more hold what follows, which
// becomes part of the period if there is a refusal in it.
const busyBins = 64

// busy counts the events of a key from its first refusal on, in memory that does not grow.
type busy struct {
	from, first, width int64
	last               int // the bin of the last refusal
	over               bool
	bins               []bin
}

func newBusy(now, n, width int64) busy { return busy{from: now, first: n, width: width} }

func (b *busy) add(now int64, ok bool, n int64) {
	i := int((now - b.from) / b.width)
	if b.over = b.over || i >= 2*busyBins; b.over {
		return
	}
	for !ok && i >= busyBins {
		b.bins, b.width = merged(b.bins), 2*b.width
		i /= 2
	}
	for len(b.bins) <= i {
		b.bins = append(b.bins, bin{})
	}
	b.bins[i].add(ok, n)
	if !ok {
		b.last = i
	}
}

func (b *busy) result(origin time.Time) *Busy {
	r := &Busy{From: origin.Add(time.Duration(b.from)), First: b.first, Width: Seconds(b.width)}
	for _, c := range b.bins[:b.last+1] {
		r.Bins = append(r.Bins, Cells{c.granted, c.refused})
	}
	return r
}
