package slidingwindow

import (
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
)

// What a limiter costs is in the package documentation, with 72 bytes rounded up to 80 and 56 to
// 64, as the allocator does.
func TestSizes(t *testing.T) {
	if unsafe.Sizeof(uintptr(0)) != 8 {
		t.Skip("counted on 64-bit platforms")
	}
	require.EqualValues(t, 64, unsafe.Sizeof(Counter{}))
	require.EqualValues(t, 72, unsafe.Sizeof(counterFrame{}))
	require.EqualValues(t, 56, unsafe.Sizeof(counterSpec{}))
	require.EqualValues(t, 64, unsafe.Sizeof(Log{}))
	require.EqualValues(t, 128, unsafe.Sizeof(logFrame{}), "two cache lines, and so it is aligned to one")
	require.EqualValues(t, 64, unsafe.Offsetof(logFrame{}.Scale)+unsafe.Offsetof(logScale{}.ring), "the word and its cells fill the first")
	require.EqualValues(t, 32, unsafe.Sizeof(logSpec{}))
}
