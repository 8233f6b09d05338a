package ratelimit_test

import (
	"errors"
	"math"
	"testing"
	"time"

	"github.com/benbjohnson/clock"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/internal/proof/allocations"
)

var (
	_ ratelimit.Clock = clock.Clock(nil)
	_ ratelimit.Clock = (*clock.Mock)(nil)
	_ ratelimit.Clock = ratelimit.SystemClock{}
)

func TestUnlimited(t *testing.T) {
	l := ratelimit.Unlimited()
	all := ratelimit.Decision{OK: true, Limit: math.MaxInt, Remaining: math.MaxInt}
	assert.True(t, l.Allow())
	for _, n := range []int{0, 1, math.MaxInt} {
		assert.Equal(t, all, l.Take(n))
		assert.Equal(t, all, l.TakeAt(time.Time{}, n))
		assert.Equal(t, all, l.PeekAt(time.Now(), n))
	}
	none := all
	none.OK, none.RetryAfter = false, ratelimit.Never
	assert.Equal(t, none, l.Take(-1))
	assert.Equal(t, none, l.PeekAt(time.Now(), math.MinInt))
	l.RefundAt(time.Now(), 1, 0)
	assert.Equal(t, all, l.Take(1))
	assert.Equal(t, ratelimit.SystemClock{}, l.Clock())
	assert.Zero(t, allocations.Count(func() {
		for range 1000 {
			l.Allow()
			l.Take(1)
			l.Clock()
		}
	}))
}

func TestMust(t *testing.T) {
	assert.Equal(t, 3, ratelimit.Must(3, nil))
	assert.PanicsWithError(t, "no", func() { ratelimit.Must(3, errors.New("no")) })
}

func TestSystemClock(t *testing.T) {
	before := time.Now()
	now := ratelimit.SystemClock{}.Now()
	assert.False(t, now.Before(before))
	assert.Contains(t, now.String(), "m=", "it carries a monotonic reading")
}

func TestOptions(t *testing.T) {
	mock := clock.NewMock()
	var o ratelimit.Options
	ratelimit.WithClock(mock)(&o)
	require.Same(t, mock, o.Clock)
}
