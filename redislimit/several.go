package redislimit

import (
	"fmt"

	"github.com/seed-3506548a/ratelimit"
)

// Bucket is one of the limits of [NewSeveral].
type Bucket struct {
	Rate  ratelimit.Rate
	Burst int
}

// Several is several GCRAs for each key, which grant a request if every one does, such as 10 a
// second and 1000 an hour. They are kept in one string and decided by one script. Its decisions are
// those of [ratelimit.All] of as many gcras.
type Several struct{ Store }

// mostSeveral is how many limits there may be of one key.
const mostSeveral = 16

// NewSeveral returns the given limits for each key, all of which are charged, or none. By in a
// Decision is the index of the one that binds. There are 1 to 16 limits. For the name, the
// guarantee of each limit and the errors see [NewGCRA].
func NewSeveral(engine Engine, name string, limits []Bucket, opts ...Option) (*Several, error) {
	const fn = "redislimit.NewSeveral"
	all, err := newSeveral(fn, limits)
	if err != nil {
		return nil, err
	}
	o, err := choose(fn, opts)
	if err != nil {
		return nil, err
	}
	s := new(Several)
	if err = s.init(fn, engine, name, newBuckets(all), o); err != nil {
		return nil, err
	}
	return s, nil
}

// SetRate changes the limits, on this node; their number must stay. See [GCRA.SetRate].
func (s *Several) SetRate(limits []Bucket) error {
	const fn = "redislimit.Several.SetRate"
	all, err := newSeveral(fn, limits)
	if err != nil {
		return err
	}
	before := s.buckets()
	if len(all) != len(before) {
		return &ratelimit.ArgumentError{Func: fn, Field: "len(limits)", Value: len(all), Want: fmt.Sprint(len(before))}
	}
	for i := range all {
		if err := all[i].keeps(fn, fmt.Sprintf("limits[%d].", i), &before[i]); err != nil {
			return err
		}
	}
	s.setBuckets(all)
	return nil
}

// Limits returns the limits that were set last.
func (s *Several) Limits() []Bucket {
	var limits []Bucket
	for _, b := range s.buckets() {
		limits = append(limits, Bucket{b.rate, b.burst})
	}
	return limits
}

func newSeveral(fn string, limits []Bucket) ([]bucket, error) {
	if len(limits) < 1 || len(limits) > mostSeveral {
		return nil, &ratelimit.ArgumentError{Func: fn, Field: "len(limits)", Value: len(limits), Want: fmt.Sprintf("1 to %d", mostSeveral)}
	}
	var all []bucket
	for i, l := range limits {
		if err := checkBucket(fn, fmt.Sprintf("limits[%d].", i), l.Rate, l.Burst); err != nil {
			return nil, err
		}
		all = append(all, newBucket(l.Rate, l.Burst))
	}
	return all, nil
}
