package catalog_test

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit/policy/catalog"
)

// TestDocs holds docs/apis.md against the policies: which attributes they ask for, and what they
// say of themselves. Each has a section that says what is published, when that was, and what is
// assumed.
func TestDocs(t *testing.T) {
	text, err := os.ReadFile("../../docs/apis.md")
	require.NoError(t, err)
	page := string(text)
	for _, name := range catalog.Names() {
		p, err := catalog.Load(name)
		require.NoError(t, err)
		require.Contains(t, page, "| [`"+name+"`](#"+name+") | "+strings.Join(p.Attributes(), ", ")+" |")

		_, section, ok := strings.Cut(page, "\n## "+name+"\n")
		require.True(t, ok, name)
		section, _, _ = strings.Cut(section, "\n## ")
		require.Regexp(t, `\*\*Published\*\*(: nothing|, [a-z ]*[a-zA-Z0-9 -]*2026)`, section, name)
		require.Contains(t, section, "**Assumed**: ", name)
		quoted := strings.Split(section, "```text\n")
		require.Len(t, quoted, 2, name)
		quoted[1], _, _ = strings.Cut(quoted[1], "```")
		for line := range strings.Lines(quoted[1]) {
			require.Contains(t, p.Explain(), line, name)
		}
	}
}
