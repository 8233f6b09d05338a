package policy

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/slidingwindow"
)

func TestMostLogged(t *testing.T) {
	_, err := slidingwindow.NewLog(ratelimit.PerDay(mostLogged))
	require.NoError(t, err)
	_, err = slidingwindow.NewLog(ratelimit.PerDay(mostLogged + 1))
	require.Error(t, err)
}
