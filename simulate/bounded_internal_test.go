package simulate

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// When grants are put together, what is found was granted at least.
func TestWindowsThatArePutTogether(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	exact, coarse := newWindows(1000), newWindows(1000)
	coarse.kept = mostKept // there is no room for any more
	now := int64(0)
	for range 5000 {
		now += random.Int64N(30)
		exact.grant(now, 0, 1)
		exact.flush()
		coarse.grant(now, 0, 1)
		coarse.flush()
		require.LessOrEqual(t, coarse.most, exact.most)
	}
	require.True(t, coarse.coarse)
	require.False(t, exact.coarse)
	require.Greater(t, exact.most, int64(60))
	require.Greater(t, coarse.most, exact.most/2)
	require.LessOrEqual(t, len(coarse.of[0].ring), 4)
}

// Bins are put together when there are too many, and nothing is lost.
func TestSeriesThatIsPutTogether(t *testing.T) {
	s, r := newSeries(0, 8), newRows()
	require.Equal(t, []int32{1, 2}, []int32{r.next(), r.next()})
	var offered int64
	for i := range int64(5000) {
		s.add(i*3e8, i%3 > 0, 1)
		r.add(i*3e8, int32(i%2+1), i%3 > 0, 1)
		offered++
	}
	require.LessOrEqual(t, len(s.bins), 8)
	require.Greater(t, len(s.bins), 4)
	var granted, refused int64
	for _, b := range s.bins {
		granted, refused = granted+b.granted, refused+b.refused
	}
	require.Equal(t, []int64{3333, 1667}, []int64{granted, refused})
	var of int64
	for _, bins := range r.of {
		require.LessOrEqual(t, len(bins), 96)
		for _, b := range bins {
			of += b.granted + b.refused
		}
	}
	require.Equal(t, offered, of)
	require.Equal(t, int64(256_000_000_000), s.width)
}

func TestQuantiles(t *testing.T) {
	var q quantiles
	for i := range int64(100_000) {
		q.add(i)
	}
	for i, share := range []float64{0, 0.001, 0.5, 0.99, 1} {
		require.InEpsilon(t, share*100_000+1, float64(q.at(0, 0.001, 0.5, 0.99, 1)[i])+1, 0.016)
	}
	q.add(1<<63 - 1)
	require.Equal(t, time.Duration(math.MaxInt64), q.at(1)[0])
	require.Zero(t, (&quantiles{}).at(0.5)[0])

	// Short ones are exact. Of longer ones, a cell holds a 64th of a power of two.
	for _, row := range []struct {
		lengths []int64
		cells   int
	}{{[]int64{0, -1}, 1}, {[]int64{62, 63}, 2}, {[]int64{63, 64}, 2}, {[]int64{64, 65, 127}, 3}, {[]int64{127, 128}, 2}, {[]int64{128, 129}, 1}, {[]int64{129, 130}, 2}, {[]int64{254, 255, 256}, 2}} {
		var of quantiles
		for _, length := range row.lengths {
			of.add(length)
		}
		require.Len(t, of.sorted(), row.cells, "%v", row.lengths)
		require.EqualValues(t, max(row.lengths[len(row.lengths)-1], 0), of.at(1)[0])
	}

	// A share of as many lengths as are shorter or the same gives the longest of them.
	q = quantiles{}
	for i := range int64(49) {
		q.add(i + 1)
	}
	for i := range 49 {
		require.EqualValues(t, i+1, q.at(float64(i+1) / 49)[0])
	}
}

// Quantiles take 64 cells for each doubling of the longest length beyond 64, and no more.
func TestQuantilesTakeLittleMemory(t *testing.T) {
	for length, cells := range map[int64]int{0: 1, 1: 2, 63: 64, 64: 65, 127: 128, 128: 129, 255: 192, 1 << 40: 64*(40-5) + 1, 1<<63 - 1: 64 * (63 - 5)} {
		var q quantiles
		q.add(length / 2)
		q.add(length)
		require.Len(t, q.cells, cells, "%d", length)
		q.add(length / 3)
		require.Len(t, q.cells, cells, "%d", length)
	}
}

// However many requests there are, few are kept until they are counted.
func TestQueuesAreBounded(t *testing.T) {
	b, w := newByKey(), newWindows(1000)
	for i := range int64(1000) {
		b.count(keyed{now: i, n: 1, key: int32(i % 3), ok: true})
		w.grant(i, int32(i%3), 1)
	}
	require.Equal(t, []int{batch, batch}, []int{cap(b.queue), cap(w.queue)})
}

// Without options, ten keys are listed, and 2^20 told apart.
func TestOptionsThatAreLeftOut(t *testing.T) {
	judge, err := NewStore(&limiters{})
	require.NoError(t, err)
	var o Options
	_, err = o.lanes(func(func(Request) bool) {}, []Subject{{Judge: judge}})
	require.NoError(t, err)
	require.Equal(t, []int{10, 1 << 20}, []int{o.Top, o.Keys})
}
