package httplimit_test

import (
	"go/format"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestDocs demands that each block of Go in the pages is one of the functions below, which are
// compiled, and is formatted.
func TestDocs(t *testing.T) {
	own, err := os.ReadFile("docs_blocks_test.go")
	require.NoError(t, err)
	compiled := flat(string(own))
	blocks := 0
	for _, page := range []string{"../docs/http.md", "../docs/client.md"} {
		text, err := os.ReadFile(page)
		require.NoError(t, err)
		for i, block := range strings.Split(string(text), "```") {
			code, isGo := strings.CutPrefix(block, "go\n")
			if i%2 == 0 || !isGo {
				continue
			}
			blocks++
			formatted, err := format.Source([]byte(code))
			require.NoError(t, err, code)
			require.Equal(t, string(formatted), code, page)
			require.Contains(t, compiled, flat(code), page)
		}
	}
	require.Equal(t, 10, blocks)
}

// flat returns the code without what begins its lines.
func flat(code string) string {
	var b strings.Builder
	for line := range strings.Lines(code) {
		b.WriteString(strings.TrimLeft(line, "\t"))
	}
	return b.String()
}
