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
}

// A pattern of three places is that of a status of three digits; an x stands for any.
func TestPatternsOfStatuses(t *testing.T) {
	for pattern, statuses := range map[string]map[int]bool{
		"404": {404: true, 405: false, 414: false, 504: false, 4: false, 1404: false},
		"4xx": {399: false, 400: true, 404: true, 499: true, 500: false, 40: false, 4000: false},
		"4x4": {404: true, 494: true, 405: false, 504: false},
		"xxx": {-404: false, 0: false, 99: false, 100: true, 101: true, 998: true, 999: true, 1000: false, 1001: false},
		"40":  {404: false, 40: false},
		"":    {404: false, 0: false},
	} {
		for status, want := range statuses {
			require.Equal(t, want, hasStatus(pattern, status), "%q of %d", pattern, status)
		}
	}
}

// Quantiles of lengths of less than 128 ns are exact, a length below 0 counts as 0, and a share that is
// a whole number of lengths, but for its rounding, is that number.
func TestQuantilesAreExact(t *testing.T) {
	var q quantiles
	for i := range int64(100) {
		q.add(i + 1)
	}
	require.Equal(t, []time.Duration{1, 1, 2, 7, 8, 63, 64, 65, 66, 100}, q.at(0, 0.01, 0.011, 0.07, 0.0701, 0.63, 0.64, 0.65, 0.651, 1))
	require.Len(t, q.sorted(), 100)
	q = quantiles{}
	for _, length := range []int64{-1, math.MinInt64, 5, 1000, 1 << 40} {
		q.add(length)
	}
	require.Equal(t, []time.Duration{0, 0, 5, 1000, 1 << 40}, q.at(0, 0.4, 0.6, 0.8, 1))
	require.Equal(t, []cell{{2, 0}, {1, 5}, {1, 1000}, {1, 1 << 40}}, q.sorted())
	require.Len(t, q.cells, 64*(40-5)+1, "there are 64 cells for each doubling beyond 64, and none for more")
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
