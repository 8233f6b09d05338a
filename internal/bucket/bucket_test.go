package bucket

import (
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
)

// A frame fills a cache line, and is aligned to one as its size is a power of two. What a limiter
// costs is in the documentation of the packages that use this one.
func TestSizes(t *testing.T) {
	if unsafe.Sizeof(uintptr(0)) != 8 {
		t.Skip("counted on 64-bit platforms")
	}
	require.EqualValues(t, 64, unsafe.Sizeof(bucketFrame{}))
	require.EqualValues(t, 136, unsafe.Sizeof(spec{}))
	require.EqualValues(t, 128, unsafe.Sizeof(Bucket{}))
}
