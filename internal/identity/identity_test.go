package identity_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit/internal/identity"
)

func TestIsNil(t *testing.T) {
	require.True(t, identity.IsNil(nil))
	require.True(t, identity.IsNil((*int)(nil)))
	require.True(t, identity.IsNil((func())(nil)))
	require.False(t, identity.IsNil(new(int)))
	require.False(t, identity.IsNil(0))
	require.False(t, identity.IsNil(func() {}))
}

func TestSame(t *testing.T) {
	p, f := new(int), func() {}
	require.True(t, identity.Same(p, p))
	require.True(t, identity.Same(1, 1))
	require.False(t, identity.Same(p, new(int)))
	require.False(t, identity.Same(1, int64(1)))
	var function, box any = f, [1]any{f}
	again, copied := function, box
	require.True(t, identity.Same(function, again), "copies of an interface hold one value")
	require.True(t, identity.Same(box, copied))
	n := 0
	g := func() int { return n }
	require.False(t, identity.Same(f, g))
	require.False(t, identity.Same(nil, f))
	require.False(t, identity.Same(nil, box))
	require.True(t, identity.Same(nil, nil))
	for range 2 { // two functions of one text, with variables of their own
		var count int
		other := func() int { count++; return count }
		require.False(t, identity.Same(g, other))
		g = other
	}
}
