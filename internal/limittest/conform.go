package limittest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit/limittest"
)

// New is as limittest has it.
type New = limittest.New

// Conform holds a limiter to what is the same for all of them.
func Conform(t *testing.T, build New) { require.NoError(t, limittest.TestLimiter(build)) }
