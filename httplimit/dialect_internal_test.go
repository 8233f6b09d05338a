package httplimit

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// The values of responses are cut from two blocks of 512 bytes, which are used up to the end.
func TestBlocksOfValues(t *testing.T) {
	const each = 64 // bytes of a response, in one value
	f := new(lines)
	for i := range 100 {
		f.n, f.text = 0, f.text[:0]
		f.end("X-Name", append(f.text, make([]byte, each)...))
		text, values := f.cut()
		require.Len(t, text, each)
		require.Len(t, values, 1)
		require.Equal(t, 512, f.texts.Cap())
		require.Equal(t, each*(i%8+1), f.texts.Len())
		require.Len(t, f.values, 31-i%32, "512 bytes are 32 strings, of two words each")
	}
}
