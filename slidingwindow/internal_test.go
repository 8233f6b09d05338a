package slidingwindow

import (
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
)

// What a limiter costs is in the package documentation, with 72 bytes rounded up to 80 and 56 to 64, as the
// allocator does.
func TestSizes(t *testing.T) {
	if unsafe.Sizeof(uintptr(0)) != 8 {
		t.Skip("counted on 64-bit platforms")
	}
	require.EqualValues(t, 48, unsafe.Sizeof(Counter{}))
	require.EqualValues(t, 72, unsafe.Sizeof(counterFrame{}))
	require.EqualValues(t, 56, unsafe.Sizeof(counterSpec{}))
	require.EqualValues(t, 48, unsafe.Sizeof(Log{}))
	require.EqualValues(t, 104, unsafe.Sizeof(logFrame{}))
	require.EqualValues(t, 32, unsafe.Sizeof(logSpec{}))
}
