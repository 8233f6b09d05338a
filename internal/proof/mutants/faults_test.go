package mutants

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var faultsToRun = flag.Int("mutants.faults", 2, "how many faults of faults.txt, chosen by the commit, tests must find; 0: all")

// fault is a paragraph of faults.txt.
type fault struct {
	name, file   string
	old, mutated string
	imports      string
	tags, pkg    string
	tests        string
	hangs        bool
}

func faults(t *testing.T) (all []fault) {
	t.Helper()
	data, err := os.ReadFile("faults.txt")
	require.NoError(t, err)
	for paragraph := range strings.SplitSeq(string(data), "\n\n") {
		lines := strings.Split(strings.TrimRight(paragraph, "\n"), "\n")
		name, ok := strings.CutPrefix(lines[0], "= ")
		if !ok {
			continue // the introduction
		}
		f := fault{name: name, file: lines[1]}
		for _, line := range lines[2:] {
			switch {
			case line[0] == '-' || line[0] == '+' || line[0] == ' ':
				if line[0] != '+' {
					f.old += line[1:] + "\n"
				}
				if line[0] != '-' {
					f.mutated += line[1:] + "\n"
				}
			case strings.HasPrefix(line, "import "):
				f.imports = line
			default:
				words := strings.Fields(line)
				if words[0] == "hangs" {
					f.hangs, words = true, words[1:]
				}
				if words[0] == "explore" {
					f.tags, words = words[0], words[1:]
				}
				require.Len(t, words, 2, line)
				f.pkg, f.tests = words[0], words[1]
			}
		}
		require.NotEmpty(t, f.tests, name)
		all = append(all, f)
	}
	return all
}

// source returns the file with the fault in it.
func (f *fault) source(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root(t), filepath.FromSlash(f.file)))
	require.NoError(t, err)
	source := "\n" + string(data)
	require.Equal(t, 1, strings.Count(source, "\n"+f.old), "%s: the lines that it changes", f.name)
	source = strings.Replace(source, "\n"+f.old, "\n"+f.mutated, 1)[1:]
	if f.imports != "" {
		end := packageClause.FindStringIndex(source)[1]
		source = source[:end] + "; " + f.imports + source[end:]
	}
	return source
}

// TestFaultsAreOfThisCode is quick: it demands of all faults that there still is what they change.
func TestFaultsAreOfThisCode(t *testing.T) {
	all := faults(t)
	require.Greater(t, len(all), 40)
	seen := map[string]bool{}
	for _, f := range all {
		f.source(t)
		require.False(t, seen[f.name], "%s is there twice", f.name)
		seen[f.name] = true
	}
}

// TestFaults plants each fault, and demands that the tests fail which must find it.
func TestFaults(t *testing.T) {
	all := faults(t)
	if *faultsToRun > 0 {
		random(t).Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		all = all[:min(*faultsToRun, len(all))]
	}
	for _, f := range all {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			f.find(t)
		})
	}
}

func (f *fault) find(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	name := overlay(t, dir, map[string]string{f.file: f.source(t)})
	binary, err := build(t, name, f.tags, f.pkg)
	require.NoError(t, err, "a fault must compile")
	limit := 2 * time.Minute
	if f.hangs {
		limit = 10 * time.Second
	}
	cmd := exec.Command(binary, "-test.run", f.tests, "-test.failfast", "-test.timeout", limit.String())
	cmd.Dir = filepath.Join(root(t), f.pkg)
	out, err := cmd.CombinedOutput()
	require.Error(t, err, "%s does not find it", f.tests)
	if f.hangs {
		require.Contains(t, string(out), "test timed out")
		return
	}
	test, _, _ := strings.Cut(f.tests, "/")
	require.Contains(t, string(out), "--- FAIL: "+test, "it fails as a test does")
}
