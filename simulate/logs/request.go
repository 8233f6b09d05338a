package logs

import (
	"cmp"
	"fmt"
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

	// Cost and Amounts name columns of numbers, 0 to 2^31-1, and fractions are rounded up. A column
	// cost is taken where Cost is "". A request with a cost of 0, or none, counts as 1.
	Cost    string
	Amounts []string

	key        column
	attributes []column
	request    column // method or path
	free       []policy.Attr
}

// column is what the records so far have had of a column.
type column struct {
	seen   bool
	before int // how many records came before the first that had it
}

// look reports whether a record up to this one has had the column.
func (c *column) look(there bool) bool {
	if c.seen = c.seen || there; !c.seen {
		c.before++
	}
	return c.seen
}

// lacking returns the beginning of a sentence on what is missing; "" if nothing is.
func (c *column) lacking() string {
	switch {
	case c.before == 0:
		return ""
	case c.seen:
		return fmt.Sprintf("The first %d requests do not have", c.before)
	}
	return "The trace does not have"
}

// Everybody is the key of requests of a log without a column of keys, and of those that come before
// the first that has one.
const Everybody = "all"

// Notes returns what the mapping has put in place of what the log does not have. It is about the
// records so far.
func (m *Mapping) Notes() (notes []string) {
	whom := "the key"
	if lacking := m.key.lacking(); lacking != "" {
		if !m.key.seen {
			whom = strconv.Quote(Everybody)
		}
		if len(m.Key) > 0 {
			notes = append(notes, lacking+" a column "+strings.Join(m.Key, " or ")+": these requests are of one key. Name a column with -key.")
		}
	}
	for i := range m.attributes {
		name, lacking := m.Attributes[i], m.attributes[i].lacking()
		if lacking == "" || m.AsUser && name != "route" {
			continue
		}
		note := "The policy counts by " + name + ". " + lacking + " it: "
		if name == "route" {
			notes = append(notes, note+"method and path stand for it, so that each path is a route of its own.")
		} else {
			notes = append(notes, note+whom+" stands for it.")
		}
	}
	if lacking := m.request.lacking(); lacking != "" {
		notes = append(notes, lacking+" methods and paths: these requests are "+cmp.Or(m.Method, "GET")+" "+cmp.Or(m.Path, "/")+".")
	}
	return notes
}

// Keyed reports whether a record so far has had a column of Key, whatever it says there.
func (m *Mapping) Keyed() bool { return m.key.seen }

// access reports whether the record is of an access log, which has no names for its first columns.
func (r *Record) access() bool { return r.bracketed }

// there reports whether the log has a column.
func (r *Record) there(name string) bool {
	return r.Has(name) || name == "ip" && r.Has("host") || r.access() && (name == "user" || name == "host" || name == "ip")
}

// Request returns the request that a record is, and what is wrong with a number in it, as a
// [*LineError] with which the request is good all the same.
func (m *Mapping) Request(r *Record) (q simulate.Request, err error) {
	q = simulate.Request{At: r.At, Method: r.Method, Path: r.Path(), Status: r.Status}
	if !m.request.look(r.Method != "" || r.Target != "" || r.access()) {
		q.Method, q.Path = cmp.Or(m.Method, "GET"), cmp.Or(m.Path, "/")
	}
	for i := 0; i < len(m.Key) && q.Key == ""; i++ {
		q.Key = r.Get(m.Key[i])
	}
	if !m.key.look(q.Key != "" || m.key.seen || slices.ContainsFunc(m.Key, r.there)) {
		q.Key = Everybody
	}
	if len(m.Attributes) > 0 {
		if m.attributes == nil {
			m.attributes = make([]column, len(m.Attributes))
		}
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
		if text == "" || wrong == nil && f >= 0 && f <= math.MaxInt32 { // not NaN
			return int(math.Ceil(f))
		}
		if err == nil {
			bad := fault("the number of column "+name+" cannot be read", text, "0 to 2147483647")
			bad.Line, err = r.Line, bad
		}
		return 0
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
	name, c := m.Attributes[i], &m.attributes[i]
	there := c.look(c.seen || r.there(name))
	if !there && name != "route" || name == "user" && m.AsUser {
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
		if s.every == 0 {
			s.every = r.At.Sub(s.now[0].At).Abs() // some tables have the newest first
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
