package fieldbugs_test

import (
	"cmp"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the table of docs/correctness.md")

// bug is what the first paragraph of a test's doc comment says.
type bug struct {
	library, thread string // thread: where the bug was reported or fixed, if that is known
	wrong, test     string
}

// firstParagraph is "library, owner/repository#number: what goes wrong.", or the same without the
// thread.
var firstParagraph = regexp.MustCompile(`^(.+?)(?:, ([\w.-]+/[\w.-]+#\d+))?: (.+)\.$`)

// TestCatalogue holds the table in docs/correctness.md against the doc comments of the tests here.
func TestCatalogue(t *testing.T) {
	const path, begin = "../../../docs/correctness.md", "\n| library | what goes wrong |"
	document, err := os.ReadFile(path)
	require.NoError(t, err)
	before, _, found := strings.Cut(string(document), begin)
	require.True(t, found)
	wanted := before + "\n" + table(catalogue(t))
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(wanted), 0o644))
		return
	}
	require.Equal(t, wanted, string(document), "go test ./internal/proof/fieldbugs -run TestCatalogue -update writes the table")
}

// ofRedis has the bugs of limits on Redis. They are tried in a module of its own, which requires
// what the root module may not.
const ofRedis = "../../../redislimit/fieldbugs_test.go"

// catalogue returns the bugs that the tests of this folder, and those of Redis, are about, by
// library.
func catalogue(t *testing.T) (bugs []bug) {
	files, err := filepath.Glob("*_test.go")
	require.NoError(t, err)
	seen := map[string]bool{}
	for _, file := range append(files, ofRedis) {
		if file == "catalogue_test.go" || file == "hostile_test.go" { // no bugs of others
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments|parser.SkipObjectResolution)
		require.NoError(t, err)
		for _, declaration := range parsed.Decls {
			f, ok := declaration.(*ast.FuncDecl)
			if !ok || f.Recv != nil || !strings.HasPrefix(f.Name.Name, "Test") {
				continue
			}
			paragraph, _, _ := strings.Cut(f.Doc.Text(), "\n\n")
			parts := firstParagraph.FindStringSubmatch(strings.Join(strings.Fields(paragraph), " "))
			require.NotNil(t, parts, "%s: %q is no %s", f.Name.Name, paragraph, firstParagraph)
			b := bug{library: parts[1], thread: parts[2], wrong: parts[3], test: f.Name.Name}
			if file == ofRedis {
				b.test = "redislimit." + b.test
			}
			require.False(t, seen[b.library+b.wrong], "%s: %s: it is there twice", b.library, b.wrong)
			seen[b.library+b.wrong] = true
			bugs = append(bugs, b)
		}
	}
	require.Greater(t, len(bugs), 200)
	slices.SortStableFunc(bugs, func(a, b bug) int {
		return cmp.Compare(strings.ToLower(a.library), strings.ToLower(b.library))
	})
	return bugs
}

// table shows the bugs as the last section of the document does.
func table(bugs []bug) string {
	var b strings.Builder
	b.WriteString("| library | what goes wrong | test |\n|---|---|---|\n")
	for _, bug := range bugs {
		where := bug.library
		if repository, number, found := strings.Cut(bug.thread, "#"); found {
			where += fmt.Sprintf(", [%s](https://github.com/%s/issues/%s)", bug.thread, repository, number)
		}
		fmt.Fprintf(&b, "| %s | %s | `%s` |\n", where, bug.wrong, bug.test)
	}
	return b.String()
}
