package fieldbugs_test

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the table of docs/correctness.md")

// TestCatalogue holds together what is done, what is listed, and what is shown.
func TestCatalogue(t *testing.T) {
	var listed []string
	seen := map[string]bool{}
	for _, bug := range bugs {
		listed = append(listed, bug.test)
		require.False(t, seen[bug.limiter+bug.wrong], "%s: %s is there twice", bug.limiter, bug.wrong)
		seen[bug.limiter+bug.wrong] = true
	}
	require.ElementsMatch(t, append(listed, t.Name()), written(t), "each bug has its test, and each test its bug")

	const path = "../../../docs/correctness.md"
	document, err := os.ReadFile(path)
	require.NoError(t, err)
	before, section, found := strings.Cut(string(document), "\n## What went wrong in other limiters\n")
	require.True(t, found)
	intro, _, found := strings.Cut(section, "\n| where |")
	require.True(t, found)
	wanted := before + "\n## What went wrong in other limiters\n" + intro + "\n" + table(t)
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(wanted), 0o644))
		return
	}
	require.Equal(t, wanted, string(document), "go test ./internal/proof/fieldbugs -update brings docs/correctness.md up to date")
}

// written returns the names of the tests in this folder.
func written(t *testing.T) (names []string) {
	files, err := filepath.Glob("*_test.go")
	require.NoError(t, err)
	for _, file := range files {
		if file == "hostile_test.go" { // where nobody has been yet
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		for _, declaration := range parsed.Decls {
			if f, ok := declaration.(*ast.FuncDecl); ok && f.Recv == nil && strings.HasPrefix(f.Name.Name, "Test") {
				names = append(names, f.Name.Name)
			}
		}
	}
	return names
}

// table is the list as the last section of the document shows it.
func table(t *testing.T) string {
	var b strings.Builder
	b.WriteString("| where | what went wrong | test |\n|---|---|---|\n")
	for _, bug := range bugs {
		where := bug.limiter
		if bug.thread != "" {
			repository, number, found := strings.Cut(bug.thread, "#")
			require.True(t, found, bug.thread)
			where += fmt.Sprintf(", [%s](https://github.com/%s/issues/%s)", bug.thread, repository, number)
		}
		fmt.Fprintf(&b, "| %s | %s | `%s` |\n", where, bug.wrong, bug.test)
	}
	return b.String()
}
