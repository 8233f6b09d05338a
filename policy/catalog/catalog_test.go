package catalog_test

import (
	"flag"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-3506548a/ratelimit"
	"github.com/seed-3506548a/ratelimit/policy/catalog"
)

var update = flag.Bool("update", false, "write what is found into testdata")

func TestNames(t *testing.T) {
	require.Equal(t, []string{"anilist", "anilist-degraded", "fair-use", "openai-like", "prayerletters",
		"trakt", "trakt-2026-10", "trakt-strict", "willittrack"}, catalog.Names())
}

// TestExplain compares what each policy says of itself with testdata.
func TestExplain(t *testing.T) {
	for _, name := range catalog.Names() {
		p, err := catalog.Load(name)
		require.NoError(t, err)
		require.Equal(t, name, p.Name)
		file := filepath.Join("testdata", name+".txt")
		if *update {
			require.NoError(t, os.WriteFile(file, []byte(p.Explain()), 0o600))
		}
		want, err := os.ReadFile(file)
		require.NoError(t, err)
		require.Equal(t, string(want), p.Explain())
	}
}

func TestLoadRefuses(t *testing.T) {
	for _, name := range []string{"", "twitter", "trakt.json", "../schema", "Trakt"} {
		_, err := catalog.Load(name)
		var bad *ratelimit.ArgumentError
		require.ErrorAs(t, err, &bad)
		require.Equal(t, name, bad.Value)
		require.Contains(t, bad.Want, "trakt")
	}
}

func TestLoadReturnsACopy(t *testing.T) {
	p, err := catalog.Load("trakt")
	require.NoError(t, err)
	p.Rules[0].Limits[0].Rate.Events = 7
	again, err := catalog.Load("trakt")
	require.NoError(t, err)
	require.Equal(t, 1, again.Rules[0].Limits[0].Rate.Events)
}

// TestEachSaysWhatIsAssumed looks for a section of the package's documentation about each policy.
func TestEachSaysWhatIsAssumed(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "catalog.go", nil, parser.ParseComments|parser.PackageClauseOnly)
	require.NoError(t, err)
	text := file.Doc.Text()
	for _, name := range catalog.Names() {
		_, section, ok := strings.Cut(text, "# "+name+"\n")
		require.True(t, ok, name)
		section, _, _ = strings.Cut(section, "\n# ")
		require.Contains(t, section, "Assumed: ", name)
		require.Regexp(t, `Published(: none|, [a-z]* ?[a-zA-Z0-9 -]*2026)|As trakt`, section, name)
	}
}
