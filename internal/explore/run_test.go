//go:build !explore

package explore_test

import (
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestExplore runs this package's tests with the build tag explore, and logs what they print: how
// many schedules there were.
func TestExplore(t *testing.T) {
	out, err := exec.Command("go", "test", "-tags", "explore", "-v", ".").CombinedOutput()
	t.Logf("%s", out)
	require.NoError(t, err)
	require.Contains(t, string(out), "--- PASS: TestBucket")
}
