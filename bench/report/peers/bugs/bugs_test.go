package bugs

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// If a new version of a peer mends a bug, this fails, and the bug is to go.
func TestBugs(t *testing.T) {
	for _, b := range All() {
		t.Run(b.Module+"/"+b.What, func(t *testing.T) {
			seen, wrong := b.See()
			require.True(t, wrong, seen)
			t.Log(seen)
		})
	}
}
