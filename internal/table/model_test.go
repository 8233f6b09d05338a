package table

import (
	"flag"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/timeline"
	"github.com/seed-3506548a/ratelimit/limittest"
)

var operations = flag.Int("table.operations", 100_000, "operations that TestModel compares with the model")

// model is the rule as it is written down, with whole times instead of 40 bits.
type model struct {
	scale    *scale
	sets     [][setSize]entry
	newest   uint64
	clock    uint64                    // what it shows, in ticks
	still    bool                      // it shows what it did when the table was made
	owed     struct{ at, cost uint64 } // what was charged last
	failOpen bool
}

type entry struct{ tag, tat uint64 } // a TAT of 0: never used

func (m *model) find(hash, now uint64) (e *entry, tag, debt uint64, present bool) {
	set := &m.sets[(hash>>32)*uint64(len(m.sets))>>32]
	tag = max(hash&0xffffff, 1)
	e = &set[tag%setSize]
	for i := range set {
		i = (int(tag) + i) % setSize
		if set[i].tag == tag {
			e, present = &set[i], true
			break
		}
		if set[i].tat < e.tat {
			e = &set[i]
		}
	}
	if e.tat > now {
		debt = e.tat - now
	}
	return e, tag, debt, present
}

func (m *model) take(hash uint64, off int64, n int, limit *Limit, charge bool) (d ratelimit.Decision) {
	now := m.scale.at(off)
	e, tag, debt, present := m.find(hash, now)
	isLate := now+1<<24 < m.newest
	isAhead := !isLate && (m.newest == 0 || now > m.newest+1<<23) && now > m.latest()
	fits := func(n int) bool {
		return n >= 0 && n <= limit.most && !isLate && !isAhead && debt+uint64(n)*limit.perEvent <= limit.depth
	}
	d.Limit = limit.most
	d.OK = n == 0 || fits(n)
	if !d.OK && n > 0 && n <= limit.most {
		switch {
		case isLate:
			d.By = Late
		case isAhead:
			d.By = Ahead
		case !present && m.failOpen:
			return ratelimit.Decision{OK: true, Limit: limit.most, Remaining: limit.most}
		case !present:
			d.By = Inherited
		}
	}
	when := func(ticks uint64) time.Duration { // by search
		ticks = max(ticks, m.newest-min(m.newest, 1<<24))
		low, high := off-1, timeline.Top+1
		for low+1 < high {
			middle := low + int64(uint64(high-low)/2)
			if m.scale.at(middle) >= ticks {
				high = middle
			} else {
				low = middle
			}
		}
		return timeline.Wait(off, high)
	}
	switch {
	case d.OK && n > 0:
		debt += uint64(n) * limit.perEvent
		if charge {
			if m.newest == 0 {
				m.newest = now
			}
			if now > m.newest+1<<23 { // may take away the word that was found
				m.advance(now)
				return m.take(hash, off, n, limit, true)
			}
			e.tag, e.tat = tag, now+debt
		}
	case !d.OK && (n < 0 || n > limit.most || isAhead):
		d.RetryAfter = ratelimit.Never
	case !d.OK:
		d.RetryAfter = when(now + max(debt+uint64(n)*limit.perEvent, limit.depth) - limit.depth)
	}
	if !isLate && !isAhead && limit.most > 0 && debt < limit.depth {
		d.Remaining = int((limit.depth - debt) / limit.perEvent)
	}
	if debt > 0 || isLate {
		d.ResetAfter = when(now + debt)
	}
	return d
}

// latest returns the latest time that is not too far ahead: of the clock, or, while that has never
// moved, of the newest, which steps within bounds.
func (m *model) latest() uint64 {
	if m.newest == 0 || !m.still {
		return m.clock + 1<<23
	}
	return max(m.clock+1<<23, m.newest+1<<24)
}

// owe charges n events in any case, as of a time that is neither late nor ahead, and says what one
// more finds.
func (m *model) owe(hash uint64, off int64, n int, limit *Limit, latest uint64) ratelimit.Decision {
	now := m.scale.at(off)
	at := now
	if m.newest == 0 || at > m.newest+1<<23 {
		at = max(m.newest, min(at, latest))
	}
	if m.newest > 1<<24 {
		at = max(at, m.newest-1<<24)
	}
	m.owed.at, m.owed.cost = at, 0
	for {
		e, tag, debt, _ := m.find(hash, at)
		cost := new(big.Int).Mul(big.NewInt(int64(n)), new(big.Int).SetUint64(limit.perEvent))
		if room := new(big.Int).SetUint64(1<<38 - min(debt, 1<<38)); cost.Cmp(room) > 0 {
			cost = room
		}
		if cost.Sign() <= 0 {
			break
		}
		if m.newest == 0 {
			m.newest = at
		}
		if at > m.newest+1<<23 { // may take away the word that was found
			m.advance(at)
			continue
		}
		m.owed.cost = cost.Uint64()
		e.tag, e.tat = tag, at+debt+cost.Uint64()
		break
	}
	d, next := m.take(hash, off, 0, limit, false), m.take(hash, off, 1, limit, false)
	if n < 0 {
		next = m.take(hash, off, n, limit, false)
	}
	if m.failOpen && next.OK && next.Remaining == limit.most { // there is no place for the key
		d = next
	}
	d.OK, d.RetryAfter, d.By = next.OK, next.RetryAfter, next.By
	return d
}

// advance looks after the sets lap by lap. Of a long time in which all is long over, whole rounds
// count for nothing.
func (m *model) advance(now uint64) {
	const lap, round = 1 << 37, 1 << 40
	for laps := 0; m.newest < now; laps++ {
		if rounds := (now - m.newest) / round * round; laps >= 4 && rounds > 0 {
			m.newest += rounds
			for i := range m.sets {
				for j := range m.sets[i] {
					if e := &m.sets[i][j]; e.tat > 0 {
						e.tat += rounds
					}
				}
			}
			continue
		}
		from := m.newest
		m.newest = min(now, from+lap)
		turn := func(at uint64) uint64 { // which set's
			share := new(big.Int).Mul(new(big.Int).SetUint64(at), big.NewInt(int64(len(m.sets))))
			return share.Quo(share, big.NewInt(lap)).Uint64()
		}
		for v := turn(from); v < turn(m.newest); v++ {
			set := &m.sets[v%uint64(len(m.sets))]
			for j := range set {
				if e := &set[j]; e.tat > 0 {
					e.tat = max(e.tat, from-1<<24)
				}
			}
		}
	}
}

func (m *model) reset(hash uint64) {
	if e, _, _, present := m.find(hash, 0); present {
		e.tag = 0
		if e.tat%(1<<40) == 0 { // the word would be empty
			e.tat++
		}
	}
}

// play compares a table with the model, in a world of so many operations.
func play(t *testing.T, random *rand.Rand, operations int) (granted int) {
	capacity := 1 + random.IntN(40)
	failOpen := random.IntN(5) == 0
	origin := []time.Time{time.Unix(0, 0), time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2157, 5, 6, 7, 8, 9, 10, time.UTC)}[random.IntN(3)]
	clock := limittest.NewClock(origin)
	rate := randomRate(random)
	var c *Table
	if random.IntN(3) == 0 {
		rate.Events = min(rate.Events, maxWindow)
		c = aligned(rate, capacity, ratelimit.WithClock(clock))
	} else {
		burst := 1 + random.IntN(1<<random.IntN(31))
		burst = int(min(uint64(burst), maxDepth/ticksPerEvent(rate)))
		c = gcra(rate, burst, capacity, ratelimit.WithClock(clock))
	}
	if failOpen {
		c.FailOpen()
	}
	m := &model{scale: &c.scale, sets: make([][setSize]entry, len(c.sets)), failOpen: failOpen}
	limits := []*Limit{&c.limited}
	for range 2 {
		other := ratelimit.Per(1+random.IntN(rate.Events), rate.Per)
		burst := 1 + random.IntN(10)
		if c.scale.aligned {
			burst = other.Events
		}
		if limit, err := c.Limit("table.Limit", other, burst); err == nil {
			limits = append(limits, &limit)
		}
	}
	keys := make([]uint64, 1+random.IntN(100))
	for i := range keys {
		keys[i] = random.Uint64()
		if random.IntN(4) == 0 { // the same tag in another set
			keys[i] = keys[i]&^0xffffff | keys[0]&0xffffff
		}
	}
	truth := map[place]uint64{}                             // the TAT of a limiter that each key has for itself, charged with what the table granted
	alone := len(keys) <= setSize                           // nobody has to share a word
	nanos := max(float64(rate.Per)/float64(rate.Events), 1) // of an event
	off := int64(0)
	var last ratelimit.Decision
	still := random.IntN(4) == 0 // the clock is never moved
	for range operations {
		switch random.IntN(30) {
		case 0: // far, also by rounds of the 40 bits
			off += int64(nanos * math.Exp2(random.Float64()*35))
		case 1:
			off += int64(nanos*float64(uint64(1)<<32)) + random.Int64N(5) - 2
		case 2: // late
			off -= int64(nanos * math.Exp2(random.Float64()*18))
		case 3:
			off += int64(last.RetryAfter) - 1
		case 4:
			off += int64(last.ResetAfter)
		case 5, 6, 7, 8, 9:
			off += int64(nanos * random.Float64() * 2)
		case 10:
			off += random.Int64N(3) - 1
		}
		off = timeline.Clamp(off)
		if !still && random.IntN(50) > 0 { // else the time is ahead of the clock, or behind it
			clock.Set(origin.Add(time.Duration(off)))
			if c.scale.aligned {
				clock.Set(c.line.Origin.Add(time.Duration(off)))
			}
		}
		m.clock = c.scale.at(c.line.Now())
		m.still = clock.Now().Equal(origin)
		hash := keys[random.IntN(len(keys))]
		n := []int{0, 1, 1, 1, 2, 3, c.limited.burst, c.limited.burst + 1, -1, math.MaxInt, math.MinInt}[random.IntN(11)]
		limit := limits[random.IntN(len(limits))]
		var got, want ratelimit.Decision
		p := c.place(hash)
		key, now := p, c.scale.at(off)
		isLate := now+late < c.newest.Load()
		isAhead := c.moves(now, c.newest.Load()) && now > m.latest()
		switch random.IntN(10) {
		case 0:
			if len(keys)%2 == 0 {
				continue
			}
			c.Reset(hash)
			m.reset(hash)
			delete(truth, key)
			alone = false // what it owed is left for the others
			continue
		case 1:
			c.Peek(&got, hash, off, n, limit)
			want = m.take(hash, off, n, limit, false)
		case 2:
			if random.IntN(4) > 0 {
				continue
			}
			c.Owe(&got, hash, off, n, limit)
			want = m.owe(hash, off, n, limit, m.latest())
			if m.owed.cost > 0 {
				truth[key] = max(truth[key], m.owed.at) + m.owed.cost
			}
		default:
			before := c.words()
			c.Take(&got, hash, off, n, limit)
			want = m.take(hash, off, n, limit, true)
			if !got.OK || n == 0 {
				require.Equal(t, before, c.words(), "a refusal writes nothing")
			}
			if n <= 0 || n > limit.most || failOpen {
				break
			}
			debt := max(truth[key], now) - now
			exact := debt+uint64(n)*limit.perEvent <= limit.depth
			require.False(t, got.OK && !exact, "the key's own limiter would not grant it")
			require.False(t, alone && exact && !isLate && !isAhead && !got.OK, "and this one would")
			if got.OK {
				truth[key] = now + debt + uint64(n)*limit.perEvent
			}
		}
		if got != want {
			require.Equal(t, want, got, "%v, burst %d, %d keys in %d sets, n %d, off %d", rate, limit.burst, len(keys), len(c.sets), n, off)
		}
		if got.OK && n > 0 {
			granted++
		}
		last = got
	}
	requireNoKeyTwice(t, c)
	return granted
}

// words returns what all sets have in them.
func (c *Table) words() (all [][setSize]uint64) {
	all = make([][setSize]uint64, len(c.sets))
	for i := range c.sets {
		for j := range c.sets[i] {
			all[i][j] = c.sets[i][j].Load()
		}
	}
	return all
}

func requireNoKeyTwice(t testing.TB, c *Table) {
	for i := range c.sets {
		seen := map[uint64]bool{}
		for j := range c.sets[i] {
			word := c.sets[i][j].Load()
			if tag := tagOf(word); tag != 0 {
				require.False(t, seen[tag], "a key twice")
				seen[tag] = true
			}
		}
	}
}

// TestModel compares every field of every decision, also across the wrap of the 40 bits, with more
// keys than there is room for, and with late callers.
func TestModel(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	compared, granted := 0, 0
	for compared < *operations {
		granted += play(t, random, 1000)
		compared += 1000
	}
	t.Logf("compared %d operations, %d of them grants", compared, granted)
	require.Greater(t, granted, compared/20)
}

func FuzzModel(f *testing.F) {
	f.Add(uint64(1), uint64(2))
	f.Fuzz(func(t *testing.T, a, b uint64) { play(t, rand.New(rand.NewPCG(a, b)), 300) })
}
