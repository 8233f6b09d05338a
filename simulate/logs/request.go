package logs

import (
	"cmp"
	"iter"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seed-3506548a/ratelimit/policy"
	"github.com/seed-3506548a/ratelimit/simulate"
)

// Mapping makes requests of records. Its fields are for all records of a log.
type Mapping struct {
	// Key lists the columns of which the first that is there is the key of a request.
	Key []string

	// Attributes are those that a policy asks for: see [policy.Policy.Attributes]. Each is the
	// column of its name. ip is the host. route is method and path, where there is no such column.
	// What the log does not have is the key: it stands for whom the policy counts.
	Attributes []string

	// AsUser has the key stand for the user, whatever the log has.
	AsUser bool

	// Method and Path are those of all requests, if the log has neither. "": GET and /.
	Method, Path string

	// Cost and Amounts name columns of numbers. A column cost is taken where Cost is "".
	Cost    string
	Amounts []string

	decided  bool
	all      bool // there is no column of a key: all requests are of one
	standIns []bool
	bare     bool // there are no methods and paths
	notes    []string
	free     []policy.Attr
}

// Everybody is the key of all requests of a log without a column of keys.
const Everybody = "all"

// Notes returns what the mapping has put in place of what the log does not have.
func (m *Mapping) Notes() []string { return m.notes }

// decide finds out what the log has, by its first record.
func (m *Mapping) decide(r *Record) {
	m.decided = true
	there := func(name string) bool {
		return r.Has(name) || r.access() && slices.Contains([]string{"user", "host", "ip"}, name)
	}
	m.all = !slices.ContainsFunc(m.Key, there)
	whom := "the key"
	if m.all {
		whom = strconv.Quote(Everybody)
		if len(m.Key) > 0 {
			m.notes = append(m.notes, "The trace has no column "+strings.Join(m.Key, " or ")+": all requests are of one key. Name a column with -key.")
		}
	}
	for _, name := range m.Attributes {
		stands := !there(name) && name != "route" || name == "user" && m.AsUser
		m.standIns = append(m.standIns, stands)
		switch {
		case stands && !m.AsUser:
			m.notes = append(m.notes, "The policy counts by "+name+", which the trace does not have: "+whom+" stands for it.")
		case name == "route" && !there(name):
			m.notes = append(m.notes, "The policy counts by route, which the trace does not have: method and path stand for it, so that each path is a route of its own.")
		}
	}
	if m.bare = r.Method == "" && r.Target == "" && !r.access(); m.bare {
		m.Method, m.Path = cmp.Or(m.Method, "GET"), cmp.Or(m.Path, "/")
		m.notes = append(m.notes, "The trace has no methods and paths: all requests are "+m.Method+" "+m.Path+".")
	}
}

// access reports whether the record is of an access log, which has no names for its first columns.
func (r *Record) access() bool { return r.bracketed }

// Request returns the request that a record is, and what is wrong with a number in it, as a
// [*LineError] with which the request is good all the same.
func (m *Mapping) Request(r *Record) (q simulate.Request, err error) {
	if !m.decided {
		m.decide(r)
	}
	q = simulate.Request{At: r.At, Method: r.Method, Path: r.Path(), Status: r.Status}
	if m.bare {
		q.Method, q.Path = m.Method, m.Path
	}
	if m.all {
		q.Key = Everybody
	}
	for i := 0; i < len(m.Key) && q.Key == ""; i++ {
		q.Key = r.Get(m.Key[i])
	}
	if len(m.Attributes) > 0 {
		if len(m.free) < len(m.Attributes) {
			m.free = make([]policy.Attr, 256*len(m.Attributes)) // one allocation for many requests
		}
		q.Attrs = m.free[:len(m.Attributes):len(m.Attributes)]
		m.free = m.free[len(m.Attributes):]
		for i, name := range m.Attributes {
			q.Attrs[i] = policy.Attr{Name: name, Value: m.attribute(r, i, q.Key)}
		}
	}
	number := func(name string) (n int) {
		text := r.Get(name)
		f, wrong := strconv.ParseFloat(text, 64)
		if text != "" && (wrong != nil || f < 0 || f > math.MaxInt32) && err == nil {
			f, err = 0, &LineError{Line: r.Line, Reason: "the number of column " + name + " cannot be read", Value: text, Want: "0 to 2147483647"}
		}
		return int(math.Ceil(f))
	}
	if m.Cost != "" {
		q.Cost = number(m.Cost)
	} else if len(r.names) > 0 && slices.Contains(r.names, "cost") {
		q.Cost = number("cost")
	}
	for _, name := range m.Amounts {
		if r.Has(name) {
			q.Amounts = append(q.Amounts, policy.Amount{Name: name, N: number(name)})
		}
	}
	return q, err
}

func (m *Mapping) attribute(r *Record, i int, key string) string {
	name := m.Attributes[i]
	if m.standIns[i] {
		return key
	}
	value := r.Get(name)
	if value == "" && name == "route" {
		return strings.TrimSpace(r.Method + " " + r.Path())
	}
	return value
}

// Spread returns records of counts as records of one request each, at random times of their
// interval: a Poisson process of as many requests. An interval of 0 is the distance of the first
// two times. Records of other formats stay as they are. Those of one time must follow one another.
// The same seed gives the same times.
func Spread(records iter.Seq[Record], every time.Duration, seed uint64) iter.Seq[Record] {
	return func(yield func(Record) bool) {
		random := rand.New(rand.NewPCG(seed, 4))
		s := spreading{every: every, random: random, yield: yield}
		for r := range records {
			if r.Count == 1 && !r.counted {
				if !yield(r) {
					return
				}
				continue
			}
			if !s.add(r) {
				return
			}
		}
		s.flush()
	}
}

// spreading are the records of one time, or of two as long as the interval is not known.
type spreading struct {
	every  time.Duration
	random *rand.Rand
	yield  func(Record) bool
	now    []Record
}

func (s *spreading) add(r Record) bool {
	if len(s.now) > 0 && !r.At.Equal(s.now[0].At) {
		if distance := r.At.Sub(s.now[0].At); distance > 0 && s.every == 0 {
			s.every = distance
		}
		if !s.flush() {
			return false
		}
	}
	s.now = append(s.now, r)
	return true
}

// flush yields the requests of the records, which are of one interval, in order of time.
func (s *spreading) flush() bool {
	if s.every == 0 {
		s.every = time.Second
	}
	left := 0
	for _, r := range s.now {
		left += r.Count
	}
	// Of n times at random, the first is at 1 - U^(1/n) of what is left, and whose it is, is at
	// random by how many each has left.
	at, end := 0.0, float64(s.every)
	for ; left > 0; left-- {
		at += (end - at) * (1 - math.Pow(1-s.random.Float64(), 1/float64(left)))
		pick := s.random.IntN(left)
		i := 0
		for pick >= s.now[i].Count {
			pick -= s.now[i].Count
			i++
		}
		s.now[i].Count--
		r := s.now[i]
		r.At, r.Count = r.At.Add(time.Duration(min(at, end-1))), 1
		if !s.yield(r) {
			return false
		}
	}
	s.now = s.now[:0]
	return true
}
