package ratelimit_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestDocsNameWhatThereIs looks for each test and benchmark that the documentation names.
func TestDocsNameWhatThereIs(t *testing.T) {
	named := map[string]string{} // and where
	name := regexp.MustCompile(`\b(?:Test|Benchmark|Fuzz)[A-Z]\w+`)
	var code strings.Builder
	require.NoError(t, filepath.WalkDir(".", func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		isPage, isTest := filepath.Ext(file) == ".md", strings.HasSuffix(file, "_test.go")
		if !isPage && !isTest {
			return nil
		}
		text, err := os.ReadFile(file)
		if isTest {
			code.Write(text)
			return err
		}
		for _, found := range name.FindAllString(string(text), -1) {
			named[found] = file
		}
		return err
	}))
	require.Greater(t, len(named), 100)
	for what, file := range named {
		if !strings.Contains(code.String(), "func "+what+"(") { // which would print it
			t.Errorf("%s names %s, which there is not", file, what)
		}
	}
}
