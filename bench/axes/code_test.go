package axes_test

import (
	"bytes"
	"os/exec"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestHotPaths reads the code that the compiler makes of what is called for each event. On the way
// to a decision it calls the clock, and nothing else: atomics are single instructions, and what is
// rare has functions of its own.
func TestHotPaths(t *testing.T) {
	if runtime.GOARCH != "amd64" && runtime.GOARCH != "arm64" {
		t.Skip("atomics of 64 bits are calls on", runtime.GOARCH)
	}
	clocks := []string{"time.Since", "timeline.(*Timeline).Now", "ratelimit.(*CoarseClock).elapsedNow"}
	for _, path := range []struct {
		pkg, function string
		calls         []string
	}{
		{"internal/bucket", "(*Bucket).Allow", append(clocks, "bucket.(*Bucket).allowAnywhere")},
		{"internal/bucket", "(*Striped).Allow", append(clocks, "bucket.(*Striped).allow")},
		{"internal/window", "(*Window).Allow", append(clocks, "time.Now", "ratelimit.(*CoarseClock).unixNow", "window.(*Window).allowAnywhere")},
		{"slidingwindow", "(*Counter).Allow", append(clocks, "slidingwindow.(*counterCore).allowAnywhere")},
		{"slidingwindow", "(*Log).Allow", append(clocks, "slidingwindow.(*logCore).allow")},
		{"slidingwindow", "(*logCore).allow", []string{"slidingwindow.(*logScale).move", "slidingwindow.(*logCore).allowAnyway"}},
		{"internal/table", "(*Table).charge", []string{"table.(*Table).look", "table.(*Table).seldom"}},
		{"internal/table", "(*Table).look", []string{"table.(*Table).search"}},
		{"internal/table", "(*Table).land", []string{"table.(*Table).charge"}},
	} {
		calls := callsOf(t, path.pkg, path.function)
		require.ElementsMatch(t, path.calls, calls, "%s.%s", path.pkg, path.function)
	}
}

var (
	function = regexp.MustCompile(`^\S*?([^/\s]+) STEXT `)
	call     = regexp.MustCompile(`\tCALL\t(?:\S*/)?(\S+)\(SB\)`)
)

// callsOf returns what a function of the module calls, except for what panics and what grows the
// stack.
func callsOf(t *testing.T, pkg, name string) (calls []string) {
	var out bytes.Buffer
	build := exec.CommandContext(t.Context(), "go", "build", "-gcflags=-S", "./"+pkg)
	build.Dir, build.Stdout, build.Stderr = "../..", &out, &out
	require.NoError(t, build.Run(), out.String())
	inside, found := false, false
	for line := range strings.Lines(out.String()) {
		if m := function.FindStringSubmatch(line); m != nil {
			_, own, _ := strings.Cut(m[1], ".")
			inside = own == name
			found = found || inside
			continue
		}
		if m := call.FindStringSubmatch(line); m != nil && inside && !strings.HasPrefix(m[1], "runtime.") {
			calls = append(calls, m[1])
		}
	}
	require.True(t, found, "%s has no function %s", pkg, name)
	slices.Sort(calls)
	return slices.Compact(calls)
}
