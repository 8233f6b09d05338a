//go:build !explore

package explore_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestExplore runs this package's tests with the build tag explore, and those of packages table and
// bucket that explore from inside, and logs what they print: how many schedules there were. It runs
// a few of the scenarios; `make explore` runs all.
func TestExplore(t *testing.T) {
	// The go command runs a test again if a file has changed that the test looked at.
	for _, pattern := range []string{"*.go", "../*/*.go", "../../*/*.go", "../../../*/*.go", "../../../*.go"} {
		files, err := filepath.Glob(pattern)
		require.NoError(t, err)
		require.NotEmpty(t, files)
		for _, file := range files {
			_, err := os.Stat(file)
			require.NoError(t, err)
		}
	}
	for pkg, tests := range map[string]string{".": "", "../../table": "TestAllSchedules|TestPlantedFaults|TestNobodyWaits", "../../bucket": "TestAllSchedules"} {
		out, err := exec.Command("go", "test", "-tags", "explore", "-short", "-v", "-run", tests, pkg).CombinedOutput()
		t.Logf("%s", out)
		require.NoError(t, err)
		require.Contains(t, string(out), "--- PASS: TestAllSchedules")
	}
}
