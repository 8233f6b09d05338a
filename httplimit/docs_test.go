package httplimit_test

import (
	"go/format"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit/httplimit"
)

// TestDocs demands that each block of Go or JSON in the pages is in docs_blocks_test.go or
// example_test.go, so that it compiles, and that the Go is formatted.
func TestDocs(t *testing.T) {
	compiled := ""
	for _, file := range []string{"docs_blocks_test.go", "example_test.go"} {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		compiled += flat(string(text))
	}
	blocks := 0
	for _, page := range []string{"../docs/http.md", "../docs/client.md"} {
		text, err := os.ReadFile(page)
		require.NoError(t, err)
		for i, block := range strings.Split(string(text), "```") {
			language, code, _ := strings.Cut(block, "\n")
			if i%2 == 0 || language != "go" && language != "json" {
				continue
			}
			blocks++
			require.Contains(t, compiled, strings.TrimSpace(flat(code)), page)
			if language == "go" {
				formatted, err := format.Source([]byte(code))
				require.NoError(t, err, code)
				require.Equal(t, string(formatted), code, page)
			}
		}
	}
	require.Equal(t, 16, blocks)
}

// flat returns the code without what begins its lines.
func flat(code string) string {
	var b strings.Builder
	for line := range strings.Lines(code) {
		b.WriteString(strings.TrimLeft(line, "\t"))
	}
	return b.String()
}

// TestDocsOfPrayerLetters looks for a refusal by that API in docs/apis.md.
func TestDocsOfPrayerLetters(t *testing.T) {
	e, _ := newCatalogEngine(t, "prayerletters")
	h := limited(t, e, httplimit.PrayerLetters, fine)
	use(t, h, 50, "/letters", "X-Token: 1", "X-Route: GET /letters")
	w := do(h, "/letters", "X-Token: 1", "X-Route: GET /letters")
	require.Equal(t, 429, w.Code)
	page, err := os.ReadFile("../docs/apis.md")
	require.NoError(t, err)
	require.Contains(t, string(page), "\n"+strings.TrimSpace(w.Body.String())+"\n")
}
