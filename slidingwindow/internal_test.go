package slidingwindow

import (
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
)

// What a limiter costs is in the package documentation.
func TestSizes(t *testing.T) {
	if unsafe.Sizeof(uintptr(0)) != 8 {
		t.Skip("counted on 64-bit platforms")
	}
	require.EqualValues(t, 48, unsafe.Sizeof(Counter{}))
	require.EqualValues(t, 72, unsafe.Sizeof(counterFrame{}))
	require.EqualValues(t, 64, unsafe.Sizeof(counterSpec{}))
}
