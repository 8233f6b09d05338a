package ratelimit_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/seed-3506548a/ratelimit"

// layers lists what may be imported, the lowest first: a package imports only from layers below its
// own. The algorithms therefore never import one another.
var layers = [][]string{
	{"internal/identity", "internal/logline", "internal/waiting"},
	{"."},
	{"internal/atomics", "internal/timeline", "limittest"},
	{"internal/frame", "internal/reservation", "internal/strikes", "internal/table"},
	{"internal/bucket", "internal/window"},
	{"fixedwindow", "gcra", "slidingwindow", "tokenbucket"},
	{"burst", "penalty"},
	{"keyed"},
	{"policy"},
	{"policy/catalog"},
	{"simulate"},
	{"simulate/logs"},
	{"httplimit"},
	{"bench"},
}

// TestImportsRunOneWay also keeps the dependencies out of what people import: without tests, the
// packages need the standard library only.
func TestImportsRunOneWay(t *testing.T) {
	layer := map[string]int{}
	for i, names := range layers {
		for _, name := range names {
			layer[name] = i
		}
	}
	seen := 0
	err := filepath.WalkDir(".", func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		file = filepath.ToSlash(file)
		_, err = os.Stat(filepath.Join(file, "go.mod"))
		if isModule := err == nil; entry.IsDir() && file != "." && (strings.HasPrefix(file, ".") || isModule) {
			return fs.SkipDir // of other modules, or nobody's
		}
		dir := path.Dir(file)
		onlyForTests := strings.HasPrefix(dir, "internal/proof/")
		if path.Ext(file) != ".go" || strings.HasSuffix(file, "_test.go") || onlyForTests {
			return nil
		}
		own, ok := layer[dir]
		require.True(t, ok, "%s is in no layer", file)
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		require.NoError(t, err)
		for _, spec := range parsed.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			require.NoError(t, err)
			inside := strings.TrimPrefix(strings.TrimPrefix(imported, module), "/")
			if inside == "" {
				inside = "."
			}
			if imported == module || strings.HasPrefix(imported, module+"/") {
				below, ok := layer[inside]
				require.True(t, ok && below < own, "%s imports %s", file, imported)
				seen++
			} else {
				require.NotContains(t, imported, ".", "%s imports %s", file, imported)
			}
		}
		return nil
	})
	require.NoError(t, err)
	require.Positive(t, seen)
}
