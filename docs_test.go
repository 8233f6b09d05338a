package ratelimit_test

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestDocsNameWhatThereIs looks for each test and benchmark that the documentation names.
func TestDocsNameWhatThereIs(t *testing.T) {
	name := regexp.MustCompile(`\b(?:Test|Benchmark|Fuzz)[A-Z]\w+`)
	code := strings.Join(slices.Collect(maps.Values(filesThatEnd(t, ".go"))), "\n") // also of options: TestHeaders
	named := 0
	for page, text := range filesThatEnd(t, ".md") {
		for _, test := range name.FindAllString(text, -1) {
			named++
			if !strings.Contains(code, "func "+test+"(") { // a comparison by testify would print the code
				t.Errorf("%s names %s, which does not exist", page, test)
			}
		}
	}
	require.Greater(t, named, 100)
}

// TestDocsNameFilesThatExist looks for each file and folder that the documentation links to or
// names.
func TestDocsNameFilesThatExist(t *testing.T) {
	link := regexp.MustCompile(`\]\(([\w./-]+)(?:#[^)]*)?\)`)
	path := regexp.MustCompile("`((?:internal|bench|docs|keyed|limittest|simulate)/[^ `]+)`")
	named := 0
	for page, text := range filesThatEnd(t, ".md") {
		var files []string
		for _, found := range link.FindAllStringSubmatch(text, -1) {
			files = append(files, filepath.Join(filepath.Dir(page), found[1]))
		}
		for _, found := range path.FindAllStringSubmatch(text, -1) {
			files = append(files, found[1])
		}
		for _, file := range files {
			named++
			found, err := filepath.Glob(filepath.FromSlash(file))
			require.NoError(t, err, file)
			require.NotEmpty(t, found, "%s names %s, which does not exist", page, file)
		}
	}
	require.Greater(t, named, 50)
}

// filesThatEnd returns the files of this module and of those inside of it, by their paths.
func filesThatEnd(t *testing.T, suffix string) map[string]string {
	texts := map[string]string{}
	require.NoError(t, filepath.WalkDir(".", func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(file, suffix) {
			return err
		}
		text, err := os.ReadFile(file)
		texts[file] = string(text)
		return err
	}))
	return texts
}
