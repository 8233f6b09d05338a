package strikes_test

import (
	"encoding/binary"
	"flag"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/proof/model"
	"github.com/seed-3506548a/ratelimit/internal/strikes"
)

var operations = flag.Int("strikes.operations", 100_000, "operations that TestModel compares with the model")

// source turns bytes into choices; when they are used up, it chooses 0.
type source struct{ data []byte }

func (s *source) below(n int) int {
	if len(s.data) == 0 {
		return 0
	}
	b := s.data[0]
	s.data = s.data[1:]
	return int(b) % n
}

func (s *source) uint64() (x uint64) {
	for range 8 {
		x = x<<8 | uint64(s.below(256))
	}
	return x
}

var (
	lengths = []time.Duration{1, 999 * time.Millisecond, time.Second, time.Minute, time.Hour, 1 << 61, math.MaxInt64 - 1, math.MaxInt64}
	origins = []int64{0, -int64(time.Minute), 1 << 62, -1 << 62}
)

// steps returns a ladder, often a short one.
func (s *source) steps() (all []strikes.Step) {
	spans := []time.Duration{0}
	for range strikes.MaxSpans {
		spans = append(spans, lengths[2+s.below(len(lengths)-2)])
	}
	for i := range s.below(8) {
		step := strikes.Step{
			After:  1,
			Within: spans[s.below(len(spans))],
			Do:     strikes.Do(s.below(int(strikes.Revoke) + 1)),
			For:    lengths[s.below(len(lengths))],
			Slow:   int32(i),
		}
		if step.Within > 0 {
			step.After += s.below(4)
		}
		all = append(all, step)
	}
	return all
}

// world is a table and its model.
type world struct {
	source
	table   *strikes.Table
	model   *model.Strikes
	steps   []strikes.Step
	ladder  strikes.Ladder
	now     int64
	told    time.Duration
	keys    []uint64
	moments [4]int64
}

// spans returns the lengths of the ladder's spans.
func (w *world) spans() (all []time.Duration) {
	for _, step := range w.steps {
		if step.Within > 0 {
			all = append(all, step.Within)
		}
	}
	return all[:min(len(all), strikes.MaxSpans)]
}

func (w *world) climb(t testing.TB) {
	w.steps = w.source.steps()
	ladder, err := strikes.NewLadder(w.steps)
	require.NoError(t, err)
	w.ladder = ladder
}

// advance moves now, mostly to where something ends, and a nanosecond more or less.
func (w *world) advance() {
	d := time.Duration(0)
	switch w.below(10) {
	case 0, 1:
		return
	case 2:
		d = w.told
	case 3:
		d = time.Second
	case 4:
		d = lengths[w.below(len(lengths))]
	case 5:
		d = -lengths[w.below(len(lengths))]
	case 6, 7:
		w.now = w.moments[w.below(len(w.moments))]
	case 8:
		d = time.Duration(w.uint64() >> (1 + w.below(63)))
	case 9:
		d = -time.Duration(w.uint64() >> (1 + w.below(63)))
	}
	if sum := w.now + int64(d); sum > w.now == (d > 0) {
		w.now = sum
	}
	w.now = min(max(w.now+int64(w.below(3)-1), -1<<62), 1<<62)
}

// know returns what the table knows of a key, as the model has it.
func (w *world) know(d *strikes.Dossier, at int64) (k model.Known, ok bool) {
	if d == nil {
		return k, false
	}
	k.Episode = d.InEpisode(at)
	if until, blocked := d.Blocked(at); blocked {
		k.Block = until
	}
	if until, slow, throttled := d.Throttled(at); throttled {
		k.Throttle, k.Slow = until, slow
	}
	for i, within := range w.spans() {
		k.Strikes[i] = d.Strikes(within)
	}
	return k, true
}

// look requires the table and the model to know the same of a key.
func (w *world) look(t testing.TB, what string, hash uint64, d *strikes.Dossier, at int64) {
	got, ok := w.know(d, at)
	want, there := w.model.Look(hash, at, w.spans())
	if got != want || ok != there {
		require.Equal(t, want, got, "%s: key %x at %d, ladder %+v", what, hash, at, w.steps)
		require.Equal(t, there, ok, what)
	}
}

// play plays the world that data describes, and returns how many operations it compared, and how
// many strikes were counted.
func play(t testing.TB, data []byte) (compared, counted int) {
	w := world{source: source{data}}
	capacity := []int{0, 4, 8, 15}[w.below(4)]
	w.table, w.model = strikes.New(capacity), model.NewStrikes(capacity)
	w.now = origins[w.below(len(origins))]
	for range 4 + w.below(20) {
		w.keys = append(w.keys, w.uint64())
	}
	w.climb(t)
	for ; len(w.data) > 0; compared++ {
		w.advance()
		hash := w.keys[w.below(len(w.keys))]
		switch w.below(16) {
		case 0:
			do, until := strikes.Throttle+strikes.Do(w.below(2)), w.now/2+int64(w.uint64()>>2)
			require.Equal(t, w.model.Raise(hash, w.now, do, until, 9), w.table.Raise(hash, w.now, do, until, 9))
			w.moments[w.below(len(w.moments))] = until
		case 1:
			require.Equal(t, w.model.Pardon(hash, w.now), w.table.Pardon(hash, w.now))
		case 2:
			if w.below(8) == 0 {
				w.climb(t)
			}
		default:
			if w.strike(t, hash) {
				counted++
			}
		}
		w.look(t, "Look", hash, w.table.Look(hash), w.now)
		other := w.keys[w.below(len(w.keys))]
		w.look(t, "Look", other, w.table.Look(other), w.moments[w.below(len(w.moments))])
		w.held(t, hash, w.now)
		w.held(t, other, w.moments[w.below(len(w.moments))])
		require.Equal(t, w.model.Stats, w.table.Stats())
	}
	return compared, counted
}

// held requires Held to know a key as Look does, if it is blocked or throttled.
func (w *world) held(t testing.TB, hash uint64, at int64) {
	want := w.table.Look(hash)
	if want != nil {
		_, blocked := want.Blocked(at)
		if _, _, throttled := want.Throttled(at); !blocked && !throttled {
			want = nil
		}
	}
	if got := w.table.Held(hash, at); got != want {
		require.Same(t, want, got, "Held: key %x at %d", hash, at)
	}
}

// strike refuses a request of the key, and reports whether it was a strike.
func (w *world) strike(t testing.TB, hash uint64) bool {
	w.told = []time.Duration{0, -1, time.Second, time.Minute, time.Hour, 1 << 62, ratelimit.Never - 1, ratelimit.Never}[w.below(8)]
	elsewhere := uint16(0)
	if w.below(4) == 0 {
		elsewhere = uint16(w.uint64())
	}
	var d strikes.Dossier
	peeked := w.table.Peek(&d, hash, w.now, w.told, &w.ladder, elsewhere)
	known, s := w.table.Strike(hash, w.now, w.told, &w.ladder, elsewhere)
	want := w.model.Strike(hash, w.now, w.told, w.steps, elsewhere)
	if s != want || peeked != want {
		require.Equal(t, want, s, "key %x at %d, told %v, ladder %+v", hash, w.now, w.told, w.steps)
		require.Equal(t, want, peeked, "Peek")
	}
	w.look(t, "Strike", hash, known, w.now)
	if known != nil {
		w.look(t, "Peek", hash, &d, w.now)
		block, _ := known.Blocked(w.now)
		throttle, _, _ := known.Throttled(w.now)
		w.moments[w.below(len(w.moments))] = []int64{block, throttle, w.now, w.now - int64(time.Second)}[w.below(4)]
	}
	return s.Counted
}

// The table is compared with the model over as many operations as the flag strikes.operations says,
// in worlds of a few hundred each.
func TestModel(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 0))
	data := make([]byte, 4096)
	compared, counted := 0, 0
	for compared < *operations {
		for i := 0; i < len(data); i += 8 {
			binary.LittleEndian.PutUint64(data[i:], random.Uint64())
		}
		n, c := play(t, data)
		compared, counted = compared+n, counted+c
	}
	t.Logf("compared %d operations, %d of them strikes", compared, counted)
	require.Greater(t, counted, compared/10)
}

func FuzzModel(f *testing.F) {
	random := rand.New(rand.NewPCG(2, 0))
	for range 50 {
		data := make([]byte, 500)
		for i := range data {
			data[i] = byte(random.Uint32())
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) { play(t, data) })
}
