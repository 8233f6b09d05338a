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
	require.False(t, identity.Same(f, f), "nobody can tell")
	require.False(t, identity.Same([1]any{f}, [1]any{f}))
}
