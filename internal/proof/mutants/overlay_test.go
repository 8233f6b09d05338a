package mutants

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// root is that of the module, as a path with symbolic links resolved: that is how the go command
// calls files.
func root(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../../..")
	require.NoError(t, err)
	dir, err = filepath.EvalSymlinks(dir)
	require.NoError(t, err)
	return dir
}

// overlay writes the sources, by their path in the module, and returns the file that makes the go
// command take them in place of what is there.
func overlay(t *testing.T, dir string, sources map[string]string) string {
	t.Helper()
	replace := map[string]string{}
	for file, source := range sources {
		changed := filepath.Join(dir, flat(file))
		require.NoError(t, os.WriteFile(changed, []byte(source), 0o600))
		replace[filepath.Join(root(t), filepath.FromSlash(file))] = changed
	}
	data, err := json.Marshal(map[string]any{"Replace": replace})
	require.NoError(t, err)
	name := filepath.Join(dir, "overlay.json")
	require.NoError(t, os.WriteFile(name, data, 0o600))
	return name
}

// flat is what overlay calls its variant of a file, and so does the compiler.
func flat(file string) string { return strings.ReplaceAll(file, "/", "_") }

// build builds the package's tests with an overlay, and returns the binary, or what the compiler
// says. The package may be of a nested module.
func build(t *testing.T, overlay, tags, pkg string) (binary string, err error) {
	t.Helper()
	binary = filepath.Join(filepath.Dir(overlay), fmt.Sprintf("%x%s.test", hash(pkg), tags))
	cmd := exec.Command("go", "test", "-c", "-vet=off", "-overlay", overlay, "-tags", tags, "-o", binary, ".")
	cmd.Dir = filepath.Join(root(t), pkg)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return binary, nil
}

// random makes the same choices for the same commit, and others for the next: so in time all come
// to their turn.
func random(t *testing.T) *rand.Rand {
	t.Helper()
	cmd := exec.Command("git", "rev-parse", "HEAD")
	cmd.Dir = root(t)
	commit, err := cmd.Output()
	if err != nil {
		commit = []byte("not a repository")
	}
	t.Logf("chosen by commit %s", commit)
	return rand.New(rand.NewPCG(hash(string(commit)), 0))
}

func hash(s string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(s))
	return h.Sum64()
}
