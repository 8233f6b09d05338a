package main

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write what commands print into docs/simulating.md, and draw its pictures")

// TestStory runs the commands that docs/simulating.md has, and compares what they print and draw.
func TestStory(t *testing.T) {
	docs, err := filepath.Abs("../../docs")
	require.NoError(t, err)
	page, err := os.ReadFile(filepath.Join(docs, "simulating.md"))
	require.NoError(t, err)
	t.Chdir("testdata")
	pictures := t.TempDir()
	blocks := regexp.MustCompile("(?s)```console\n.*?```\n")
	commands := 0
	now := blocks.ReplaceAllStringFunc(string(page), func(block string) string {
		var b strings.Builder
		b.WriteString("```console\n")
		for line := range strings.SplitSeq(block, "\n") {
			command, is := strings.CutPrefix(line, "$ ratesim ")
			if !is {
				continue
			}
			commands++
			b.WriteString(line + "\n")
			status, out, errs := ratesim(t, "", words(strings.ReplaceAll(command, "-plot docs", "-plot "+pictures+"/simulating"))...)
			require.NotEqual(t, 2, status, "%s: %s", command, errs)
			b.WriteString(out + errs)
		}
		return b.String() + "```\n"
	})
	require.Greater(t, commands, 4)
	drawn := 0
	for _, name := range regexp.MustCompile(`\]\(simulating-([\w-]+)\.svg\)`).FindAllStringSubmatch(now, -1) {
		text, err := os.ReadFile(filepath.Join(pictures, "simulating", name[1]+".svg"))
		require.NoError(t, err)
		file := filepath.Join(docs, "simulating-"+name[1]+".svg")
		if *update {
			require.NoError(t, os.WriteFile(file, text, 0o666))
		}
		was, err := os.ReadFile(file)
		require.NoError(t, err)
		if !bytes.Equal(text, was) { // testify would print both
			t.Errorf("%s is drawn otherwise now: go test -C cmd/ratesim . -run TestStory -update", file)
		}
		drawn++
	}
	require.GreaterOrEqual(t, drawn, 3)
	if *update {
		require.NoError(t, os.WriteFile(filepath.Join(docs, "simulating.md"), []byte(now), 0o666))
		return
	}
	require.Equal(t, string(page), now, "go test -C cmd/ratesim . -run TestStory -update")
}

// words splits a command as a shell does, with quotes.
func words(command string) (all []string) {
	for i, part := range strings.Split(command, "'") {
		if i%2 == 1 {
			all = append(all, part)
			continue
		}
		all = append(all, strings.Fields(part)...)
	}
	return all
}
