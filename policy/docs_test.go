package policy_test

import (
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit/policy"
)

// TestDocs parses the documents and limits that docs/policy.md shows, and looks for each field in
// it.
func TestDocs(t *testing.T) {
	page, err := os.ReadFile("../docs/policy.md")
	require.NoError(t, err)
	documents, limits := 0, 0
	for i, block := range strings.Split(string(page), "```") {
		document, isDocument := strings.CutPrefix(block, "json\n")
		switch {
		case i%2 == 0:
		case isDocument:
			_, err := policy.Parse([]byte(document))
			require.NoError(t, err)
			wrong := strings.Replace(document, `"as": "gcra"`, `"as": "gcr"`, 1)
			_, err = policy.Parse([]byte(wrong))
			require.Error(t, err)
			require.Contains(t, string(page), strings.TrimPrefix(err.Error(), "policy: "))
			documents++
		case strings.Contains(block, "burst 10"):
			for line := range strings.Lines(strings.TrimSpace(block)) {
				line = strings.TrimSpace(line)
				l, err := policy.ParseLimit(line)
				require.NoError(t, err)
				require.Equal(t, line, l.String())
				limits++
			}
		}
	}
	require.Positive(t, documents)
	require.Greater(t, limits, 5)
	for _, of := range []reflect.Type{reflect.TypeFor[policy.Policy](), reflect.TypeFor[policy.Cost](), reflect.TypeFor[policy.Rule](),
		reflect.TypeFor[policy.Limit](), reflect.TypeFor[policy.Step](), reflect.TypeFor[policy.Override]()} {
		for i := range of.NumField() {
			name, _, _ := strings.Cut(of.Field(i).Tag.Get("json"), ",")
			require.Contains(t, string(page), "`"+name+"`", of)
		}
	}
}
