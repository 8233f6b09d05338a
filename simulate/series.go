package simulate

// series counts events in bins of one width. If the width is not fixed, bins are put together in
// pairs when there would be too many.
type series struct {
	width int64 // in ns
	fixed bool
	most  int
	bins  []bin
	log   []func() // what else has such bins: called when they are put together

	last, end int64 // the bin of the last time, and when it ends: most times are in the same
}

type bin struct{ granted, refused int64 }

const mostFixedBins = 1 << 20

func newSeries(width int64, most int) series {
	s := series{width: width, fixed: width > 0, most: most}
	if s.fixed {
		s.most = mostFixedBins
	} else {
		s.width = 1e9
	}
	return s
}

// at returns the bin of a time, which is there then.
func (s *series) at(now int64) int64 {
	if s.end-s.width <= now && now < s.end {
		return s.last
	}
	i := now / s.width
	for i >= int64(s.most) {
		s.bins = merged(s.bins)
		for _, merge := range s.log {
			merge()
		}
		s.width *= 2
		i = now / s.width
	}
	for int64(len(s.bins)) <= i {
		s.bins = append(s.bins, bin{})
	}
	s.last, s.end = i, (i+1)*s.width
	return i
}

func (s *series) add(now int64, ok bool, n int64) {
	s.bins[s.at(now)].add(ok, n)
}

func (b *bin) add(ok bool, n int64) {
	if ok {
		b.granted += n
	} else {
		b.refused += n
	}
}

// merged puts bins together in pairs.
func merged(bins []bin) []bin {
	half := bins[:0]
	for i := 0; i < len(bins); i += 2 {
		b := bins[i]
		if i+1 < len(bins) {
			b.granted += bins[i+1].granted
			b.refused += bins[i+1].refused
		}
		half = append(half, b)
	}
	return half
}

// rows are the series of keys that were refused, in the same bins.
type rows struct {
	series
	of   [][]bin // by the numbers that next gives them, less 1
	busy []busy  // the same

	busyWidth int64 // of the first bins of a busy period, in ns
}

const mostRows = 1 << 14

func newRows() *rows {
	r := &rows{series: newSeries(0, 96), busyWidth: 1e9}
	r.log = append(r.log, func() {
		for i, bins := range r.of {
			r.of[i] = merged(bins)
		}
	})
	return r
}

// next returns the number of a further row, from 1; 0 if there are as many as there may be.
func (r *rows) next() int32 {
	if len(r.of) == mostRows {
		return 0
	}
	r.of = append(r.of, nil)
	return int32(len(r.of))
}

// add counts events of a row.
func (r *rows) add(now int64, row int32, ok bool, n int64) {
	i := r.at(now)
	bins := r.of[row-1]
	for int64(len(bins)) <= i {
		bins = append(bins, bin{})
	}
	bins[i].add(ok, n)
	r.of[row-1] = bins
	if int(row) > len(r.busy) { // what comes first is the refusal for which there is a row
		r.busy = append(r.busy, newBusy(now, n, r.busyWidth))
	}
	r.busy[row-1].add(now, ok, n)
}
