//go:build !explore

package explore_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// mutant is a fault in a limiter that no test with a single caller can see: in the file, old is replaced by
// mutated.
type mutant struct {
	name, file   string
	old, mutated string
	explored     string // by which tests
}

var mutants = []mutant{
	{
		name: "Log: a cell is believed without a look at the word afterwards", file: "slidingwindow/log.go",
		old: "		ok := c.decide(d, st, now, n)\n		if !still(f, word) {\n			continue\n		}\n", mutated: "		ok := c.decide(d, st, now, n)\n",
		explored: "TestAllSchedules/log/of_1",
	},
	{
		name: "Log: words have no version", file: "slidingwindow/log_state.go",
		old: "version := c.version(word) + 1", mutated: "version := c.version(word)",
		explored: "TestAllSchedules/log/of_1",
	},
	{
		name: "Log: a cell is taken without a claim", file: "slidingwindow/log_state.go",
		old: "c.cells[i].CompareAndSwap(free, time) {", mutated: "func() bool { c.cells[i].Store(time); return true }() {",
		explored: "TestAllSchedules/log/of_1",
	},
	{
		name: "Log: the word is moved before the time is written", file: "slidingwindow/log_state.go",
		old:      "	if f.Word.CompareAndSwap(word, c.word(version, after)) {\n		c.cells[st.cell].Store(free)\n		return true, false\n	}\n",
		mutated:  "	c.cells[after.cell].Store(1)\n	if f.Word.CompareAndSwap(word, c.word(version, after)) {\n		c.cells[after.cell].Store(after.time)\n		c.cells[st.cell].Store(free)\n		return true, false\n	}\n",
		explored: "TestAllSchedules/log/of_1",
	},
	{
		name: "Log: the old cell is set free before the word is moved", file: "slidingwindow/log_state.go",
		old:      "	if f.Word.CompareAndSwap(word, c.word(version, after)) {\n		c.cells[st.cell].Store(free)\n",
		mutated:  "	c.cells[st.cell].Store(free)\n	if f.Word.CompareAndSwap(word, c.word(version, after)) {\n",
		explored: "TestAllSchedules/log/of_1",
	},
	{
		name: "Log: times are written into the ring after the word is moved", file: "slidingwindow/log_state.go",
		old:      "	for ago := st.last; ago > 0; ago-- {\n		c.ring[c.slot(st.next, ago)].Max(st.time)\n	}\n",
		mutated:  "	defer func() {\n		for ago := st.last; moved && ago > 0; ago-- {\n			c.ring[c.slot(st.next, ago)].Max(st.time)\n		}\n	}()\n",
		explored: "TestAllSchedules/log/of_3",
	},
	{
		name: "Log: the ring is only as long as the limit, so refunds find times gone", file: "slidingwindow/log_state.go",
		old: "atomics.NewUint64s(int(2 * most))", mutated: "atomics.NewUint64s(int(most))",
		explored: "TestAllSchedules/log/of_3",
	},
	{
		name: "Counter: the ring is not settled before the next bucket begins", file: "slidingwindow/counter.go",
		old: "		c.settle(word)\n		st := c.state(word)\n		bucket := timeline.FloorDiv(off, c.width)\n", mutated: "		st := c.state(word)\n		bucket := timeline.FloorDiv(off, c.width)\n",
		explored: "TestAllSchedules/counter_of_2/next",
	},
	{
		name: "Counter: a helper writes the number of events that there are now", file: "slidingwindow/counter_state.go",
		old: "	began := word &^ (c.mask() >> 1)\n", mutated: "	began := c.word(counterState{bucket: c.state(word).bucket, before: c.state(word).before + c.state(word).count})\n",
		explored: "TestAllSchedules/counter_of_2/next",
	},
	{
		name: "Counter: a grant elsewhere forgets one that landed meanwhile", file: "slidingwindow/counter.go",
		old: "newest := max(bucket, st.bucket)", mutated: "newest := bucket",
		explored: "TestAllSchedules/counter_of_1/fresh",
	},
	{
		name: "Counter: a refusal is not of one time", file: "slidingwindow/counter.go",
		old: "			landed = c.state(f.Word.Load()).bucket == st.bucket\n", mutated: "			landed = true\n",
		explored: "TestAllSchedules/counter_of_1/a_bucket",
	},
	{
		name: "All: a lost race gives nothing back", file: "all.go",
		old: "		l.RefundAt(now, n, now.Sub(t))\n", mutated: "		_, _ = now, l\n",
		explored: "TestCompositions",
	},
}

// TestMutants builds each mutant, and has the explorer find it.
func TestMutants(t *testing.T) {
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	for _, m := range mutants {
		t.Run(m.name, func(t *testing.T) {
			original := filepath.Join(root, filepath.FromSlash(m.file))
			source, err := os.ReadFile(original)
			require.NoError(t, err)
			require.Equal(t, 1, strings.Count(string(source), m.old), "the text that is to be mutated")
			dir := t.TempDir()
			mutated, overlay := filepath.Join(dir, "mutated.go"), filepath.Join(dir, "overlay.json")
			require.NoError(t, os.WriteFile(mutated, []byte(strings.Replace(string(source), m.old, m.mutated, 1)), 0o600))
			data, err := json.Marshal(map[string]map[string]string{"Replace": {original: mutated}})
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(overlay, data, 0o600))
			out, err := exec.Command("go", "test", "-overlay", overlay, "-tags", "explore", "-timeout", "120s", "-run", m.explored, ".").CombinedOutput()
			require.Error(t, err, "the explorer finds nothing")
			require.Contains(t, string(out), "schedule of callers", "it is found as a schedule that nothing explains")
		})
	}
}
