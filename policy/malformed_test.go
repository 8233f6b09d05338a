package policy_test

import (
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit/policy"
)

var update = flag.Bool("update", false, "write what is found into testdata")

// TestMalformed parses the documents of testdata/malformed.txt, and compares what it says of them.
func TestMalformed(t *testing.T) {
	const file = "testdata/malformed.txt"
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	sections := strings.Split(string(text), "=== ")[1:]
	require.Greater(t, len(sections), 45)
	var found strings.Builder
	for _, section := range sections {
		name, rest, _ := strings.Cut(section, "\n")
		document, want, ok := strings.Cut(rest, "---\n")
		require.True(t, ok, name)
		p, err := policy.Parse([]byte(strings.TrimSuffix(document, "\n")))
		require.Error(t, err, name)
		require.Zero(t, p, name)
		var faults *policy.Faults
		require.ErrorAs(t, err, &faults, name)
		got := ""
		for i, fault := range faults.List {
			require.NotContains(t, faults.List[:i], fault, name)
			require.NotEmpty(t, fault.Is, "%s: %v", name, fault)
			require.NotEmpty(t, fault.Want, "%s: %v", name, fault)
			require.Positive(t, fault.Line, "%s: %v", name, fault)
			require.Contains(t, err.Error(), fault.String())
			got += fault.String() + "\n"
		}
		if len(faults.List) > 3 && faults.More {
			got = strings.Join(strings.SplitAfter(got, "\n")[:3], "") + "...\n"
		}
		found.WriteString("=== " + name + "\n" + document + "---\n" + got)
		if !*update {
			require.Equal(t, want, got, name)
		}
	}
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(found.String()), 0o600))
	}
}
