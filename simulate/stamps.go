package simulate

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"time"

	"github.com/seed-3506548a/ratelimit"
)

// Stamps is what the times of a trace are like, as they come.
type Stamps struct {
	Requests    int
	First, Last time.Time     // the earliest and the latest
	Late        int           // how many came after a later one
	LateBy      time.Duration // the most, of these
	Whole       bool          // all are whole seconds
}

// Watch returns the requests, and counts them in s.
func (s *Stamps) Watch(requests iter.Seq[Request]) iter.Seq[Request] {
	return func(yield func(Request) bool) {
		*s = Stamps{Whole: true}
		for r := range requests {
			if s.Requests++; s.Requests == 1 {
				s.First, s.Last = r.At, r.At
			}
			switch {
			case r.At.After(s.Last):
				s.Last = r.At
			case r.At.Before(s.Last):
				s.Late++
				s.LateBy = max(s.LateBy, s.Last.Sub(r.At))
				if r.At.Before(s.First) {
					s.First = r.At
				}
			}
			s.Whole = s.Whole && r.At.Nanosecond() == 0
			if !yield(r) {
				return
			}
		}
	}
}

// Warnings returns what makes results doubtful, for limits of these rates: times that are all of
// one minute, and whole seconds where a limit is finer than that.
func (s *Stamps) Warnings(rates ...ratelimit.Rate) (sentences []string) {
	if s.Requests < 2 {
		return nil
	}
	if s.First.Truncate(time.Minute).Equal(s.Last.Truncate(time.Minute)) {
		sentences = append(sentences, fmt.Sprintf("All %d times are within the minute of %s. Perhaps the column has the minutes and seconds only, or is not when requests came.",
			s.Requests, s.First.Truncate(time.Minute).Format("2006-01-02 15:04")))
	}
	if s.Whole {
		for _, rate := range rates {
			if rate.Events > 0 && (rate.Per <= 10*time.Second || rate.Per/time.Duration(rate.Events) < time.Second) {
				sentences = append(sentences, fmt.Sprintf("Times are whole seconds, and the limit of %v is finer: requests of one second seem to come at once, which changes what is refused by half or so. "+
					"Spread them over their seconds (-subsecond uniform), and compare.", rate))
				break
			}
		}
	}
	return sentences
}

// Subseconds returns the requests, and adds a random part of a second to each time that is a whole
// second. The order of requests of one second changes: see [Reorder]. The same seed gives the same
// times.
func Subseconds(requests iter.Seq[Request], seed uint64) iter.Seq[Request] {
	return func(yield func(Request) bool) {
		random := rand.New(rand.NewPCG(seed, 3))
		for r := range requests {
			if r.At.Nanosecond() == 0 {
				r.At = r.At.Add(time.Duration(random.Int64N(int64(time.Second))))
			}
			if !yield(r) {
				return
			}
		}
	}
}
