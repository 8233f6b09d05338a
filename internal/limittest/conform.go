package limittest

import (
	"testing"
	"time"

	"github.com/benbjohnson/clock"
	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/limittest"
)

// New is as limittest has it.
type New = limittest.New

// Conform holds a limiter to what is the same for all of them, and for all of this module: they
// allocate nothing, and name what is nil.
func Conform(t *testing.T, build New) {
	require.NoError(t, limittest.TestLimiter(build))
	require.NoError(t, limittest.TestAllocations(build))
	var noMock *clock.Mock
	var noFunc clockFunc
	for name, opt := range map[string]ratelimit.Option{
		"nil clock":  ratelimit.WithClock(nil),
		"nil *Mock":  ratelimit.WithClock(noMock),
		"nil func":   ratelimit.WithClock(noFunc),
		"nil option": nil,
	} {
		_, err := build(opt)
		var bad *ratelimit.ArgumentError
		require.ErrorAs(t, err, &bad, name)
		require.Nil(t, bad.Value)
		require.Contains(t, err.Error(), "is nil, want")
	}
}

// clockFunc is a usual way to make a function a clock.
type clockFunc func() time.Time

func (f clockFunc) Now() time.Time { return f() }
